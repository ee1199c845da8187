//! The program as its users meet it: started as a process, judged by its exit code and
//! by what it says and leaves behind.
//!
//! What takes root, or a kernel that lets root load programs, says that it is skipped
//! where it cannot be tried.

#![allow(
    clippy::unwrap_used,
    reason = "all of it is tests, also what is no #[test] itself"
)]

mod command;
mod doctor;
mod files;
mod interrupted;
mod outputs;
mod program;
mod refused;
mod terminal;
mod witness;
mod words;
