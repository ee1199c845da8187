//! A recording → its report.

use std::io::Read;

use anyhow::{Context as _, Result};

use super::{Assembly, Entry};
use crate::{
    collect::recording::{Next, Reader},
    report::v1::Report,
};

/// Takes a recording through the stages that its session went through.
///
/// Damage ends the recording: the report is of what came before, and says so.
///
/// # Errors
///
/// The file cannot be read, or there is nothing usable in it.
pub fn replay(mut reader: Reader<impl Read>) -> Result<Report> {
    let mut assembly = Assembly::default();
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
    let mut report = match &damage {
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
    Ok(report)
}
