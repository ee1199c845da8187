//! Puts the probes into the running kernel.
//!
//! - `hooks`: the plan: which hooks, which of them are required, what is lost
//!   without each.
//! - `offsets`: where this kernel keeps the fields that the probes read.
//! - `entry`: how begins and ends of calls are seen.
//! - `outlook`: the same, foretold without any right.
//! - `own_reads`: reads of our own, by which that is tested.
//! - `refusal`: why the kernel did not take a program.
//! - `control`: what the kernel side is told to watch.
//! - `session`: a session of kprobes, which aya cannot load.
//! - `cast`: the kernel function by which they read what has no type.
//! - `kernel`: what the running kernel says of itself.
//! - `types`: its types, as long as they are needed.
//! - `mapped`: arrays that are read and written without a system call.
//! - `probes`: the loaded programs and their maps.

mod cast;
mod control;
mod entry;
mod fields;
pub mod hooks;
mod kernel;
mod mapped;
pub mod offsets;
mod outlook;
mod own_reads;
mod probes;
mod refusal;
mod selfcost;
mod session;
mod types;

pub use entry::{Kind as EntryKind, Way};
pub use hooks::HookState;
pub use mapped::Window;
pub use outlook::Outlook;
pub use probes::{Options, Probes, Snapshot};
pub use selfcost::{Misses, Sampler};

use anyhow::{Context as _, Result};
use aya::{Ebpf, programs::Program};

/// What the running kernel offers, found out without any right.
#[derive(Debug)]
pub struct Survey {
    /// The hooks of the plan: those that it has count as attached.
    pub hooks: Vec<HookState>,
    /// How begins and ends of calls will be seen.
    pub entry: Outlook,
}

/// Looks at what the running kernel offers.
///
/// # Errors
///
/// There is no BTF, or a field that the probes read is missing from it.
pub fn survey() -> Result<Survey> {
    let fields = fields::Fields::read(offsets::BTF)?;
    offsets::look_up(&fields)?;
    Ok(Survey {
        hooks: hooks::carry_out(|hook| fields.look_for(hook)),
        entry: Outlook::of(&fields),
    })
}

/// A program of the object file.
fn program<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut Program> {
    ebpf.program_mut(name)
        .with_context(|| format!("no program {name}"))
}
