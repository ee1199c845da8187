//! The bundled reader: files, the states they start in, and who reads them how.
//!
//! It knows nothing of the profiler. Run by itself it is a small benchmark that keeps
//! its own record of every read, which is what makes it a witness.
//!
//! - `scenario`: the workloads, each with the state that it starts in.
//! - `style`: how a file is read.
//! - `spec`: what one run of the reader does, checked before anything is started.
//! - [`order`]: which offset is read when.
//! - `own`: a file of our own, gone in every ending.
//! - `subject`: the file that is read; `place`: the file system and device below it.
//! - [`state`]: warm and cold, brought about and verified; [`residency()`]: the proof.
//! - `identity`: whose rights the reader has.
//! - `host`: the parent's side of a reader; [`reader`]: the child's; [`mod@source`]: what its
//!   threads read from, and how.
//! - `wire` and `record`: what passes between the two.

mod host;
mod identity;
mod ops;
pub mod order;
mod own;
mod place;
pub mod reader;
mod record;
mod residency;
mod scenario;
pub mod source;
mod spec;
pub mod state;
mod style;
mod subject;
mod wire;

pub use host::{Reader, Stopper, ThreadOps};
pub use identity::{Identity, give_to_invoking_user};
pub use ops::{Op, Ops};
pub use own::{Interrupted, OwnFile};
pub use place::{Device, Place};
pub use residency::{Residency, Source, residency};
pub use scenario::{Options, Scenario, State, UnknownScenario};
pub use spec::Spec;
pub use style::{Advice, OpIs, Pattern, Style};
pub use subject::{DirectAlign, Subject};
pub use wire::Done;
