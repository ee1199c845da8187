//! Recordings of every scenario, made with the real program, replayed: to exactly the
//! report that they gave, and damaged in every way, to an error or to a report that says
//! so. The reports that were stored of them too. Needs no rights.
//!
//! A new recording, in a folder whose name may be published:
//! `profiler bench --scenario NAME --size 4M --reads 200 --dir . --record NAME.rec`

#![allow(
    clippy::unwrap_used,
    reason = "all of it is tests, also what is no #[test] itself"
)]

mod damage;
mod frames;
mod fuzz;
mod golden;
mod invariants;
mod malice;
mod memory;
mod program;
mod reports;
