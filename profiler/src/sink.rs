//! What is made of a session while it goes on, one call at a time.
//!
//! The session gives every sink each call with its verdict, each request, each tick and the
//! end of each scenario, in the order in which they came to be known. The tallies of the
//! report are the first sink. A format with a row for each call is another one: a file of its
//! own, not a change to the report.

use std::fmt::Debug;

use profiler_common::fact::RequestFacts;

use crate::{blame::Verdict, correlate::Call};

/// Looks up what only the live session knows. Answers from memory: no sink does I/O for it.
pub trait Names: Debug {
    /// Kernel functions of a stack map id, innermost first; empty if not known.
    fn frames(&self, stack: u32) -> Vec<String>;
    /// Path of the file with this device (the kernel's `dev_t`) and inode, the last part of whose
    /// name is `name` (NUL padded, cut at 31 bytes); `None` if not known.
    fn path(&self, dev: u32, inode: u64, name: &[u8; 32]) -> Option<String>;
}

/// Takes what a session finds out.
pub trait Sink {
    /// A scenario begins: what follows belongs to it.
    fn begin(&mut self, _scenario: &str) {}

    /// A request has completed. Each is told once, whether the call that submitted it was
    /// still going on or had ended; those of a call come just before the call.
    fn request(&mut self, _request: &RequestFacts) {}

    /// A call has ended.
    ///
    /// Calls that the kernel side has settled by itself, because they were quick and waited
    /// for nothing, are in the report only: `--every-call` tells them here too.
    fn call(&mut self, _call: &Call, _verdict: &Verdict, _names: &dyn Names) {}

    /// Gives a call after its requests: what a session does with each.
    fn ended(&mut self, call: &Call, verdict: &Verdict, names: &dyn Names) {
        for request in &call.requests {
            self.request(&request.request);
        }
        self.call(call, verdict, names);
    }

    /// So many nanoseconds have gone by since the scenario began: one interval more.
    fn tick(&mut self, _at_ns: u64) {}

    /// The scenario is over.
    fn end(&mut self) {}
}

/// Takes nothing.
impl Sink for () {}
