//! One session, live or replayed: the arrows between the stages.
//!
//! [`Entry`] is what a session consists of, in order: its opening, scenarios with their
//! facts, its closing. A live session ([`live`]) makes entries, an [`Assembly`] turns
//! them into a report, and a recording keeps them: so a replay takes the same way
//! through the same stages.

mod assembly;
mod entries;
mod entry;
pub mod live;
mod met;
mod replay;

pub use assembly::Assembly;
pub use entry::{Beginning, Closing, Ending, Entry, File, Opening, Settled, Stack, Tick};
pub use replay::{replay, replay_to};
