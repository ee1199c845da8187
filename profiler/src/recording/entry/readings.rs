//! What independent witnesses counted, before and after a scenario.

use serde::{Deserialize, Serialize};

/// What others counted while a scenario ran; `None` where nobody did.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Readings {
    /// Counters before the first op.
    pub before: Counts,
    /// The same counters after the last op.
    pub after: Counts,
    /// The workload's own record of its ops.
    pub ops: Option<Ops>,
    /// Pages of the file in the page cache, before and after.
    pub residency: Option<Residency>,
    /// Different pages that the ops touched.
    pub pages_used: Option<u64>,
    /// Time between the two, ns.
    #[serde(default)]
    pub elapsed_ns: Option<u64>,
}

/// Counters that only grow, of the watched process and its disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Major faults (`/proc/PID/stat`).
    pub majflt: Option<u64>,
    /// Read calls (`/proc/PID/io`).
    pub syscr: Option<u64>,
    /// Bytes that read calls returned (`/proc/PID/io`).
    pub rchar: Option<u64>,
    /// Bytes asked of block devices (`/proc/PID/io`).
    pub read_bytes: Option<u64>,
    /// Time runnable and not running, in nanoseconds (`/proc/PID/schedstat`).
    pub run_delay_ns: Option<u64>,
    /// Times that the threads were switched out to wait, from before their first op until
    /// after their last (`getrusage`).
    #[serde(default)]
    pub nvcsw: Option<u64>,
    /// Times that they were switched out while they could have gone on.
    #[serde(default)]
    pub nivcsw: Option<u64>,
    /// Reads that the disk completed (`/sys/block/*/stat`).
    pub disk_reads: Option<u64>,
    /// Sectors of 512 bytes that it read (`/sys/block/*/stat`).
    pub disk_sectors: Option<u64>,
    /// Pages of files that were fetched again after they had been reclaimed, on the whole
    /// machine (`/proc/vmstat`).
    #[serde(default)]
    pub refaults: Option<u64>,
    /// Read requests that the kernel side counted for watched processes.
    pub requests: Option<u64>,
}

/// A workload's own record of its ops. Times in ns.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Ops {
    /// Number of ops.
    pub count: u64,
    /// Bytes that they got.
    pub bytes: u64,
    /// Sum of their latencies.
    pub total_ns: u64,
    /// Shortest op.
    pub min_ns: u64,
    /// Half of the ops took at most this.
    pub p50_ns: u64,
    /// 99 % of the ops took at most this.
    pub p99_ns: u64,
}

/// Pages of the file in the page cache.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Residency {
    /// Before the first op.
    pub resident_before: u64,
    /// After the last op.
    pub resident_after: u64,
    /// Pages of the whole file.
    pub pages: u64,
    /// Pages that were resident and were reclaimed between the two; `None` if the kernel does
    /// not tell.
    #[serde(default)]
    pub evicted: Option<u64>,
}
