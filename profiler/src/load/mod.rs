//! Puts the probes into the running kernel.
//!
//! - [`hooks`]: the plan: which hooks, which of them are required, what is lost
//!   without each.
//! - [`offsets`]: where this kernel keeps the fields that the probes read.
//! - [`probes`]: the loaded programs and their maps.

mod fields;
pub mod hooks;
pub mod offsets;
mod probes;
mod selfcost;

pub use hooks::HookState;
pub use probes::{Options, Probes, Snapshot};
pub use selfcost::ProgramCost;
