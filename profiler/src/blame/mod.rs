//! Calls → blame: where every nanosecond of a call went. Pure: no clock, no I/O.
//!
//! [`blame`] walks a call from its beginning to its end and hands every stretch to
//! the rule that explains it. The stretches follow each other without gaps, so their
//! sum is the call's duration by construction, whatever the facts say. `rules` has
//! one rule a file; docs/blame.md defines each cause and says what its evidence is worth.

mod cause;
mod outcome;
mod rule;
mod rules;
mod timeline;
mod verdict;

pub use cause::{Cause, Shares};
pub use rule::Stacks;
pub use timeline::blame;
pub use verdict::{Detail, IoKind, Outcome, Owner, Span, Verdict};
