//! Calls → blame: where every nanosecond of a call went. Pure: no clock, no I/O.

mod cause;
mod verdict;

pub use cause::{Cause, Shares};
pub use verdict::{Detail, IoKind, Outcome, Owner, Span, Verdict};
