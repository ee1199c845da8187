//! Blame, with calls drawn as timelines and verdicts as tables (see [`table`]).

#![allow(
    clippy::unwrap_used,
    reason = "all of it is tests, also what is no #[test] itself"
)]

mod causes;
mod garbage;
mod outcomes;
mod owners;
mod precedence;
mod table;
