//! A scenario's two ends.

use serde::{Deserialize, Serialize};

use super::readings::{Readings, Residency};

/// The start of a scenario.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Beginning {
    /// Name of the scenario.
    pub name: String,
    /// The workload, as far as it is known before.
    pub workload: Workload,
}

/// What a workload does. `None` where it is not known or means nothing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Workload {
    /// How it reads: a style of the bundled reader, `command`, or `attached`.
    pub style: String,
    /// Order of its reads.
    pub pattern: Option<String>,
    /// Size of one op in bytes.
    pub block_size: Option<u64>,
    /// Threads that read.
    pub threads: Option<u32>,
    /// The file that is read.
    pub path: Option<String>,
    /// Its size in bytes.
    pub file_size: Option<u64>,
    /// Type of its file system.
    pub filesystem: Option<String>,
    /// Name of the block device that holds it.
    pub device: Option<String>,
    /// The device's limit for a readahead window, in KiB.
    pub read_ahead_kb: Option<u64>,
    /// What the kernel is told of the pattern.
    pub advice: Option<String>,
    /// The state that it is to start in.
    pub state: Option<String>,
    /// Number of ops that are asked for.
    pub reads: Option<u64>,
    /// How much of the file was really in the page cache.
    pub witnessed: Option<Residency>,
    /// Whether the device keeps I/O accounts.
    pub iostats: Option<bool>,
    /// The device's I/O scheduler.
    pub scheduler: Option<String>,
}

/// The end of an interval.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Tick {
    /// Since the scenario began, ns.
    pub at_ns: u64,
}

/// The end of a scenario, with everything that was not a fact.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ending {
    /// How long the scenario ran, ns.
    pub wall_ns: Option<u64>,
    /// Calls that the probes did not see whole.
    #[serde(default)]
    pub missed: Missed,
    /// Quiet calls, which the kernel side settled itself.
    pub settled: Vec<Settled>,
    /// What independent witnesses counted.
    pub readings: Readings,
    /// The workload as it came to be known while it ran.
    pub workload: Workload,
}

/// Calls that were missed, because the kernel did not run the probes.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Missed {
    /// Their end was seen, but not their start.
    pub begins: u64,
    /// Their start was seen, but not their end.
    pub ends: u64,
    /// Neither was seen.
    pub whole: u64,
}

/// What was settled in the kernel for one class of quiet calls.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settled {
    /// `CLASS_*` of `profiler_common::histogram`.
    pub class: u32,
    /// Number of calls.
    pub calls: u64,
    /// Sum of their durations, ns.
    pub ns: u64,
    /// Sum of the bytes that they returned.
    pub bytes: u64,
    /// Buckets that are not empty: index and number of calls.
    pub buckets: Vec<(u32, u64)>,
}
