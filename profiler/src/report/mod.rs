//! Blame → report: statistics, witnesses, findings and the JSON contract.
//!
//! A [`Tally`] folds calls in, in bounded memory, and ends as a [`v1::Scenario`].
//! [`quality()`] sums up how far to trust it, and [`assemble()`] makes the whole
//! [`v1::Report`], findings included. Pure: no clock, no I/O.

mod assemble;
mod docs;
mod findings;
mod missed;
mod quality;
mod read;
mod schema;
mod sums;
mod tally;
pub mod units;
pub mod v1;
pub mod witness;
mod words;

pub use assemble::assemble;
pub use docs::docs_markdown;
pub use findings::findings;
pub use missed::why_missed;
pub use quality::{Observed, quality};
pub use read::read;
pub use schema::schema;
pub use tally::{Context, Tally};
pub use witness::Readings;
pub use words::{dev_numbers, is_unseen, text_of};
