//! Tool, host and session.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Hidden, Word};
use crate::load::EntryKind;

/// What made the report.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tool {
    /// Version of the profiler.
    pub version: String,
}

/// The machine that the session ran on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Host {
    /// Kernel release, as `uname -r` prints it.
    pub kernel: String,
    /// Machine type, as `uname -m` prints it.
    pub machine: String,
    /// CPUs that are online.
    pub cpus: u32,
    /// Size of a page in bytes.
    pub page_size: u64,
    /// Names of the block devices that the report speaks of, by `major:minor`.
    pub devices: BTreeMap<String, String>,
}

/// What was run and watched.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Session {
    /// The profiler's own command line, one entry an argument.
    pub command: Vec<String>,
    /// When the session began, RFC 3339 with the offset from UTC.
    pub started_at: String,
    /// How long the session lasted, in nanoseconds.
    pub duration_ns: u64,
    /// What was watched, in words: a command line, a process, a cgroup.
    pub target: String,
    /// How begins and ends of read calls were observed: `tp_btf`, `kprobe.session` or
    /// `raw_syscalls`. Empty in reports of programs that did not say.
    #[serde(default)]
    pub entry: Word<EntryKind>,
    /// Whether programs on `sys_enter` can be preempted, which lets the kernel skip those of
    /// `tp_btf`: measured at the session's start; null if it was not.
    #[serde(default)]
    pub preemptible: Option<bool>,
    /// Every hook of the plan, attached or not.
    pub hooks: Vec<Hook>,
}

/// One place in the kernel where the profiler listens, or would have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Hook {
    /// Name of the tracepoint; or `fentry/` or `fexit/` and the function whose begin or end
    /// is its equivalent on a kernel without that tracepoint.
    pub hook: String,
    /// Whether it, or an equivalent, was attached.
    pub attached: bool,
    /// What is lost without it, in words.
    pub without_it: String,
    /// What is null in this report because it is missing: names of causes
    /// (`lock`), `io`, or `readahead`. Empty when it is attached.
    #[serde(default)]
    pub hides: Vec<Word<Hidden>>,
    /// Why it is missing, as the kernel or its types say it. Null when it is attached, or in
    /// reports of programs that did not say.
    #[serde(default)]
    pub reason: Option<String>,
}
