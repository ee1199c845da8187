//! What a session consists of.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use profiler_common::counter::Counters;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    load::EntryKind,
    recording::Writer,
    report::{
        Readings,
        v1::{BpfUser, Hook, HookMisses, Host, MissedCalls, OwnCost, Tool, Word, Workload},
    },
};

/// A session's entries, in the order in which they come.
#[derive(Debug)]
pub enum Entry<'a> {
    /// First of all.
    Opening(Opening),
    /// A scenario begins; the facts that follow are its.
    Beginning(Beginning),
    /// A stack, before the first fact that names it.
    Stack(Stack),
    /// The path of a file.
    File(File),
    /// Records as they came from the ring, one after the other.
    Facts(&'a [u8]),
    /// One interval more has gone by.
    Tick(Tick),
    /// The scenario is over.
    Ending(Box<Ending>),
    /// Last of all.
    Closing(Box<Closing>),
}

/// What is known before anything happens.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Opening {
    /// The profiler that watched.
    pub tool: Tool,
    /// The machine on which it did.
    pub host: Host,
    /// The command line that started the session.
    pub command: Vec<String>,
    /// Wall-clock time, RFC 3339.
    pub started_at: String,
    /// What is watched, in words.
    pub target: String,
    /// How begins and ends of calls are observed; empty in recordings that do not say.
    #[serde(default)]
    pub entry: Word<EntryKind>,
    /// Whether programs on `sys_enter` can be preempted; none in recordings that do not say.
    #[serde(default)]
    pub preemptible: Option<bool>,
    /// The hooks of the plan, and what became of each.
    pub hooks: Vec<Hook>,
    /// Names of block devices by the kernel's `dev_t`.
    pub devices: BTreeMap<u32, String>,
    /// How many of the slowest calls of a scenario are kept.
    pub slowest: usize,
}

/// The start of a scenario.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Beginning {
    /// The scenario's name.
    pub name: String,
    /// What is known of the workload so far.
    pub workload: Workload,
}

/// A kernel stack, innermost function first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stack {
    /// Stack map id, by which facts name the stack.
    pub id: u32,
    /// Functions, or addresses where they have no names.
    pub frames: Vec<String>,
}

/// A file by device (the kernel's `dev_t`) and inode.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct File {
    /// Device (`super_block.s_dev`).
    pub dev: u32,
    /// Inode number.
    pub inode: u64,
    /// The path at which it was found open.
    pub path: String,
}

/// The end of an interval.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Tick {
    /// Since the scenario began, ns.
    pub at_ns: u64,
}

/// What was settled in the kernel for one class of quiet calls.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settled {
    /// `CLASS_*` of `profiler_common::histogram`.
    pub class: u32,
    /// How many calls.
    pub calls: u64,
    /// Sum of their durations, in nanoseconds.
    pub ns: u64,
    /// Sum of the bytes that they returned.
    pub bytes: u64,
    /// Buckets that are not empty: index and number of calls.
    pub buckets: Vec<(u32, u64)>,
}

/// The end of a scenario, with everything that was not a fact.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ending {
    /// How long the scenario took, in nanoseconds; none where nobody measured it.
    pub wall_ns: Option<u64>,
    /// Calls that the probes did not see whole; none in recordings that do not say.
    #[serde(default)]
    pub missed: MissedCalls,
    /// Quiet calls, by class.
    pub settled: Vec<Settled>,
    /// What the witnesses counted.
    pub readings: Readings,
    /// The workload as it came to be known while it ran.
    pub workload: Workload,
}

/// The end of the session.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Closing {
    /// How long the session took, in nanoseconds.
    pub duration_ns: u64,
    /// What the kernel side counted of itself.
    pub counts: Counters,
    /// Threads that were in a read call when the session ended.
    pub open_calls: u64,
    /// Runs of probes that the kernel skipped; none where it does not count them.
    pub recursion_misses: Option<u64>,
    /// The same by hook; none in recordings that do not say.
    #[serde(default)]
    pub recursion_misses_by_hook: Vec<HookMisses>,
    /// Processes that may be why calls were missed.
    #[serde(default)]
    pub bpf_users: Vec<BpfUser>,
    /// What the watching cost.
    pub own: OwnCost,
    /// Why the functions of kernel stacks have no names, if they have none.
    #[serde(default)]
    pub unnamed_stacks: Option<String>,
    /// What else a reader of the report should know, in words.
    pub notes: Vec<String>,
}

const OPENING: u8 = 1;
const BEGINNING: u8 = 2;
const STACK: u8 = 3;
const FILE: u8 = 4;
const FACTS: u8 = 5;
const ENDING: u8 = 6;
const CLOSING: u8 = 7;
const TICK: u8 = 8;

impl<'a> Entry<'a> {
    /// Adds the entry to a recording.
    ///
    /// # Errors
    ///
    /// The recording cannot be written (no space), or the entry is too long for a frame.
    pub fn write(&self, to: &mut Writer) -> Result<()> {
        match self {
            Self::Opening(entry) => to.frame(OPENING, &serde_json::to_vec(entry)?),
            Self::Beginning(entry) => to.frame(BEGINNING, &serde_json::to_vec(entry)?),
            Self::Stack(entry) => to.frame(STACK, &serde_json::to_vec(entry)?),
            Self::File(entry) => to.frame(FILE, &serde_json::to_vec(entry)?),
            Self::Facts(facts) => to.frame(FACTS, facts),
            Self::Tick(entry) => to.frame(TICK, &serde_json::to_vec(entry)?),
            Self::Ending(entry) => to.frame(ENDING, &serde_json::to_vec(entry)?),
            Self::Closing(entry) => to.frame(CLOSING, &serde_json::to_vec(entry)?),
        }?;
        // If the profiler is killed, scenarios that are over are in the recording.
        match self {
            Self::Opening(_) | Self::Ending(_) => to.end_block(),
            _ => Ok(()),
        }
    }

    /// Reads an entry from a recording's frame.
    ///
    /// # Errors
    ///
    /// The tag is unknown, or the payload is not what the tag says.
    pub fn read(tag: u8, payload: &'a [u8]) -> Result<Self> {
        fn json<T: DeserializeOwned>(what: &str, payload: &[u8]) -> Result<T> {
            serde_json::from_slice(payload).with_context(|| format!("the recording's {what}"))
        }
        Ok(match tag {
            OPENING => Self::Opening(json("opening", payload)?),
            BEGINNING => Self::Beginning(json("scenario", payload)?),
            STACK => Self::Stack(json("stack", payload)?),
            FILE => Self::File(json("file", payload)?),
            FACTS => Self::Facts(payload),
            TICK => Self::Tick(json("tick", payload)?),
            ENDING => Self::Ending(json("end of a scenario", payload)?),
            CLOSING => Self::Closing(json("closing", payload)?),
            tag => bail!("the recording has an entry of unknown kind {tag}"),
        })
    }
}
