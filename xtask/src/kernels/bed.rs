//! What every experiment has: a kernel, the tools to boot it, and the programs to run in it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use super::{
    clear,
    guest::{self, Machine},
    packages::Kernel,
    tools::{self, Tools},
};
use crate::cargo;

const TARGET: &str = "x86_64-unknown-linux-gnu";

/// A kernel, and what it takes to boot it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bed<'a> {
    pub(super) tools: &'a Tools,
    pub(super) kernel: &'a Kernel,
    pub(super) programs: &'a Programs,
    /// Where boots have their files while they run.
    pub(super) work: &'a Path,
    /// Where reports and recordings are kept.
    pub(super) keep: &'a Path,
}

/// What is run in guests, without shared libraries.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) profiler: PathBuf,
    /// The tests that load programs into the running kernel (profiler/tests/kernel).
    pub(super) suite: PathBuf,
}

/// Names of the programs in a guest.
pub(super) const PROFILER: &str = "profiler";
pub(super) const SUITE: &str = "kernel-tests";

impl Programs {
    pub(super) fn build() -> Result<Self> {
        let flags = format!("--config=target.{TARGET}.rustflags=['-Ctarget-feature=+crt-static']");
        let target = format!("--target={TARGET}");
        let executable = |words: &[&str], kind: &str, name: &str| {
            let words = [words, &["--release", "--package=profiler", &target, &flags]].concat();
            let path = cargo::executable(&words, kind, name)?;
            if !tools::is_static(&path)? {
                bail!(
                    "{} needs shared libraries, which a guest does not have: is RUSTFLAGS set?",
                    path.display()
                );
            }
            Ok(path)
        };
        Ok(Self {
            suite: executable(&["test", "--no-run", "--test=kernel"], "test", "kernel")?,
            profiler: executable(&["build", "--bin=profiler"], "bin", "profiler")?,
        })
    }
}

impl Bed<'_> {
    /// Boots the kernel on a machine with the programs.
    pub(super) fn boot(&self, machine: &Machine<'_>) -> Result<Left> {
        let release = &self.kernel.release;
        let work = Work::new(self.work.join(format!("{release}-{}", std::process::id())))?;
        let programs = [
            (PROFILER, self.programs.profiler.as_path()),
            (SUITE, self.programs.suite.as_path()),
        ];
        let machine = Machine {
            programs: &programs,
            ..*machine
        };
        let folder = guest::boot(self.tools, self.kernel, &work.0, &machine)?;
        Ok(Left {
            folder,
            _work: work,
        })
    }

    /// Keeps a file that a guest left.
    pub(super) fn keep(&self, left: &Left, name: &str) -> Result<PathBuf> {
        let folder = self.keep.join(&self.kernel.release);
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        let to = folder.join(name);
        fs::copy(left.path(name), &to).with_context(|| format!("the guest left no {name}"))?;
        Ok(to)
    }
}

/// What a guest left.
#[derive(Debug)]
pub(super) struct Left {
    folder: PathBuf,
    _work: Work,
}

impl Left {
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(super) fn file(&self, name: &str) -> Result<String> {
        let text = fs::read_to_string(self.path(name));
        text.with_context(|| format!("the guest left no {name}"))
    }

    /// The exit code of a command that left it as `NAME.status`, and what it had to say on
    /// standard error as `NAME.said`.
    pub(super) fn succeeded(&self, name: &str) -> Result<()> {
        let status = self.file(&format!("{name}.status"))?;
        if status.trim() != "0" {
            let said = self.file(&format!("{name}.said")).unwrap_or_default();
            bail!("{name} ended with {}: {}", status.trim(), said.trim());
        }
        Ok(())
    }
}

/// A line of shell that leaves a command's output, standard error and exit code.
pub(super) fn leaving(name: &str, command: &str) -> String {
    format!("{command} >/out/{name} 2>/out/{name}.said\necho $? >/out/{name}.status\n")
}

/// A folder for one boot, gone when it is over.
#[derive(Debug)]
struct Work(PathBuf);

impl Work {
    fn new(path: PathBuf) -> Result<Self> {
        clear(&path)?;
        fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
        Ok(Self(path))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // What is left behind now is swept at the next start.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Removes what boots have left whose command was killed: their folders end in its process id.
pub(super) fn sweep(work: &Path) {
    for entry in fs::read_dir(work).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let id = name
            .rsplit('-')
            .next()
            .and_then(|id| id.parse::<u32>().ok());
        if id.is_some_and(|id| !Path::new("/proc").join(id.to_string()).exists()) {
            // It costs room, nothing else.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_folders_of_those_who_are_gone_are_swept() {
        let work = std::env::temp_dir().join(format!("work-{}", std::process::id()));
        let (ours, others) = (std::process::id(), u32::MAX);
        for name in [format!("6.1-{ours}"), format!("6.1-{others}"), "6.1".into()] {
            fs::create_dir_all(work.join(name)).unwrap();
        }
        sweep(&work);
        assert_eq!(fs::read_dir(&work).unwrap().count(), 2);
        assert!(!work.join(format!("6.1-{others}")).exists());
        fs::remove_dir_all(work).unwrap();
    }
}
