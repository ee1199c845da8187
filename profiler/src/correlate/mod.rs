//! Facts → calls: a state machine for each operation. Pure: no clock, no I/O.

mod call;
mod correlator;
mod operation;

pub use call::{Call, Completeness};
pub use correlator::{Came, Correlator, Leftover, MAX_FACTS, MAX_FACTS_PER_CALL, MAX_LANES};
