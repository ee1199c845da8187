//! The plan of hooks.

/// One hook, as the plan has it.
#[derive(Clone, Copy, Debug)]
pub struct Hook {
    /// Tracepoint; the program that hangs on it has the same name.
    pub name: &'static str,
    pub need: Need,
    /// What the report cannot say without it.
    pub without_it: &'static str,
    /// Causes and parts of the report that are not known without it.
    pub hides: &'static [&'static str],
}

/// How much depends on a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing works without it.
    Required,
    /// Costs only what `without_it` says.
    Optional,
    /// Attached only where the named hook is missing.
    Instead(&'static str),
}

/// What became of a hook.
#[derive(Clone, Debug)]
pub struct HookState {
    pub hook: Hook,
    pub attached: bool,
    /// Why not, if it was tried.
    pub reason: Option<String>,
}

const fn hook(
    name: &'static str,
    need: Need,
    hides: &'static [&'static str],
    without_it: &'static str,
) -> Hook {
    Hook {
        name,
        need,
        without_it,
        hides,
    }
}

/// Every hook, in the order in which they are attached: those that open calls come
/// last, so that an open call meets a complete set.
pub const PLAN: [Hook; 25] = [
    hook(
        "sched_switch",
        Need::Required,
        &["preempted", "runqueue"],
        "time off the CPU is not seen",
    ),
    hook(
        "sched_waking",
        Need::Required,
        &[],
        "what ended a sleep is not seen",
    ),
    hook(
        "block_bio_queue",
        Need::Optional,
        &[],
        "bytes asked of devices by a call are not counted",
    ),
    hook(
        "block_io_start",
        Need::Optional,
        &[],
        "requests issued by a worker have no known submitter",
    ),
    hook(
        "block_rq_issue",
        Need::Required,
        &["queue"],
        "time in the queue cannot be told from time on the device",
    ),
    hook(
        "block_rq_complete",
        Need::Required,
        &["device", "queue", "completion", "io"],
        "waits for a device are unexplained",
    ),
    hook(
        "block_io_done",
        Need::Optional,
        &[],
        "a wait that ends in the same interrupt as a request may be blamed on it",
    ),
    hook(
        "softirq_exit",
        Need::Instead("block_io_done"),
        &[],
        "a later wake-up may be blamed on a request",
    ),
    hook(
        "irq_handler_exit",
        Need::Instead("block_io_done"),
        &[],
        "a later wake-up may be blamed on a request",
    ),
    hook(
        "mm_filemap_add_to_page_cache",
        Need::Required,
        &[],
        "misses cannot be told from late hits",
    ),
    hook(
        "page_cache_sync_ra",
        Need::Optional,
        &["readahead"],
        "readahead windows are not counted",
    ),
    hook(
        "page_cache_async_ra",
        Need::Optional,
        &["readahead"],
        "readahead windows are not counted",
    ),
    hook(
        "contention_begin",
        Need::Optional,
        &["lock"],
        "waits for locks are unexplained",
    ),
    hook(
        "contention_end",
        Need::Optional,
        &["lock"],
        "waits for locks are unexplained",
    ),
    hook(
        "mm_vmscan_direct_reclaim_begin",
        Need::Optional,
        &["reclaim"],
        "reclaim shows as cpu or unexplained",
    ),
    hook(
        "mm_vmscan_direct_reclaim_end",
        Need::Optional,
        &["reclaim"],
        "reclaim shows as cpu or unexplained",
    ),
    hook(
        "mm_vmscan_memcg_reclaim_begin",
        Need::Optional,
        &["reclaim"],
        "reclaim for a cgroup's limit shows as cpu or unexplained",
    ),
    hook(
        "mm_vmscan_memcg_reclaim_end",
        Need::Optional,
        &["reclaim"],
        "reclaim for a cgroup's limit shows as cpu or unexplained",
    ),
    hook(
        "sched_process_exit",
        Need::Optional,
        &[],
        "a call that its thread did not survive is not told",
    ),
    hook(
        "mm_filemap_map_pages",
        Need::Optional,
        &[],
        "a fault seems to end when its page has arrived, before it is mapped",
    ),
    hook(
        "mm_filemap_fault",
        Need::Optional,
        &["fault"],
        "waits in file mappings are not seen",
    ),
    hook("sys_exit", Need::Required, &[], "there are no calls"),
    hook("sys_enter", Need::Required, &[], "there are no calls"),
    hook(
        "sched_process_fork",
        Need::Required,
        &[],
        "what the target starts is not watched",
    ),
    hook(
        "sched_process_exec",
        Need::Required,
        &[],
        "a command cannot be watched from its start",
    ),
];
