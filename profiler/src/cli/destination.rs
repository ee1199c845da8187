//! Where an export goes: standard output, or a file that is written whole or not at all.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::workload::give_to_invoking_user;

/// Where an export goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Destination {
    StandardOutput,
    File(PathBuf),
}

impl Destination {
    /// `-` is standard output.
    pub(super) fn of(path: &Path) -> Self {
        if path == Path::new("-") {
            Self::StandardOutput
        } else {
            Self::File(path.into())
        }
    }

    /// Makes sure that it can be written to when the time comes.
    pub(super) fn check(&self) -> Result<()> {
        let Self::File(path) = self else {
            return Ok(());
        };
        if is_special(path) {
            fs::OpenOptions::new()
                .write(true)
                .open(path)
                .with_context(|| format!("cannot write the report to {path:?}"))?;
        } else {
            temporary_beside(path)?;
        }
        Ok(())
    }

    /// Has it written to, whole or not at all.
    pub(super) fn write(
        &self,
        write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
    ) -> Result<()> {
        match self {
            Self::StandardOutput => {
                let mut out = io::BufWriter::new(io::stdout().lock());
                let written = write(&mut out).and_then(|()| out.flush());
                unless_broken_pipe(written).context("cannot write to standard output")
            }
            Self::File(path) if is_special(path) => {
                let file = fs::OpenOptions::new().write(true).open(path);
                file.and_then(|mut file| write(&mut file))
                    .with_context(|| format!("cannot write the report to {path:?}"))
            }
            Self::File(path) => {
                let mut file = temporary_beside(path)?;
                let written = {
                    let mut out = io::BufWriter::new(&mut file);
                    write(&mut out).and_then(|()| out.flush())
                };
                written.with_context(|| format!("cannot write the report to {path:?}"))?;
                give_to_invoking_user(file.as_file())?;
                file.persist(path)
                    .map_err(|error| error.error)
                    .with_context(|| format!("cannot write the report to {path:?}"))?;
                Ok(())
            }
        }
    }
}

/// Who stops reading (`| head`) has seen enough.
pub(super) fn unless_broken_pipe(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Something that is there and no regular file (a pipe, /dev/null) is written to, not
/// replaced.
fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| !metadata.is_file())
}

fn temporary_beside(path: &Path) -> Result<tempfile::NamedTempFile> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    tempfile::Builder::new()
        .prefix(".profiler-")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(folder)
        .with_context(|| format!("cannot write the report to {path:?}: its folder is not writable"))
}
