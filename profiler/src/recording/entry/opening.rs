//! What is known before anything happens.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The start of a session.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Opening {
    /// What made the recording.
    pub tool: Tool,
    /// The machine.
    pub host: Host,
    /// The command line that started the session.
    pub command: Vec<String>,
    /// Wall-clock time, RFC 3339.
    pub started_at: String,
    /// What is watched, in words.
    pub target: String,
    /// How starts and ends of calls are observed: a name of `load::EntryKind`.
    #[serde(default)]
    pub entry: String,
    /// Whether programs on `sys_enter` can be preempted; `None` if that was not measured.
    #[serde(default)]
    pub preemptible: Option<bool>,
    /// Every hook of the plan, attached or not.
    pub hooks: Vec<Hook>,
    /// Names of block devices by the kernel's `dev_t`.
    pub devices: BTreeMap<u32, String>,
    /// How many of the slowest calls of a scenario are kept.
    pub slowest: usize,
}

/// The program that watches.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tool {
    /// Its version.
    pub version: String,
}

/// The machine that is watched.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Host {
    /// Kernel release, as `uname -r` prints it.
    pub kernel: String,
    /// Machine type, as `uname -m` prints it.
    pub machine: String,
    /// CPUs that are online.
    pub cpus: u32,
    /// Size of a page in bytes.
    pub page_size: u64,
    /// Names of block devices by `major:minor`.
    pub devices: BTreeMap<String, String>,
}

/// What became of a hook.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hook {
    /// Its name in the plan (`load::hooks`).
    pub hook: String,
    /// Whether it, or an equivalent, was attached.
    pub attached: bool,
    /// What is lost without it, in words.
    pub without_it: String,
    /// What is not known because it is missing; empty when it is attached.
    #[serde(default)]
    pub hides: Vec<String>,
    /// Why it is missing; `None` when it is attached.
    #[serde(default)]
    pub reason: Option<String>,
}
