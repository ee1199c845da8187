//! The one way of a live session's entries: into the recording, if there is one, and into the
//! assembly, in the same order. So a replay of the recording gives the same report.

use anyhow::Result;

use super::Assembly;
use crate::{
    recording::{Entry, Writer},
    report::v1::Report,
    sink::Sink,
};

#[derive(Debug)]
pub(super) struct Entries<S> {
    recording: Option<Writer>,
    assembly: Assembly<S>,
}

impl<S: Sink> Entries<S> {
    pub(super) fn new(recording: Option<Writer>, assembly: Assembly<S>) -> Self {
        Self {
            recording,
            assembly,
        }
    }

    /// # Errors
    ///
    /// The recording cannot be written, or the entry does not follow those before.
    pub(super) fn take(&mut self, entry: Entry<'_>) -> Result<()> {
        if let Some(recording) = &mut self.recording {
            entry.write(recording)?;
        }
        self.assembly.take(entry)
    }

    /// Takes records that lie one after the other, and leaves the room for the next.
    pub(super) fn facts(&mut self, batch: &mut Vec<u8>) -> Result<()> {
        if batch.is_empty() {
            return Ok(());
        }
        let taken = self.take(Entry::Facts(batch));
        batch.clear();
        taken
    }

    /// The recording, if there is one.
    pub(super) fn recording(&mut self) -> Option<&mut Writer> {
        self.recording.as_mut()
    }

    pub(super) fn finish(self) -> Result<(Report, S)> {
        if let Some(recording) = self.recording {
            recording.finish()?;
        }
        self.assembly.finish()
    }
}
