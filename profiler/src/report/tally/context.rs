//! What a tally needs to know to end as a scenario.

use std::collections::BTreeMap;

use crate::{
    report::{
        v1::{self, Hidden},
        witness::Readings,
    },
    sink::Names,
};

/// What a tally needs to know to end as a scenario.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Name of the scenario.
    pub name: &'a str,
    /// What the workload did.
    pub workload: &'a v1::Workload,
    /// How long it ran, in nanoseconds; `None` if not recorded.
    pub wall_ns: Option<u64>,
    /// Calls that the probes did not see whole.
    pub missed: v1::MissedCalls,
    /// Frames of stacks and paths of files.
    pub names: &'a dyn Names,
    /// Names of block devices, by the kernel's `dev_t` (major << 20 | minor).
    pub devices: &'a BTreeMap<u32, String>,
    /// The hooks of the session: what the missing ones hide becomes null.
    pub hooks: &'a [v1::Hook],
    /// What independent witnesses counted.
    pub readings: &'a Readings,
}

impl Context<'_> {
    /// Whether a hook is missing without which this is not known.
    pub(super) fn hides(&self, what: Hidden) -> bool {
        self.hooks
            .iter()
            .any(|hook| !hook.attached && hook.hides.iter().any(|hidden| *hidden == what))
    }
}
