//! The plan of hooks.

/// One hook, as the plan has it.
#[derive(Clone, Copy, Debug)]
pub struct Hook {
    /// Tracepoint; the program that hangs on it has the same name.
    pub name: &'static str,
    pub need: Need,
    /// What the report cannot say without it.
    pub without_it: &'static str,
    /// What a run that the kernel skips costs (docs/preemption.md).
    pub skipped: &'static str,
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
    skipped: &'static str,
) -> Hook {
    Hook {
        name,
        need,
        without_it,
        skipped,
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
        "a stay off the CPU is not told, or ends late",
    ),
    hook(
        "sched_waking",
        Need::Required,
        &[],
        "what ended a sleep is not seen",
        "what ended a sleep is not told",
    ),
    hook(
        "block_bio_queue",
        Need::Optional,
        &[],
        "bytes asked of devices by a call are not counted",
        "bios are missing in the bytes asked of devices",
    ),
    hook(
        "block_io_start",
        Need::Optional,
        &[],
        "requests issued by a worker have no known submitter",
        "a request has no known submitter",
    ),
    hook(
        "block_rq_issue",
        Need::Required,
        &["queue"],
        "time in the queue cannot be told from time on the device",
        "a request's time in the queue counts as the device's, and it may have no known submitter",
    ),
    hook(
        "block_rq_complete",
        Need::Required,
        &["device", "queue", "completion", "io"],
        "waits for a device are unexplained",
        "a wait for a device is unexplained",
    ),
    hook(
        "block_io_done",
        Need::Optional,
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
        "misses cannot be told from late hits",
        "pages that a call filled are not counted, and a miss may look like a hit",
    ),
    hook(
        "page_cache_sync_ra",
        Need::Optional,
        &["readahead"],
        "readahead windows are not counted",
        "a readahead window is not counted",
    ),
    hook(
        "page_cache_async_ra",
        Need::Optional,
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
        "a call that its thread did not survive is not told",
        "a call that its thread did not survive is not told",
    ),
    hook(
        "mm_filemap_map_pages",
        Need::Optional,
        &[],
        "a fault seems to end when its page has arrived, before it is mapped",
        "a fault seems to end when its page has arrived",
    ),
    hook(
        "mm_filemap_fault",
        Need::Optional,
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
