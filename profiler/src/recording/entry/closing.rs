//! The end of the session.

use profiler_common::counter::Counters;
use serde::{Deserialize, Serialize};

/// The end of the session.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Closing {
    /// How long the session lasted, ns.
    pub duration_ns: u64,
    /// What the kernel side counted, added up over CPUs.
    pub counts: Counters,
    /// Threads that were in a read call when the session ended.
    pub open_calls: u64,
    /// Runs of probes that the kernel skipped; `None` if it does not tell.
    pub recursion_misses: Option<u64>,
    /// The same by hook.
    #[serde(default)]
    pub recursion_misses_by_hook: Vec<HookMisses>,
    /// Processes that may be why calls were missed.
    #[serde(default)]
    pub bpf_users: Vec<BpfUser>,
    /// What the profiler itself cost.
    pub own: OwnCost,
    /// Why the functions of kernel stacks have no names, if they have none.
    #[serde(default)]
    pub unnamed_stacks: Option<String>,
    /// Anything else that a reader of the report should know, in words.
    pub notes: Vec<String>,
}

/// How often the kernel skipped the program on one hook.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct HookMisses {
    /// Name of the tracepoint, or `kprobe.session`.
    pub hook: String,
    /// Runs that were skipped.
    pub misses: u64,
    /// What each of them costs, in words.
    pub costs: String,
}

/// A process that made BPF map system calls.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BpfUser {
    /// Its id.
    pub pid: u32,
    /// Name of the thread that made the first.
    pub comm: String,
    /// Look-ups, updates and deletions of elements.
    pub map_calls: u64,
}

/// What the profiler cost. `None` where it is not known.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct OwnCost {
    /// Run time of all probes on all CPUs, ns.
    pub bpf_ns: Option<u64>,
    /// CPU time of the collector, ns.
    pub cpu_ns: Option<u64>,
    /// Largest resident size of the collector, in bytes.
    pub max_rss_bytes: Option<u64>,
}
