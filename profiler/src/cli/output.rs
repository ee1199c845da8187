//! Where reports go.

use std::{
    fs,
    io::{self, IsTerminal as _, Write as _},
    os::fd::AsFd,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result};

use crate::{
    render::{json, text},
    report::v1::Report,
    workload::Identity,
};

/// Where the JSON goes, checked before the session starts.
#[derive(Debug)]
pub(super) enum Json {
    Nowhere,
    StandardOutput,
    File(PathBuf),
}

impl Json {
    /// Makes sure that a report can be written there when the time comes.
    pub(super) fn check(to: Option<&Path>) -> Result<Self> {
        let Some(path) = to else {
            return Ok(Self::Nowhere);
        };
        if path == Path::new("-") {
            return Ok(Self::StandardOutput);
        }
        if is_special(path) {
            fs::OpenOptions::new()
                .write(true)
                .open(path)
                .with_context(|| format!("cannot write the report to {path:?}"))?;
        } else {
            temporary_beside(path)?;
        }
        Ok(Self::File(path.into()))
    }

    /// Writes the report, whole or not at all.
    pub(super) fn write(&self, report: &Report) -> Result<()> {
        match self {
            Self::Nowhere => Ok(()),
            Self::StandardOutput => {
                let mut out = io::BufWriter::new(io::stdout().lock());
                let written = json::render(report, &mut out).and_then(|()| out.flush());
                unless_broken_pipe(written).context("cannot write to standard output")
            }
            Self::File(path) if is_special(path) => {
                let file = fs::OpenOptions::new().write(true).open(path);
                file.and_then(|mut file| json::render(report, &mut file))
                    .with_context(|| format!("cannot write the report to {path:?}"))
            }
            Self::File(path) => {
                let mut file = temporary_beside(path)?;
                let written = {
                    let mut out = io::BufWriter::new(&mut file);
                    json::render(report, &mut out).and_then(|()| out.flush())
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

    /// Is standard output taken?
    pub(super) fn is_standard_output(&self) -> bool {
        matches!(self, Self::StandardOutput)
    }
}

/// A file made by root for the user who called sudo is theirs.
pub(super) fn give_to_invoking_user(file: &fs::File) -> Result<()> {
    let identity = Identity::invoking()?;
    let (uid, gid) = (identity.uid, identity.gid);
    if rustix::process::geteuid().is_root() && uid != 0 {
        rustix::fs::fchown(
            file,
            Some(rustix::fs::Uid::from_raw(uid)),
            Some(rustix::fs::Gid::from_raw(gid)),
        )
        .context("cannot give the file to the user who called sudo")?;
    }
    Ok(())
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

/// Shows a report on standard output.
pub(super) fn show(report: &Report) -> Result<()> {
    let out = io::stdout();
    let options = options(&out, out.is_terminal());
    let mut out = io::BufWriter::new(out.lock());
    let written = text::render(report, &mut out, &options).and_then(|()| out.flush());
    unless_broken_pipe(written).context("cannot write to standard output")
}

/// Shows a report on standard error.
pub(super) fn show_on_error(report: &Report) -> Result<()> {
    let out = io::stderr();
    let options = options(&out, out.is_terminal());
    let mut out = io::BufWriter::new(out.lock());
    let written = text::render(report, &mut out, &options).and_then(|()| out.flush());
    unless_broken_pipe(written).context("cannot write to standard error")
}

/// Prints text on standard output.
pub(super) fn print(text: &str) -> Result<ExitCode> {
    let written = io::stdout().write_all(text.as_bytes());
    unless_broken_pipe(written).context("cannot write to standard output")?;
    Ok(ExitCode::SUCCESS)
}

/// Who stops reading (`| head`) has seen enough.
fn unless_broken_pipe(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

fn options(out: impl AsFd, terminal: bool) -> text::Options {
    let width = rustix::termios::tcgetwinsize(out).map_or(80, |size| usize::from(size.ws_col));
    let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    text::Options {
        width: width.clamp(60, 200),
        colour: terminal && !plain,
    }
}
