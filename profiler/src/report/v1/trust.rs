//! Witnesses, quality and findings.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{WitnessName, Word};

/// A number that somebody else counted, beside ours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Witness {
    /// What is compared: `ops`, `latency`, `syscr`, `rchar`, …
    pub name: Word<WitnessName>,
    /// The profiler's number, in `unit`.
    pub ours: u64,
    /// The witness's number, in `unit`.
    pub theirs: u64,
    /// Whether `ours` and `theirs` stand in `relation`. False also where it is `void`.
    pub agrees: bool,
    /// Calls were missed (`missed_calls`), and for that the numbers would stand as they do:
    /// the witness proves nothing, neither for nor against.
    #[serde(default)]
    pub void: bool,
    /// How they have to stand to each other.
    pub relation: Relation,
    /// What both are counted in.
    pub unit: Unit,
    /// What the two numbers are, and why that relation.
    pub note: String,
}

impl Witness {
    /// Whether it speaks against our number.
    pub fn disagrees(&self) -> bool {
        !self.agrees && !self.proves_nothing()
    }

    /// Whether it proves nothing, since calls were missed. Older reports only say that such a
    /// witness does not agree, although the numbers stand in its relation.
    pub fn proves_nothing(&self) -> bool {
        self.void
            || !self.agrees
                && match self.relation {
                    Relation::Equal => false,
                    Relation::AtMost => self.ours <= self.theirs,
                    Relation::AtLeast => self.ours >= self.theirs,
                }
    }
}

/// How our number has to stand to the witness's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Relation {
    /// Exactly equal.
    Equal,
    /// Ours is at most theirs: they also count what we do not watch.
    AtMost,
    /// Ours is at least theirs: we also count what they leave out.
    AtLeast,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// A plain number of things.
    Count,
    /// Bytes.
    Bytes,
    /// Nanoseconds.
    Ns,
}

/// How far the numbers can be trusted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Quality {
    /// Facts that the kernel side made, lost ones included.
    pub facts: u64,
    /// Facts that were lost on the way.
    pub lost: u64,
    /// Calls of which facts were lost or `odd`, in all scenarios.
    pub incomplete_calls: u64,
    /// Calls that had begun and not ended when the session did. They are in no scenario.
    pub open_calls: u64,
    /// Times that the kernel skipped one of our programs because it was running
    /// already; null if not known.
    pub recursion_misses: Option<u64>,
    /// `recursion_misses`, by hook: those that had some. Of the whole machine, not of the
    /// watched threads alone. Empty also where `recursion_misses` is not known by hook.
    #[serde(default)]
    pub recursion_misses_by_hook: Vec<HookMisses>,
    /// Processes that made BPF map system calls while a scenario ran, those with most first.
    /// While such a call is in progress, the kernel skips `kprobe.session` and `raw_syscalls` on
    /// its CPU, so they may be why calls were missed. Only looked for where calls were, with one
    /// of these two.
    #[serde(default)]
    pub bpf_users: Vec<BpfUser>,
    /// Part of all blocked time that is `unexplained`, 0 to 1.
    pub unexplained_share: f64,
    /// What the profiler itself cost.
    #[serde(rename = "self")]
    pub own: OwnCost,
    /// `facts`, by kind.
    pub facts_by_kind: KindCounts,
    /// `lost`, by kind.
    pub lost_by_kind: KindCounts,
    /// Facts that arrived, by kind. With `lost_by_kind` they add up to `facts_by_kind`;
    /// a note says where they do not.
    #[serde(default)]
    pub arrived_by_kind: KindCounts,
    /// Blocked time of all scenarios, in nanoseconds.
    pub blocked_ns: u64,
    /// `unexplained` of all scenarios, in nanoseconds.
    pub unexplained_ns: u64,
    /// Records that could not be decoded.
    pub malformed: u64,
    /// Facts with impossible times: they end before they begin, or overlap. They are
    /// left out, and their calls are incomplete.
    #[serde(default)]
    pub odd: u64,
    /// Times that a thread could not be given state: its calls were not seen.
    pub no_state: u64,
    /// Requests whose submitter could not be noted: they show an unknown owner.
    pub no_owner: u64,
    /// Kernel stacks that could not be stored.
    pub no_stack: u64,
    /// Completions nested deeper than the kernel side keeps: their waits may be
    /// `unexplained`.
    pub no_completion: u64,
    /// Whether the session's end is missing in the recording. `facts` are then those that arrived,
    /// and how many were lost, and how many calls were unfinished, is not known.
    #[serde(default)]
    pub cut_off: bool,
    /// Why the functions of kernel stacks have no names: what only a stack tells is then
    /// `unexplained`. Null if they have names, or no stack was needed.
    #[serde(default)]
    pub unnamed_stacks: Option<String>,
    /// Names of hooks that are not attached and whose absence hides something.
    pub hooks_missing: Vec<String>,
    /// Anything else that a reader should know, in words.
    pub notes: Vec<String>,
}

/// How often the kernel skipped the program on one hook.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HookMisses {
    /// Name of the tracepoint, or `kprobe.session`.
    pub hook: String,
    /// Runs that were skipped.
    pub misses: u64,
    /// What each of them costs, in words.
    pub costs: String,
}

impl HookMisses {
    /// Whether it is one of the hooks that see begins and ends of calls. What is missed there
    /// is counted call by call.
    pub(crate) fn sees_calls(&self) -> bool {
        matches!(
            self.hook.as_str(),
            "sys_enter" | "sys_exit" | "kprobe.session"
        )
    }

    /// Whether it is one of the hooks that see sleeps begin and end. After a run that is skipped
    /// there, a wait may end before it begins, or overlap another.
    pub(crate) fn sees_sleeps(&self) -> bool {
        matches!(self.hook.as_str(), "sched_switch" | "sched_waking")
    }
}

/// A process that made BPF map system calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BpfUser {
    /// Its id.
    pub pid: u32,
    /// Name of the thread that made the first.
    pub comm: String,
    /// Look-ups, updates and deletions of elements.
    pub map_calls: u64,
}

/// Facts by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct KindCounts {
    /// Stays off the CPU.
    pub wait: u64,
    /// Stays in direct reclaim.
    pub reclaim: u64,
    /// Requests completed.
    pub request: u64,
    /// Ends of calls.
    pub ended: u64,
}

/// What the profiler itself cost; null where it was not measured. A replay gives what the
/// recorded session cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OwnCost {
    /// Run time of all probes on all CPUs, in nanoseconds.
    pub bpf_ns: Option<u64>,
    /// CPU time of the collector, in nanoseconds.
    pub cpu_ns: Option<u64>,
    /// Largest resident size of the collector, in bytes.
    pub max_rss_bytes: Option<u64>,
}

/// Something that the numbers prove.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Which rule found it; the same in every report.
    pub id: String,
    /// How much it matters.
    pub severity: Severity,
    /// What was found, in one sentence.
    pub summary: String,
    /// The numbers that prove it. May be empty.
    pub evidence: String,
    /// What to do about it. May be empty.
    pub advice: String,
}

/// How much a finding matters.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Time is lost here that need not be, or a part of the picture is missing.
    Warning,
    /// Numbers of this report cannot be trusted as they stand.
    Problem,
}
