//! Why did this `read()` block?
//!
//! Data flows one way: probes → [`ring`] → [`collect`] → [`correlate`] → [`blame`] →
//! [`sink`], [`report`] → [`export`]. Nothing imports from a later stage; `correlate`, `blame`,
//! `sink`, `report` and `export` do no I/O. [`load`] puts the probes into the kernel,
//! [`workload`] is the bundled reader (it knows nothing of the profiler), and [`cli`]
//! turns arguments into a plan and runs it.

pub mod blame;
pub mod cli;
pub mod collect;
pub mod correlate;
pub mod export;
pub mod load;
pub mod report;
pub mod ring;
pub mod session;
pub mod sink;
pub mod workload;
