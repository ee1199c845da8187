//! The laboratory: what is brought about on purpose, and what it proves.
//!
//! - [`rig`]: stalls of a known length.
//! - [`experiment`]: provoke, measure, judge; [`claims`]: the experiments, a file each.
//! - [`stats`]: what repeated measurements say, and whether they say anything.
//! - [`proof`]: the page of what tests found; [`machine`]: where it was made; [`table`]: its tables.
//!
//! The tests on the real kernel, the benchmark and the page of proofs use the same parts. The
//! feature `lab` (on by default) builds it.

pub mod claims;
pub mod experiment;
pub mod machine;
pub mod proof;
pub mod rig;
pub mod stats;
pub mod table;
