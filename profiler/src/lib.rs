//! Why did this `read()` block?
//!
//! Data flows one way: probes → [`ring`] → [`collect`] → [`correlate`] → [`blame`] →
//! [`report`] → [`render`]. Nothing imports from a later stage; `correlate`, `blame`,
//! `report` and `render` do no I/O. [`load`] puts the probes into the kernel,
//! [`workload`] is the bundled reader (it knows nothing of the profiler), and [`cli`]
//! turns arguments into a plan and runs it.

pub mod blame;
pub mod cli;
pub mod collect;
pub mod correlate;
#[cfg(feature = "lab")]
pub mod lab;
pub mod load;
pub mod render;
pub mod report;
pub mod ring;
pub mod session;
pub mod workload;
