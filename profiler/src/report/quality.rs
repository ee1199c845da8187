//! How far the numbers can be trusted.

use profiler_common::counter::Counters;
use profiler_common::fact::{KIND_ENDED, KIND_RECLAIM, KIND_REQUEST, KIND_WAIT, KINDS};

use super::sums::sum;
use super::v1::{BpfUser, Hook, HookMisses, KindCounts, OwnCost, Quality, Scenario};
use crate::blame::Cause;

/// What the collector observed of the session itself.
#[derive(Clone, Debug)]
pub struct Observed {
    /// What the kernel side counted, added up over CPUs.
    pub counters: Counters,
    /// Calls that had begun and not ended when the session did.
    pub open_calls: u64,
    /// Times that the kernel skipped one of our programs; `None` if not known.
    pub recursion_misses: Option<u64>,
    /// The same by hook, where it is known.
    pub recursion_misses_by_hook: Vec<HookMisses>,
    /// Processes that may be why calls were missed.
    pub bpf_users: Vec<BpfUser>,
    /// Records that could not be decoded.
    pub malformed: u64,
    /// Facts that arrived, by kind.
    pub arrived: [u64; KINDS],
    /// Facts whose times cannot be.
    pub odd: u64,
    /// What the profiler itself cost.
    pub own: OwnCost,
    /// The session's end is not known.
    pub is_cut_off: bool,
    /// Why the functions of kernel stacks have no names, if they have none.
    pub unnamed_stacks: Option<String>,
    /// Anything else that a reader should know, in words.
    pub notes: Vec<String>,
}

impl Default for Observed {
    fn default() -> Self {
        Self {
            counters: Counters::ZERO,
            open_calls: 0,
            recursion_misses: None,
            recursion_misses_by_hook: Vec::new(),
            bpf_users: Vec::new(),
            malformed: 0,
            arrived: [0; KINDS],
            odd: 0,
            own: OwnCost::default(),
            is_cut_off: false,
            unnamed_stacks: None,
            notes: Vec::new(),
        }
    }
}

/// The quality block of a session.
pub fn quality(observed: &Observed, scenarios: &[Scenario], hooks: &[Hook]) -> Quality {
    let counters = &observed.counters;
    let blocked_ns = sum(scenarios.iter().map(|scenario| scenario.blocked_ns));
    let unexplained_ns = sum(scenarios
        .iter()
        .map(|scenario| scenario.blame_ns.or_zero(Cause::Unexplained)));
    let missing = hooks
        .iter()
        .filter(|hook| !hook.attached && !hook.hides.is_empty());
    Quality {
        facts: sum(counters.made),
        lost: sum(counters.lost),
        incomplete_calls: sum(scenarios.iter().map(|scenario| scenario.incomplete_calls)),
        open_calls: observed.open_calls,
        recursion_misses: observed.recursion_misses,
        recursion_misses_by_hook: observed.recursion_misses_by_hook.clone(),
        bpf_users: observed.bpf_users.clone(),
        unexplained_share: share(unexplained_ns, blocked_ns),
        own: observed.own,
        facts_by_kind: by_kind(&counters.made),
        lost_by_kind: by_kind(&counters.lost),
        arrived_by_kind: by_kind(&observed.arrived),
        blocked_ns,
        unexplained_ns,
        malformed: observed.malformed,
        odd: observed.odd,
        no_state: counters.no_state,
        no_owner: counters.no_owner,
        no_stack: counters.no_stack,
        no_completion: counters.no_completion,
        cut_off: observed.is_cut_off,
        unnamed_stacks: observed.unnamed_stacks.clone(),
        hooks_missing: missing.map(|hook| hook.hook.clone()).collect(),
        notes: observed.notes.clone(),
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

fn by_kind(counts: &[u64]) -> KindCounts {
    let of = |kind: u32| counts.get(kind as usize).copied().unwrap_or(0);
    KindCounts {
        wait: of(KIND_WAIT),
        reclaim: of(KIND_RECLAIM),
        request: of(KIND_REQUEST),
        ended: of(KIND_ENDED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::v1::Hidden;

    #[test]
    fn nothing_blocked_leaves_nothing_unexplained() {
        let quality = quality(&Observed::default(), &[], &[]);
        assert_eq!(quality.unexplained_share, 0.0);
    }

    #[test]
    fn losses_are_told_by_kind() {
        let mut observed = Observed::default();
        observed.counters.made[KIND_WAIT as usize] = 10;
        observed.counters.lost[KIND_WAIT as usize] = 3;
        observed.counters.made[KIND_ENDED as usize] = 5;
        let missing = Hook {
            hook: "contention_begin".to_owned(),
            hides: vec![Hidden::Cause(Cause::Lock).into()],
            ..Hook::default()
        };
        let harmless = Hook {
            hook: "page_cache_ra_order".to_owned(),
            ..Hook::default()
        };
        let quality = quality(&observed, &[], &[missing, harmless]);
        assert_eq!((quality.facts, quality.lost), (15, 3));
        assert_eq!(
            quality.lost_by_kind,
            KindCounts {
                wait: 3,
                ..KindCounts::default()
            }
        );
        assert_eq!(quality.hooks_missing, ["contention_begin"]);
    }
}
