//! What a session consists of, and how that lies in a recording's frames: facts as they came from
//! the ring, all else as JSON. No type here is one of the report's, so that the two formats can
//! change apart; `session::translate` makes the one of the other.

mod closing;
mod opening;
mod readings;
mod scenario;

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

pub use closing::{BpfUser, Closing, HookMisses, OwnCost};
pub use opening::{Hook, Host, Opening, Tool};
pub use readings::{Counts, Ops, Readings, Residency};
pub use scenario::{Beginning, Ending, Missed, Settled, Tick, Workload};

use super::Writer;

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

/// A kernel stack, innermost function first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stack {
    /// Stack map id, by which facts name the stack.
    pub id: u32,
    /// Functions, or addresses where they have no names.
    pub frames: Vec<String>,
}

/// The path of a file, as calls name it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct File {
    /// Device (`super_block.s_dev`).
    pub dev: u32,
    /// Inode number.
    pub inode: u64,
    /// The last part of its name, as bytes; empty if it goes by this path whatever its name is.
    #[serde(default)]
    pub name: Vec<u8>,
    /// The path at which it was found open.
    pub path: String,
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
