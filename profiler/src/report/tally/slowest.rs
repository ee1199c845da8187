//! The slowest calls.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap};

use profiler_common::{
    calls::{self, Shape},
    fact::Ended,
};

use super::Context;
use crate::blame::{Shares, Span, Verdict};
use crate::correlate::Call;
use crate::report::{
    v1::{self, Hidden},
    words,
};

/// Stretches of a call that the report shows; a call with more loses its shortest.
const TIMELINE: usize = 256;

#[derive(Debug)]
struct Slow {
    ns: u64,
    ended: Ended,
    complete: bool,
    verdict: Verdict,
}

/// By duration; of equal ones the earlier call counts as the slower.
impl Ord for Slow {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |slow: &Self| {
            let head = &slow.ended.head;
            (slow.ns, Reverse(head.call_ns), Reverse(head.tid))
        };
        key(self).cmp(&key(other))
    }
}
impl PartialOrd for Slow {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl PartialEq for Slow {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Slow {}

/// The slowest calls so far: a heap with the fastest of them on top.
#[derive(Debug)]
pub(super) struct Slowest {
    limit: usize,
    heap: BinaryHeap<Reverse<Slow>>,
}

impl Slowest {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            heap: BinaryHeap::with_capacity(limit + 1),
        }
    }

    pub(super) fn add(&mut self, call: &Call, verdict: &Verdict) {
        let ns = call.ns();
        let full = self.heap.len() >= self.limit;
        // Most calls end here: nothing of them is copied.
        if self.limit == 0 || full && self.heap.peek().is_some_and(|Reverse(top)| top.ns > ns) {
            return;
        }
        let verdict = verdict.clone();
        self.heap.push(Reverse(Slow {
            ns,
            ended: call.ended,
            complete: call.is_complete(),
            verdict,
        }));
        if self.heap.len() > self.limit {
            self.heap.pop();
        }
    }

    /// Slowest first.
    pub(super) fn finish(&self, context: &Context<'_>) -> Vec<v1::SlowCall> {
        let mut slowest: Vec<_> = self.heap.iter().map(|Reverse(slow)| slow).collect();
        slowest.sort_by(|a, b| b.cmp(a));
        slowest
            .into_iter()
            .map(|slow| describe(slow, context))
            .collect()
    }
}

fn describe(slow: &Slow, context: &Context<'_>) -> v1::SlowCall {
    let Slow {
        ns,
        ended,
        complete,
        verdict,
    } = slow;
    let vectors = calls::told(ended.call).is_some_and(|call| call.shape == Shape::Vector);
    let (timeline, timeline_omitted) = timeline(&verdict.spans, context);
    v1::SlowCall {
        tid: ended.head.tid,
        comm: words::text_of(&ended.comm),
        path: path(ended, context),
        offset: offset(ended),
        requested: (!vectors || ended.requested > 0).then_some(ended.requested),
        returned: ended.returned,
        latency_ns: *ns,
        outcome: verdict.outcome.into(),
        complete: *complete,
        blame_ns: blame(&verdict.shares, context),
        timeline,
        pid: ended.head.pid,
        call: words::call(ended.call),
        began_ns: ended.head.call_ns,
        file: (ended.mode != 0).then(|| v1::FileId {
            dev: words::dev_numbers(ended.dev),
            inode: ended.inode,
        }),
        parts: parts(&verdict.spans, context),
        timeline_omitted,
    }
}

/// Pipes and sockets have a position too, in the kernel: it is always 0.
fn offset(ended: &Ended) -> Option<u64> {
    match ended.mode & libc::S_IFMT {
        libc::S_IFIFO | libc::S_IFSOCK => None,
        _ => u64::try_from(ended.offset).ok(),
    }
}

fn path(ended: &Ended, context: &Context<'_>) -> Option<String> {
    context
        .names
        .path(ended.dev, ended.inode, &ended.name)
        .or_else(|| {
            let name = words::text_of(&ended.name);
            (!name.is_empty()).then_some(name)
        })
}

pub(super) fn blame(shares: &Shares, context: &Context<'_>) -> v1::Blame<u64> {
    v1::Blame::from_fn(|cause| match shares[cause] {
        0 if context.hides(Hidden::Cause(cause)) => None,
        ns => Some(ns),
    })
}

fn timeline(spans: &[Span], context: &Context<'_>) -> (Vec<v1::Span>, u64) {
    let mut shown: Vec<&Span> = spans.iter().collect();
    let omitted = shown.len().saturating_sub(TIMELINE);
    if omitted > 0 {
        shown.sort_by_key(|span| Reverse(span.ns));
        shown.truncate(TIMELINE);
        shown.sort_by_key(|span| span.at_ns);
    }
    let spans = shown.into_iter().map(|span| v1::Span {
        at_ns: span.at_ns,
        ns: span.ns,
        cause: span.cause.into(),
        detail: words::detail(&span.detail, context.devices),
    });
    (spans.collect(), omitted as u64)
}

fn parts(spans: &[Span], context: &Context<'_>) -> Vec<v1::Part> {
    let mut index = HashMap::new();
    let mut parts: Vec<v1::Part> = Vec::new();
    for span in spans {
        let at = *index.entry((span.cause, &span.detail)).or_insert_with(|| {
            parts.push(v1::Part {
                cause: span.cause.into(),
                detail: words::detail(&span.detail, context.devices),
                ..v1::Part::default()
            });
            parts.len() - 1
        });
        if let Some(part) = parts.get_mut(at) {
            part.ns += span.ns;
            part.count += 1;
        }
    }
    parts.sort_by_key(|part| Reverse(part.ns));
    parts
}
