//! What calls waited for, in bounded memory.

use std::collections::{BTreeMap, HashMap};

use crate::blame::{Cause, Detail, Span};
use crate::report::{sums::grow, v1, words};

use super::Context;

/// Entries kept apart while folding; what comes after is folded by cause.
const KEPT: usize = 4096;
/// Entries in the report; the smaller ones are folded by cause.
const SHOWN: usize = 256;

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    count: u64,
    ns: u64,
    max_ns: u64,
}

impl Sum {
    fn add(&mut self, other: Self) {
        grow(&mut self.count, other.count);
        grow(&mut self.ns, other.ns);
        self.max_ns = self.max_ns.max(other.max_ns);
    }
}

#[derive(Debug, Default)]
pub(super) struct Waits {
    kept: HashMap<(Cause, Detail, Option<u32>), Sum>,
    folded: BTreeMap<Cause, Sum>,
}

impl Waits {
    pub(super) fn add(&mut self, span: &Span) {
        if !span.cause.is_blocked() {
            return;
        }
        // Which code was preempted is the scheduler's choice, and a stay on the run
        // queue follows a sleep that has the same stack: neither is told by a stack.
        let stack = match span.cause {
            Cause::Preempted | Cause::Runqueue => None,
            _ => span.stack,
        };
        let one = Sum {
            count: 1,
            ns: span.ns,
            max_ns: span.ns,
        };
        let key = (span.cause, span.detail.clone(), stack);
        if let Some(sum) = self.kept.get_mut(&key) {
            sum.add(one);
        } else if self.kept.len() < KEPT {
            self.kept.insert(key, one);
        } else {
            self.folded.entry(span.cause).or_default().add(one);
        }
    }

    /// The entries in words, longest sum first. Entries whose words and frames are
    /// the same are one.
    pub(super) fn finish(&self, context: &Context<'_>) -> Vec<v1::Wait> {
        let mut entries: BTreeMap<(Cause, String, Vec<String>), v1::Wait> = BTreeMap::new();
        for ((cause, detail, stack), sum) in &self.kept {
            let words = words::detail(detail, context.devices);
            let frames = stack.map(|id| context.names.frames(id)).unwrap_or_default();
            let entry = entries
                .entry((*cause, words.clone(), frames.clone()))
                .or_insert_with(|| v1::Wait {
                    cause: (*cause).into(),
                    detail: words,
                    stack: frames,
                    request: words::request(detail, context.devices),
                    ..v1::Wait::default()
                });
            grow(&mut entry.count, sum.count);
            grow(&mut entry.ns, sum.ns);
            entry.max_ns = entry.max_ns.max(sum.max_ns);
        }
        let mut entries: Vec<_> = entries
            .into_iter()
            .map(|((cause, ..), wait)| (cause, wait))
            .collect();
        entries.sort_by_key(|(cause, wait)| (std::cmp::Reverse(wait.ns), *cause));

        let mut folded = self.folded.clone();
        for (cause, wait) in entries.drain(SHOWN.min(entries.len())..) {
            let sum = Sum {
                count: wait.count,
                ns: wait.ns,
                max_ns: wait.max_ns,
            };
            folded.entry(cause).or_default().add(sum);
        }
        let mut waits: Vec<_> = entries.into_iter().map(|(_, wait)| wait).collect();
        waits.extend(folded.into_iter().map(|(cause, sum)| v1::Wait {
            cause: cause.into(),
            detail: "others, too many to tell apart".to_owned(),
            count: sum.count,
            ns: sum.ns,
            max_ns: sum.max_ns,
            folded: Some(sum.count),
            ..v1::Wait::default()
        }));
        waits.sort_by_key(|wait| std::cmp::Reverse(wait.ns));
        waits
    }
}
