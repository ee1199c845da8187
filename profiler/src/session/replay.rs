//! A recording → its report.

use std::io::Read;

use anyhow::{Context as _, Result};

use super::Assembly;
use crate::{
    recording::{Entry, Next, Reader},
    report::v1::Report,
    sink::Sink,
};

/// Takes a recording through the stages that its session went through.
///
/// Damage ends the recording: the report is of what came before, and says so.
///
/// # Errors
///
/// The file cannot be read, or there is nothing usable in it.
pub fn replay(reader: Reader<impl Read>) -> Result<Report> {
    let (report, ()) = replay_to(reader, ())?;
    Ok(report)
}

/// The same, with a sink that is given what the session's would have been.
///
/// # Errors
///
/// As of [`replay`].
pub fn replay_to<S: Sink + Default>(mut reader: Reader<impl Read>, sink: S) -> Result<(Report, S)> {
    let mut assembly = Assembly::with(sink);
    let mut damage = None;
    loop {
        match reader.frame()? {
            Next::End => break,
            Next::Damaged(what) => {
                damage = Some(what);
                break;
            }
            Next::Frame(tag) => {
                let taken = Entry::read(tag, reader.payload()).and_then(|e| assembly.take(e));
                if let Err(error) = taken {
                    damage = Some(format!("{error:#}"));
                    break;
                }
            }
        }
    }
    let (mut report, sink) = match &damage {
        Some(what) => assembly
            .finish()
            .with_context(|| format!("the recording is damaged: {what}"))?,
        None => assembly.finish()?,
    };
    if let Some(what) = damage {
        report
            .quality
            .notes
            .push(format!("the recording is damaged: {what}"));
    }
    Ok((report, sink))
}
