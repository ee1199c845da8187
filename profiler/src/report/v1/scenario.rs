//! One scenario and its statistics.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Blame, SlowCall, Style, Wait, Witness, Word};
use crate::blame::Outcome;
use crate::report::sums::sum;
use crate::workload::{Advice, Pattern, State};

/// A workload together with the state it started in, and where its time went.
///
/// Calls are *reported* when anything of note happened in them: the kernel side then
/// sends their facts. All others are *quiet*: counted in the kernel, 100 % `cpu`,
/// their latency known to 1.6 %.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Scenario {
    /// Name of the scenario; for `run` and `attach` the command or target.
    pub name: String,
    /// What the workload did.
    pub workload: Workload,
    /// Read calls and waiting faults that ended in this scenario: quiet, reported and
    /// incomplete ones. `calls` and `missed_calls.total` together are the calls made.
    pub calls: u64,
    /// Read calls that the probes did not see, or saw only one end of. They are in no
    /// other number of the scenario.
    #[serde(default)]
    pub missed_calls: MissedCalls,
    /// Bytes that the calls returned. Faults return none.
    pub bytes: u64,
    /// Complete calls that were off the CPU for at least a nanosecond.
    pub blocked_calls: u64,
    /// Sum of the durations of all complete calls, in nanoseconds. `blame_ns` adds
    /// up to exactly this.
    pub duration_ns: u64,
    /// Part of `duration_ns` that is off the CPU, for whatever cause, in nanoseconds.
    pub blocked_ns: u64,
    /// `blocked_ns` as a fraction of `duration_ns`, 0 to 1.
    pub blocked_share: f64,
    /// Calls of which facts were lost or odd. They are in `calls`, `bytes`, `latency_ns`
    /// and `outcomes`, but not in `duration_ns`, `blame_ns` and `waits`.
    pub incomplete_calls: u64,
    /// Sum of their durations, in nanoseconds.
    pub incomplete_ns: u64,
    /// How long the workload ran, in nanoseconds; null if not recorded.
    pub wall_ns: Option<u64>,
    /// Bytes read per second of `wall_ns`: what the calls returned, or, where they
    /// return none (mappings), what the workload recorded. Null if not known.
    pub throughput_bytes_per_s: Option<u64>,
    /// Durations of all calls, in nanoseconds; null if there were none.
    pub latency_ns: Option<Latency>,
    /// Where `duration_ns` went, in nanoseconds by cause.
    pub blame_ns: Blame<u64>,
    /// `blame_ns` as fractions of `duration_ns`, 0 to 1.
    pub blame_share: Blame<f64>,
    /// What the page cache did for the calls. The counts add up to `calls`, the
    /// durations to `duration_ns` and `incomplete_ns` together.
    pub outcomes: Outcomes,
    /// Requests to block devices; null if their hooks are missing.
    pub io: Option<Io>,
    /// What readahead did for the calls.
    pub readahead: Readahead,
    /// Faults on file mappings, by how they came to their page.
    #[serde(default)]
    pub faults: Faults,
    /// Times that the calls left the CPU.
    #[serde(default)]
    pub switches: Switches,
    /// What complete calls waited for, longest sum first; one entry for each cause,
    /// detail and stack. A cause's entries add up to its `blame_ns`.
    pub waits: Vec<Wait>,
    /// The slowest reported calls, slowest first.
    pub slowest: Vec<SlowCall>,
    /// The workload's own record of its ops; null if it keeps none.
    pub ops: Option<OpRecord>,
    /// What independent counters say of the same calls.
    pub witness: Vec<Witness>,
}

/// Read calls that were missed, because the kernel did not run the probes. Their number is
/// exact, their time is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MissedCalls {
    /// Calls of which the end was seen, but not the begin.
    pub begins: u64,
    /// Calls of which the begin was seen, but not the end.
    pub ends: u64,
    /// Calls of which neither was seen. They are known from the kernel's own count of the
    /// thread's reads (`ioac.syscr`, which `/proc/PID/io` shows).
    pub whole: u64,
    /// All three together.
    pub total: u64,
}

impl MissedCalls {
    /// The three kinds, with their sum.
    pub fn of(begins: u64, ends: u64, whole: u64) -> Self {
        Self {
            begins,
            ends,
            whole,
            total: sum([begins, ends, whole]),
        }
    }
}

impl Scenario {
    /// How many calls were made: those seen, and those missed.
    pub fn calls_made(&self) -> u64 {
        sum([self.calls, self.missed_calls.total])
    }
}

/// What a workload did. Null where it is not known or means nothing, as for
/// programs that the profiler did not write.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Workload {
    /// How it reads: `buffered`, `direct`, `mapped`; `command` or `attached` for
    /// other programs.
    pub style: Word<Style>,
    /// Order of its reads: `sequential` or `random`.
    pub pattern: Option<Word<Pattern>>,
    /// Size of one op in bytes.
    pub block_size: Option<u64>,
    /// Threads that read.
    pub threads: Option<u32>,
    /// The file that was read. Bytes that are not UTF-8 appear as `\xNN`.
    pub path: Option<String>,
    /// Its size in bytes.
    pub file_size: Option<u64>,
    /// Type of its file system.
    pub filesystem: Option<String>,
    /// Name of the block device that holds it.
    pub device: Option<String>,
    /// The device's limit for a readahead window, in KiB.
    pub read_ahead_kb: Option<u64>,
    /// What the kernel was told of the pattern: `normal`, `random`, `sequential`.
    pub advice: Option<Word<Advice>>,
    /// The state it was to start in: `warm` or `cold`.
    pub state: Option<Word<State>>,
    /// Number of ops that were asked for.
    pub reads: Option<u64>,
    /// How much of the file was really in the page cache.
    pub witnessed: Option<Residency>,
    /// Whether the device keeps statistics (`queue/iostats`).
    pub iostats: Option<bool>,
    /// The device's I/O scheduler.
    pub scheduler: Option<String>,
}

/// Pages of the file in the page cache, as the kernel says when asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Residency {
    /// Pages resident before the first op.
    pub resident_before: u64,
    /// Pages resident after the last op.
    pub resident_after: u64,
    /// Pages of the whole file.
    pub pages: u64,
    /// Pages that were resident and were reclaimed between the two; null if the kernel
    /// does not tell (before 6.5).
    #[serde(default)]
    pub evicted: Option<u64>,
}

/// Durations of calls, in nanoseconds.
///
/// Quantiles are off by at most 0.1 % for reported and 1.7 % for quiet calls.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Latency {
    /// Shortest.
    pub min: u64,
    /// Half of the calls took at most this.
    pub p50: u64,
    /// 90 % took at most this.
    pub p90: u64,
    /// 99 % took at most this.
    pub p99: u64,
    /// 99.9 % took at most this.
    pub p999: u64,
    /// Longest.
    pub max: u64,
    /// Sum of all durations, incomplete calls included, by their number; exact.
    pub mean: u64,
    /// Eight buckets an octave, empty ones left out. Counts are each bucket's own
    /// (not cumulative) and add up to the number of calls.
    pub histogram: Vec<Bucket>,
}

/// One bucket of a histogram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Bucket {
    /// Largest value of the bucket, in nanoseconds.
    pub le: u64,
    /// Calls in it.
    pub count: u64,
}

/// Calls by what the page cache did for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Outcomes {
    /// Every byte was there.
    pub hit: OutcomeSum,
    /// It was on its way already: the call waited for it.
    pub late: OutcomeSum,
    /// The call had to fetch it.
    pub miss: OutcomeSum,
    /// The page was not there and no disk was asked: a hole in the file.
    pub hole: OutcomeSum,
    /// Past the page cache (`O_DIRECT`).
    pub direct: OutcomeSum,
    /// Nothing left to read.
    pub eof: OutcomeSum,
    /// The call returned an error.
    pub error: OutcomeSum,
    /// A fault on a file mapping that had to wait.
    pub fault: OutcomeSum,
    /// Not a file with a page cache, or nothing was asked for.
    pub other: OutcomeSum,
}

/// Calls with one outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OutcomeSum {
    /// Number of calls.
    pub calls: u64,
    /// Sum of their durations, in nanoseconds.
    pub duration_ns: u64,
}

impl Outcomes {
    /// Every outcome with its sums, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Outcome, OutcomeSum)> {
        let sums = [
            self.hit,
            self.late,
            self.miss,
            self.hole,
            self.direct,
            self.eof,
            self.error,
            self.fault,
            self.other,
        ];
        Outcome::ALL.into_iter().zip(sums)
    }
}

/// Requests to block devices that the calls caused, and waits for requests.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Io {
    /// Read requests that calls submitted and that completed, during the call or after
    /// it, before the scenario ended.
    pub requests: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Those that fetched what a call asked for.
    pub data: u64,
    /// Those that fetched the file system's own data: extents, inodes.
    pub metadata: u64,
    /// Those that fetched ahead.
    pub readahead: u64,
    /// Waits of complete calls for requests of other processes.
    pub foreign: u64,
    /// Time asleep in those waits, in nanoseconds.
    pub foreign_ns: u64,
    /// Bytes of the requests, by kind.
    pub bytes_by_kind: ByKind,
    /// Time that complete calls were asleep for requests, whoever submitted them, by
    /// kind of request, in nanoseconds: `device`, `queue`, `throttle` and
    /// `completion` together.
    pub waited_ns: ByKind,
    /// From issue to completion of a request, in nanoseconds; null if never seen.
    pub device_ns: Option<Quantiles>,
    /// From submission to issue of a request, in nanoseconds; null if never seen.
    pub queue_ns: Option<Quantiles>,
}

/// A sum for each kind of request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ByKind {
    /// What a call asked for.
    pub data: u64,
    /// The file system's own data.
    pub metadata: u64,
    /// Fetched ahead.
    pub readahead: u64,
}

/// A short summary of many durations, in nanoseconds, off by at most 1 %.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Quantiles {
    /// How many.
    pub count: u64,
    /// Half took at most this.
    pub p50: u64,
    /// 99 % took at most this.
    pub p99: u64,
    /// Longest.
    pub max: u64,
}

/// What readahead did for reported calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Readahead {
    /// Windows begun; null if the kernel does not show it.
    pub windows: Option<u64>,
    /// Those begun because a page was missing; null if the kernel does not show it.
    pub windows_sync: Option<u64>,
    /// Those begun because a marked page was reached; null if the kernel does not show it.
    pub windows_async: Option<u64>,
    /// Pages that calls added to the page cache of their file.
    pub pages_filled: u64,
    /// Those in the range that the call itself asked for.
    pub pages_filled_asked: u64,
    /// Different pages that ops touched; null unless the workload recorded it.
    pub pages_used: Option<u64>,
}

/// Faults on file mappings that brought their page or waited for it.
///
/// A fault counts as a call only if it had to wait, so the two need not add up to the
/// calls with outcome `fault`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Faults {
    /// Those that fetched the page they asked for, whether or not they then had to wait
    /// for it.
    pub fetched: u64,
    /// Those that waited and had not fetched it: it was on its way already.
    pub joined: u64,
    /// Those that did neither, but began to read ahead of their page.
    #[serde(default)]
    pub ahead: u64,
}

/// Times that reported calls were switched out, waiting faults among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Switches {
    /// Because they had to wait for something.
    pub asleep: u64,
    /// Though they could have gone on.
    pub preempted: u64,
}

/// The workload's own record of its ops, taken without the profiler's help.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OpRecord {
    /// Number of ops.
    pub count: u64,
    /// Bytes that they got.
    pub bytes: u64,
    /// Sum of their latencies, in nanoseconds.
    pub total_ns: u64,
    /// Shortest op, in nanoseconds.
    pub min_ns: u64,
    /// Half of the ops took at most this, in nanoseconds.
    pub p50_ns: u64,
    /// 99 % of the ops took at most this, in nanoseconds.
    pub p99_ns: u64,
}
