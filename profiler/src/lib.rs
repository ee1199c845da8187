//! Why did this `read()` block?
//!
//! Data flows one way: probes → [`ring`] → [`correlate`] → [`blame`] → [`sink`],
//! [`report`] → [`export`]. Nothing imports from a later stage; `correlate`, `blame`,
//! `sink`, `report` and `export` do no I/O. [`load`] puts the probes into the kernel,
//! [`host`] reads what the machine says meanwhile, [`recording`] keeps a session in a file,
//! [`workload`] is the bundled reader (it knows nothing of the profiler), and [`cli`]
//! turns arguments into a plan and runs it. [`mod@lab`] brings known stalls about, for tests, the
//! benchmark and the page of proofs.
#![deny(missing_docs, clippy::missing_errors_doc)]
// What `eprintln!` cannot write ends the program, and the report with it.
#![cfg_attr(not(test), deny(clippy::print_stderr))]

pub mod blame;
pub mod cli;
pub mod correlate;
pub mod export;
pub mod host;
#[cfg(feature = "lab")]
pub mod lab;
pub mod load;
pub mod named;
pub mod recording;
pub mod report;
pub mod ring;
pub mod session;
pub mod sink;
pub mod workload;
