//! What a rule gets and gives.

use profiler_common::fact::{WAIT_IOWAIT, Wait};

use super::{Cause, Detail};
use crate::correlate::Call;

/// Kernel stacks by id, innermost frame first.
pub trait Stacks {
    /// The functions of a stack; `None` if it was not stored.
    fn frames(&self, id: u32) -> Option<&[String]>;
}

/// No stacks at all.
impl Stacks for () {
    fn frames(&self, _id: u32) -> Option<&[String]> {
        None
    }
}

/// A stay off the CPU that was not a preemption, as rules look at it.
pub(super) struct Sleep<'a> {
    pub call: &'a Call,
    pub wait: &'a Wait,
    /// Fell asleep, ns.
    pub from: u64,
    /// Woken, or back on the CPU if the wake-up was not seen, ns.
    pub to: u64,
    pub stacks: &'a dyn Stacks,
}

/// A stretch that a rule explains, up to a moment in nanoseconds. A rule gives its
/// pieces in order; what it leaves up to [`Sleep::to`] goes to the rule's last cause.
pub(super) struct Piece {
    pub to: u64,
    pub cause: Cause,
    pub detail: Detail,
}

/// A rule explains a sleep, or has nothing to say about it.
pub(super) type Rule = fn(&Sleep<'_>) -> Option<Vec<Piece>>;

impl Sleep<'_> {
    /// The frames that the thread fell asleep with.
    pub(super) fn frames(&self) -> &[String] {
        frames(self.stacks, self.wait.stack)
    }

    /// The frames of whoever woke it.
    pub(super) fn waker_frames(&self) -> &[String] {
        frames(self.stacks, self.wait.waker_stack)
    }

    /// Is one of these functions on the sleeper's stack?
    pub(super) fn slept_in(&self, functions: &[&str]) -> bool {
        is_in(self.frames(), functions)
    }

    /// It slept as for I/O, and has no stack: so it was taken for one more of a row of sleeps
    /// for own requests, and was not.
    pub(super) fn has_no_stack_for_io(&self) -> bool {
        self.wait.stack < 0 && self.wait.flags & WAIT_IOWAIT != 0
    }

    /// One piece: the whole sleep.
    pub(super) fn whole(&self, cause: Cause, detail: Detail) -> Option<Vec<Piece>> {
        Some(vec![Piece {
            to: self.to,
            cause,
            detail,
        }])
    }
}

fn frames(stacks: &dyn Stacks, id: i32) -> &[String] {
    u32::try_from(id)
        .ok()
        .and_then(|id| stacks.frames(id))
        .unwrap_or_default()
}

/// Compilers add suffixes to functions that they cut or clone (`.isra.0`, `.cold`).
pub(super) fn is_in(frames: &[String], functions: &[&str]) -> bool {
    frames.iter().any(|frame| {
        let name = frame.split('.').next().unwrap_or(frame);
        functions.contains(&name)
    })
}
