//! Facts → calls: a state machine a thread. Pure: no clock, no I/O.

mod call;

pub use call::{Call, Completeness};
