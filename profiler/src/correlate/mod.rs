//! Facts → calls: a state machine a thread. Pure: no clock, no I/O.

mod call;
mod correlator;

pub use call::{Call, Completeness};
pub use correlator::{Came, Correlator, Leftover, MAX_FACTS, MAX_FACTS_PER_CALL, MAX_THREADS};
