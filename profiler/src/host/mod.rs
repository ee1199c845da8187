//! What is read of the machine while a session is live.
//!
//! - [`stacks`]: kernel stacks by id, with the names of their functions.
//! - [`files`]: paths of the files that calls were about.
//! - [`process`]: what /proc says of a process; [`disk`]: what /sys says of a disk.
//! - [`machine`]: the machine, for the report's head; [`namespace`]: whether its process ids are
//!   those that the probes see.
//! - [`priority`]: what keeps the collector from coming too late.

pub mod disk;
pub mod files;
pub mod machine;
pub mod namespace;
pub mod priority;
pub mod process;
pub mod stacks;
