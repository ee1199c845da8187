//! One session, live or replayed: the arrows between the stages.
//!
//! [`Entry`](crate::recording::Entry) is what a session consists of, in order: its opening, scenarios with their
//! facts, its closing. A live session makes entries, an [`Assembly`] turns
//! them into a report, and a recording keeps them: so a replay takes the same way
//! through the same stages.

mod assembly;
mod drive;
mod entries;
mod interrupt;
mod live;
mod met;
mod open;
pub mod plan;
mod ready;
mod replay;
mod target;
mod translate;

pub use assembly::Assembly;
pub use drive::{Driven, Message, Said, Voice, drive};
pub use interrupt::Interrupt;
pub use replay::{replay, replay_to};
pub use target::gate;
