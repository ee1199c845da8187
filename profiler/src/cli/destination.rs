//! Where an export goes: standard output, or a file that is written whole or not at all.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::fd::BorrowedFd,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, anyhow, bail};

use crate::workload::give_to_invoking_user;

/// Where an export goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Destination {
    StandardOutput,
    File(PathBuf),
}

/// A destination that can be written to.
#[derive(Debug)]
pub(super) enum Outlet {
    StandardOutput,
    /// A pipe, a device, an open descriptor: what is there is written to. It stays open from the
    /// start, because who reads a pipe takes the first end of writing for the end of all.
    InPlace {
        file: File,
        path: PathBuf,
    },
    /// A regular file, or none yet: a whole one takes its place.
    Replace {
        path: PathBuf,
    },
}

/// Links that are followed one after the other, at most: as the kernel does.
const MAX_LINKS: u32 = 40;

impl Destination {
    /// `-` is standard output.
    pub(super) fn of(path: &Path) -> Self {
        if path == Path::new("-") || descriptor(path) == Some(1) {
            Self::StandardOutput
        } else {
            Self::File(path.into())
        }
    }

    /// Makes sure that it can be written to when the time comes.
    ///
    /// # Errors
    ///
    /// It cannot.
    pub(super) fn open(&self) -> Result<Outlet> {
        let Self::File(named) = self else {
            return Ok(Outlet::StandardOutput);
        };
        let cannot = || format!("cannot write {named:?}");
        if let Some(number) = descriptor(named) {
            // SAFETY: used for this copy only; a number that is not open is an error.
            let theirs = unsafe { BorrowedFd::borrow_raw(number) };
            let file = theirs.try_clone_to_owned().with_context(cannot)?.into();
            let path = named.clone();
            return Ok(Outlet::InPlace { file, path });
        }
        let path = behind_links(named).with_context(cannot)?;
        if fs::metadata(&path).is_ok_and(|metadata| !metadata.is_file()) {
            let file = File::options().write(true).open(&path);
            let file = file.with_context(cannot)?;
            return Ok(Outlet::InPlace { file, path });
        }
        temporary_beside(&path)?;
        Ok(Outlet::Replace { path })
    }
}

impl Outlet {
    /// The file whose place the export takes.
    pub(super) fn replaces(&self) -> Option<PathBuf> {
        match self {
            Self::Replace { path } => place_of(path),
            Self::StandardOutput | Self::InPlace { .. } => None,
        }
    }

    /// Has it written to; a regular file whole or not at all.
    ///
    /// # Errors
    ///
    /// It cannot be written. That nobody reads any longer is no error.
    pub(super) fn write(
        &mut self,
        write: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
    ) -> Result<()> {
        match self {
            Self::StandardOutput => {
                let mut out = io::BufWriter::new(io::stdout().lock());
                let written = write(&mut out).and_then(|()| out.flush());
                unless_broken_pipe(written).context("cannot write to standard output")
            }
            Self::InPlace { file, path } => {
                let mut out = io::BufWriter::new(file);
                let written = write(&mut out).and_then(|()| out.flush());
                unless_broken_pipe(written).with_context(|| format!("cannot write {path:?}"))
            }
            Self::Replace { path } => {
                let mut file = temporary_beside(path)?;
                let written = {
                    let mut out = io::BufWriter::new(&mut file);
                    write(&mut out).and_then(|()| out.flush())
                };
                written.with_context(|| format!("cannot write {path:?}"))?;
                give_to_invoking_user(file.as_file())?;
                file.persist(&path)
                    .map_err(|error| error.error)
                    .with_context(|| format!("cannot write {path:?}"))?;
                Ok(())
            }
        }
    }
}

/// The number of the descriptor of this process that a path means: `/dev/stdout`, `/dev/fd/N`,
/// `/proc/self/fd/N`. To open such a path anew would write at the start of a file that others
/// append to, and to replace it would replace /dev/stdout itself.
fn descriptor(path: &Path) -> Option<i32> {
    let text = path.to_str()?;
    match text {
        "/dev/stdout" => return Some(1),
        "/dev/stderr" => return Some(2),
        _ => {}
    }
    let number = text
        .strip_prefix("/dev/fd/")
        .or_else(|| text.strip_prefix("/proc/self/fd/"))?;
    number.parse().ok().filter(|number| *number >= 0)
}

/// What a path means when its last part is a link: a file that is to be replaced is replaced
/// where it is, and the link stays. A descriptor of a process is no link to its file's name.
fn behind_links(path: &Path) -> Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(target) = fs::read_link(&path) else {
            return Ok(path);
        };
        let folder = folder_of(&path);
        if fs::canonicalize(folder).is_ok_and(|folder| folder.starts_with("/proc")) {
            bail!("it is a descriptor of a process: name the file itself");
        }
        path = folder.join(target);
        if let Some(number) = descriptor(&path) {
            bail!("it is a link to descriptor {number}: name {path:?} itself");
        }
    }
    bail!("it is a link to a link, and so on, without an end")
}

/// A file's place, the same by whatever way it is named; `None` where there is none.
pub(super) fn place_of(path: &Path) -> Option<PathBuf> {
    let path = behind_links(path).ok()?;
    let folder = fs::canonicalize(folder_of(&path)).ok()?;
    Some(folder.join(path.file_name()?))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Who stops reading (`| head`) has seen enough.
pub(super) fn unless_broken_pipe(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

fn temporary_beside(path: &Path) -> Result<tempfile::NamedTempFile> {
    tempfile::Builder::new()
        .prefix(".profiler-")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(folder_of(path))
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => anyhow!("cannot write {path:?}: no such folder"),
            _ => anyhow!(error).context(format!("cannot write {path:?}")),
        })
}
