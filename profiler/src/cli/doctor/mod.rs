//! `profiler doctor`: what this machine offers, what it lacks, and what to do. Needs no rights.
//!
//! - [`machine`]: what is read of the machine.
//! - [`diagnosis`]: what follows from it, as text.

mod diagnosis;
mod machine;

use std::process::ExitCode;

use anyhow::Result;

use super::output;

/// Prints what was found; the exit code is 1 if the profiler cannot work here.
pub(super) fn main() -> Result<ExitCode> {
    let machine = machine::Machine::look();
    let diagnosis = diagnosis::Diagnosis::of(&machine);
    output::print(&diagnosis.text())?;
    Ok(if diagnosis.works() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
