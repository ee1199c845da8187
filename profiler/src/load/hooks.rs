//! The plan of hooks.

use anyhow::Result;

/// One hook, as the plan has it.
#[derive(Clone, Copy, Debug)]
pub struct Hook {
    /// A tracepoint; or `fentry/` or `fexit/` and a function. The program for it has the same
    /// name, with `_` for `/`.
    pub name: &'static str,
    /// How much depends on it, or which hook it takes the place of.
    pub need: Need,
    /// What the report cannot say without it.
    pub without_it: &'static str,
    /// What a run that the kernel skips costs (docs/preemption.md).
    pub skipped: &'static str,
    /// Causes and parts of the report that are not known without it.
    pub hides: &'static [&'static str],
    /// The Linux that brought it; `None`: every one that is supported has it.
    pub since: Option<&'static str>,
}

/// How much depends on a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing works without it.
    Required,
    /// Costs only what `without_it` says.
    Optional,
    /// Attached only where the named hook is missing. All hooks that are so together tell
    /// the same as it does: nothing is lost.
    Same(&'static str),
    /// Attached only where the named hook, and what tells the same, is missing. It tells less.
    Instead(&'static str),
}

/// What a program hangs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A raw tracepoint.
    Tracepoint(&'static str),
    /// The begin of a function.
    Entry(&'static str),
    /// The end of a function.
    Return(&'static str),
}

impl Hook {
    /// What its program hangs on.
    pub fn place(&self) -> Place {
        match self.name.split_once('/') {
            Some(("fexit", function)) => Place::Return(function),
            Some((_, function)) => Place::Entry(function),
            None => Place::Tracepoint(self.name),
        }
    }

    /// Its program's name in the object file.
    pub(super) fn program(&self) -> String {
        self.name.replace('/', "_")
    }
}

/// What became of a hook.
#[derive(Clone, Debug)]
pub struct HookState {
    /// The hook, from the plan.
    pub hook: Hook,
    /// Whether its program is attached to it.
    pub attached: bool,
    /// Why not, if it was tried.
    pub reason: Option<String>,
}

/// Goes through the plan. `attach` is asked for each hook that is needed, and says why if it
/// cannot be had. Of hooks that tell the same, only those that were attached are listed.
pub(super) fn carry_out(mut attach: impl FnMut(&Hook) -> Result<()>) -> Vec<HookState> {
    let mut states: Vec<HookState> = Vec::with_capacity(PLAN.len());
    for hook in PLAN {
        let is_told = match hook.need {
            Need::Required | Need::Optional => false,
            Need::Same(of) => is_attached(&states, of),
            Need::Instead(of) => is_attached(&states, of) || is_told_by_others(&states, of),
        };
        if is_told {
            continue;
        }
        let error = attach(&hook).err().map(|error| format!("{error:#}"));
        states.push(HookState {
            hook,
            attached: error.is_none(),
            reason: error,
        });
    }
    for of in PLAN.map(|hook| hook.name) {
        if is_told_by_others(&states, of) {
            states.retain(|state| state.hook.name != of);
            continue;
        }
        // What was tried in vain is only the reason of what is missing.
        let in_vain = |state: &HookState| state.hook.need == Need::Same(of) && !state.attached;
        let mut reasons: Vec<(String, String)> = Vec::new();
        for state in states.iter().filter(|state| in_vain(state)) {
            let (name, reason) = (state.hook.name, state.reason.clone().unwrap_or_default());
            match reasons.last_mut() {
                Some((names, same)) if *same == reason => *names += &format!(", {name}"),
                _ => reasons.push((name.to_owned(), reason)),
            }
        }
        states.retain(|state| !in_vain(state));
        if let Some(named) = states.iter_mut().find(|state| state.hook.name == of) {
            let named = named.reason.get_or_insert_default();
            named.extend(
                reasons
                    .iter()
                    .map(|(names, reason)| format!("; {names}: {reason}")),
            );
        }
    }
    states
}

fn is_attached(states: &[HookState], name: &str) -> bool {
    let is_it = |state: &HookState| state.attached && state.hook.name == name;
    states.iter().any(is_it)
}

/// Are all hooks attached that together tell the same as the named one?
fn is_told_by_others(states: &[HookState], of: &'static str) -> bool {
    let mut others = PLAN
        .iter()
        .filter(|hook| hook.need == Need::Same(of))
        .peekable();
    others.peek().is_some() && others.all(|hook| is_attached(states, hook.name))
}

const fn hook(
    name: &'static str,
    need: Need,
    hides: &'static [&'static str],
    without_it: &'static str,
    skipped: &'static str,
) -> Hook {
    Hook {
        name,
        need,
        without_it,
        skipped,
        hides,
        since: None,
    }
}

/// A hook that not every supported kernel has.
const fn since(release: &'static str, hook: Hook) -> Hook {
    Hook {
        since: Some(release),
        ..hook
    }
}

/// Every hook, in the order in which they are attached: those that open calls come
/// last, so that an open call meets a complete set.
pub const PLAN: [Hook; 32] = [
    hook(
        "sched_switch",
        Need::Required,
        &["preempted", "runqueue"],
        "time off the CPU is not seen",
        "a stay off the CPU is not seen, or ends late",
    ),
    hook(
        "sched_waking",
        Need::Required,
        &[],
        "what ended a sleep is not seen",
        "what ended a sleep is not known",
    ),
    hook(
        "block_bio_queue",
        Need::Optional,
        &[],
        "bytes asked of devices by a call are not counted",
        "bios are missing in the bytes asked of devices",
    ),
    since(
        "6.5",
        hook(
            "block_io_start",
            Need::Optional,
            &[],
            "requests issued by a worker have no known submitter",
            "a request has no known submitter",
        ),
    ),
    hook(
        "block_rq_insert",
        Need::Same("block_io_start"),
        &[],
        "requests issued by a worker have no known submitter",
        "a request has no known submitter",
    ),
    hook(
        "block_rq_issue",
        Need::Required,
        &["queue"],
        "time in the queue cannot be distinguished from time on the device",
        "a request's time in the queue counts as the device's, and it may have no known submitter",
    ),
    hook(
        "block_rq_complete",
        Need::Required,
        &["device", "queue", "completion", "io"],
        "waits for a device are unexplained",
        "a wait for a device is unexplained",
    ),
    since(
        "6.5",
        hook(
            "block_io_done",
            Need::Optional,
            &[],
            "a wait that ends in the same interrupt as a request may be blamed on it",
            "a later wake-up may be blamed on a request",
        ),
    ),
    hook(
        "fexit/blk_update_request",
        Need::Same("block_io_done"),
        &[],
        "a wait that ends in the same interrupt as a request may be blamed on it",
        "a later wake-up may be blamed on a request",
    ),
    hook(
        "fexit/blk_mq_end_request_batch",
        Need::Same("block_io_done"),
        &[],
        "a wait that ends in the same interrupt as a request may be blamed on it",
        "a later wake-up may be blamed on a request",
    ),
    hook(
        "softirq_exit",
        Need::Instead("block_io_done"),
        &[],
        "a later wake-up may be blamed on a request",
        "a later wake-up may be blamed on a request",
    ),
    hook(
        "irq_handler_exit",
        Need::Instead("block_io_done"),
        &[],
        "a later wake-up may be blamed on a request",
        "a later wake-up may be blamed on a request",
    ),
    hook(
        "mm_filemap_add_to_page_cache",
        Need::Required,
        &[],
        "misses cannot be distinguished from late hits",
        "pages that a call filled are not counted, and a miss may look like a hit",
    ),
    since(
        "6.18",
        hook(
            "page_cache_sync_ra",
            Need::Optional,
            &["readahead"],
            "readahead windows are not counted",
            "a readahead window is not counted",
        ),
    ),
    hook(
        "fentry/page_cache_sync_ra",
        Need::Same("page_cache_sync_ra"),
        &["readahead"],
        "readahead windows are not counted",
        "a readahead window is not counted",
    ),
    since(
        "6.18",
        hook(
            "page_cache_async_ra",
            Need::Optional,
            &["readahead"],
            "readahead windows are not counted",
            "a readahead window is not counted",
        ),
    ),
    hook(
        "fentry/page_cache_async_ra",
        Need::Same("page_cache_async_ra"),
        &["readahead"],
        "readahead windows are not counted",
        "a readahead window is not counted",
    ),
    hook(
        "contention_begin",
        Need::Optional,
        &["lock"],
        "waits for locks are unexplained",
        "a wait for a lock is unexplained",
    ),
    hook(
        "contention_end",
        Need::Optional,
        &["lock"],
        "waits for locks are unexplained",
        "a sleep may be blamed on a lock that was let go",
    ),
    hook(
        "mm_vmscan_direct_reclaim_begin",
        Need::Optional,
        &["reclaim"],
        "reclaim shows as cpu or unexplained",
        "a stay in reclaim shows as cpu or unexplained",
    ),
    hook(
        "mm_vmscan_direct_reclaim_end",
        Need::Optional,
        &["reclaim"],
        "reclaim shows as cpu or unexplained",
        "what follows may show as reclaim",
    ),
    hook(
        "mm_vmscan_memcg_reclaim_begin",
        Need::Optional,
        &["reclaim"],
        "reclaim for a cgroup's limit shows as cpu or unexplained",
        "a stay in reclaim shows as cpu or unexplained",
    ),
    hook(
        "mm_vmscan_memcg_reclaim_end",
        Need::Optional,
        &["reclaim"],
        "reclaim for a cgroup's limit shows as cpu or unexplained",
        "what follows may show as reclaim",
    ),
    hook(
        "sched_process_exit",
        Need::Optional,
        &[],
        "a call cut short by the thread's death is not reported",
        "a call cut short by the thread's death is not reported",
    ),
    since(
        "6.12",
        hook(
            "mm_filemap_map_pages",
            Need::Optional,
            &[],
            "a fault seems to end when its page has arrived, before it is mapped",
            "a fault seems to end when its page has arrived",
        ),
    ),
    hook(
        "fexit/filemap_map_pages",
        Need::Same("mm_filemap_map_pages"),
        &[],
        "a fault seems to end when its page has arrived, before it is mapped",
        "a fault seems to end when its page has arrived",
    ),
    since(
        "6.12",
        hook(
            "mm_filemap_fault",
            Need::Optional,
            &["fault"],
            "waits in file mappings are not seen",
            "a fault that waited is not seen",
        ),
    ),
    hook(
        "fentry/filemap_fault",
        Need::Same("mm_filemap_fault"),
        &["fault"],
        "waits in file mappings are not seen",
        "a fault that waited is not seen",
    ),
    hook(
        "sys_exit",
        Need::Required,
        &[],
        "there are no calls",
        "a call's end is missed",
    ),
    hook(
        "sys_enter",
        Need::Required,
        &[],
        "there are no calls",
        "a call's begin is missed",
    ),
    hook(
        "sched_process_fork",
        Need::Required,
        &[],
        "what the target starts is not watched",
        "what a watched thread started is not watched",
    ),
    hook(
        "sched_process_exec",
        Need::Required,
        &[],
        "a command cannot be watched from its start",
        "a command is not watched, or its first reads count as missed",
    ),
];

/// What a run of the program on this hook costs that the kernel skips. `kprobe.session` is no
/// hook of the plan: it takes the place of two.
pub fn skipped(name: &str) -> &'static str {
    let hook = PLAN.iter().find(|hook| hook.name == name);
    hook.map_or("a call's begin or end is missed", |hook| hook.skipped)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use anyhow::bail;

    use super::*;

    /// The plan on a kernel that lacks some hooks.
    fn without(missing: &[&str]) -> Vec<HookState> {
        carry_out(|hook| {
            if missing.contains(&hook.name) {
                bail!("not here");
            }
            Ok(())
        })
    }

    fn attached(states: &[HookState]) -> HashSet<&'static str> {
        let attached = states.iter().filter(|state| state.attached);
        attached.map(|state| state.hook.name).collect()
    }

    #[test]
    fn what_stands_in_for_a_hook_comes_after_it_and_loses_the_same() {
        for (at, hook) in PLAN.iter().enumerate() {
            let (Need::Same(of) | Need::Instead(of)) = hook.need else {
                continue;
            };
            let before = PLAN[..at].iter().find(|other| other.name == of);
            let before =
                before.unwrap_or_else(|| panic!("{of} does not come before {}", hook.name));
            if let Need::Same(_) = hook.need {
                assert_eq!(hook.without_it, before.without_it, "{}", hook.name);
                assert_eq!(hook.hides, before.hides, "{}", hook.name);
            }
        }
    }

    #[test]
    fn where_nothing_is_missing_nothing_stands_in() {
        let states = without(&[]);
        let mut needs = states.iter().map(|state| state.hook.need);
        assert!(needs.all(|need| matches!(need, Need::Required | Need::Optional)));
    }

    #[test]
    fn what_tells_the_same_takes_the_place_of_what_is_missing() {
        let states = without(&["mm_filemap_fault", "block_io_done"]);
        assert!(states.iter().all(|state| state.attached));
        let attached = attached(&states);
        assert!(attached.contains("fentry/filemap_fault"));
        assert!(attached.contains("fexit/blk_update_request"));
        assert!(attached.contains("fexit/blk_mq_end_request_batch"));
        assert!(!attached.contains("softirq_exit"));
    }

    #[test]
    fn what_tells_less_leaves_the_loss_in_the_list() {
        let states = without(&["block_io_done", "fexit/blk_mq_end_request_batch"]);
        let missing: Vec<_> = states.iter().filter(|state| !state.attached).collect();
        let [missing] = missing[..] else {
            panic!("{missing:?}");
        };
        assert_eq!(missing.hook.name, "block_io_done");
        let reason = missing.reason.as_deref().unwrap_or_default();
        assert_eq!(reason, "not here; fexit/blk_mq_end_request_batch: not here");
        assert!(
            attached(&states).is_superset(&HashSet::from(["softirq_exit", "irq_handler_exit"]))
        );
    }

    #[test]
    fn a_place_is_read_off_the_name() {
        let find = |name| PLAN.iter().find(|hook| hook.name == name).unwrap();
        let fault = find("fentry/filemap_fault");
        assert_eq!(fault.place(), Place::Entry("filemap_fault"));
        assert_eq!(fault.program(), "fentry_filemap_fault");
        let pages = find("fexit/filemap_map_pages");
        assert_eq!(pages.place(), Place::Return("filemap_map_pages"));
        let switch = find("sched_switch");
        assert_eq!(switch.place(), Place::Tracepoint("sched_switch"));
    }
}
