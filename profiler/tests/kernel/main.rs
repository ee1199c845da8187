//! The profiler in the running kernel, as a process of its own, held against what it
//! cannot know: the workload's own record, the kernel's other counters, and stalls of a
//! known length. Needs root; `cargo xtask test` runs it so.
//!
//! No test asserts how long something takes. Where a machine is busy, a share of the
//! calls may be off, and each test says how large a share and why.

mod again;
mod attach;
mod causes;
mod claims;
mod command;
mod counts;
mod files;
mod harness;
mod losses;
mod meter;
mod neighbour;
mod outcomes;
mod player;
mod rig;
mod scenarios;
mod stacks;
