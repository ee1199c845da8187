//! The plan of hooks.

/// One hook, as the plan has it.
#[derive(Clone, Copy, Debug)]
pub struct Hook {
    /// Tracepoint; the program that hangs on it has the same name.
    pub name: &'static str,
    pub need: Need,
    /// What the report cannot say without it.
    pub without_it: &'static str,
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

const fn required(name: &'static str, without_it: &'static str) -> Hook {
    Hook { name, need: Need::Required, without_it }
}

const fn optional(name: &'static str, without_it: &'static str) -> Hook {
    Hook { name, need: Need::Optional, without_it }
}

const fn instead(of: &'static str, name: &'static str, without_it: &'static str) -> Hook {
    Hook { name, need: Need::Instead(of), without_it }
}

/// Every hook, in the order in which they are attached: those that open calls come
/// last, so that an open call meets a complete set.
pub const PLAN: [Hook; 25] = [
    required("sched_switch", "time off the CPU is not seen"),
    required("sched_waking", "what ended a sleep is not seen"),
    optional("block_bio_queue", "bytes asked of devices by a call are not counted"),
    optional("block_io_start", "requests issued by a worker have no known submitter"),
    required("block_rq_issue", "time in the queue cannot be told from time on the device"),
    required("block_rq_complete", "waits for a device are unexplained"),
    optional("block_io_done", "a wait that ends in the same interrupt as a request may be blamed on it"),
    instead("block_io_done", "softirq_exit", "a later wake-up may be blamed on a request"),
    instead("block_io_done", "irq_handler_exit", "a later wake-up may be blamed on a request"),
    required("mm_filemap_add_to_page_cache", "misses cannot be told from late hits"),
    optional("page_cache_sync_ra", "readahead windows are not counted"),
    optional("page_cache_async_ra", "readahead windows are not counted"),
    optional("contention_begin", "waits for locks are unexplained"),
    optional("contention_end", "waits for locks are unexplained"),
    optional("mm_vmscan_direct_reclaim_begin", "reclaim shows as cpu or unexplained"),
    optional("mm_vmscan_direct_reclaim_end", "reclaim shows as cpu or unexplained"),
    optional("mm_vmscan_memcg_reclaim_begin", "reclaim for a cgroup's limit shows as cpu or unexplained"),
    optional("mm_vmscan_memcg_reclaim_end", "reclaim for a cgroup's limit shows as cpu or unexplained"),
    optional("sched_process_exit", "a call that its thread did not survive is not told"),
    optional("mm_filemap_map_pages", "a fault seems to end when its page has arrived, before it is mapped"),
    optional("mm_filemap_fault", "waits in file mappings are not seen"),
    required("sys_exit", "there are no calls"),
    required("sys_enter", "there are no calls"),
    required("sched_process_fork", "what the target starts is not watched"),
    required("sched_process_exec", "a command cannot be watched from its start"),
];
