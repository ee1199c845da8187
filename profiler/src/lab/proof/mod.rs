//! The page of proofs, docs/proof.md: what was provoked, and what was found.
//!
//! - [`Line`]: what a test found, written down by [`record`].
//! - `merged`: the same line of all runs, as one.
//! - [`Proof`]: the page made of them.
//!
//! `cargo xtask proof` runs the tests, and starts `benches/proof.rs` to write the page.

pub mod line;
mod merged;
mod page;

pub use line::{Line, Part, record};
pub use page::Proof;
