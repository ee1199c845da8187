//! What a session is to do, checked before anything is made.

use std::{
    ffi::OsString,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use profiler_common::{
    control::{CONTROL_EVERY_CALL, Control},
    target::Target as Watched,
};

use crate::{
    load,
    workload::{DirectAlign, Options, Scenario, Subject},
};

/// A session in the making.
#[derive(Debug)]
pub struct Plan {
    /// The command line that asks for it.
    pub command: Vec<String>,
    /// What is watched.
    pub target: Target,
    /// It ends after so long, if the target has not ended by then.
    pub until: Option<Duration>,
    /// How often sinks are told that time has gone by.
    pub interval: Option<Duration>,
    /// Which calls are reported.
    pub selection: Selection,
    /// Where to record to.
    pub record: Option<PathBuf>,
    /// Is told once that the target is watched.
    pub ready: Option<OwnedFd>,
    /// How the probes are loaded.
    pub load: load::Options,
}

/// What is watched.
#[derive(Debug)]
pub enum Target {
    /// The bundled reader, in one scenario after the other.
    Reader(ReaderPlan),
    /// A command, from its first instruction to its end.
    Command(Vec<OsString>),
    /// A process that runs already.
    Process(u32),
}

/// What the bundled reader is to do.
#[derive(Debug)]
pub struct ReaderPlan {
    /// The file to read; none: one of its own, in `dir` and of `size` bytes.
    pub path: Option<PathBuf>,
    /// The folder for a file of its own.
    pub dir: PathBuf,
    /// The size of a file of its own, in bytes.
    pub size: u64,
    /// What is run, in this order.
    pub scenarios: Vec<&'static Scenario>,
    /// Block size, threads and reads, for every scenario.
    pub options: Options,
    /// Drop the whole machine's cache before each cold scenario.
    pub drop_caches: bool,
}

/// Which calls are told, and how many are shown.
#[derive(Clone, Copy, Debug)]
pub struct Selection {
    /// Also those that need not wait.
    pub every_call: bool,
    /// Also those that last so long without a wait.
    pub threshold: Duration,
    /// So many of the slowest calls of a scenario are kept.
    pub slowest: usize,
}

impl Selection {
    /// What the kernel side is to do.
    pub(super) fn control(&self, watched: Watched) -> Control {
        let flags = u32::from(self.every_call) * CONTROL_EVERY_CALL;
        let threshold_ns = u64::try_from(self.threshold.as_nanos()).unwrap_or(u64::MAX);
        Control::watch(watched, flags, threshold_ns)
    }
}

impl Plan {
    /// Checks what can be checked before anything is made.
    ///
    /// # Errors
    ///
    /// Something of it cannot be done: the error says what, and why.
    pub fn validate(&self) -> Result<()> {
        match &self.target {
            Target::Reader(reader) => reader.validate(),
            Target::Command(words) if words.is_empty() => bail!("no command is given"),
            Target::Command(_) => Ok(()),
            Target::Process(pid) if *pid == std::process::id() => {
                bail!("process {pid} is this profiler: it does not watch itself")
            }
            Target::Process(_) => Ok(()),
        }
    }
}

/// A file that takes every `O_DIRECT` read.
const ANY: DirectAlign = DirectAlign {
    memory: 1,
    offset: 1,
};

impl ReaderPlan {
    fn validate(&self) -> Result<()> {
        match &self.path {
            // The file is looked at, and looked at again when it is opened to be read.
            Some(path) => self.fits(&Subject::open(path)?),
            None if self.size == 0 => {
                bail!("a file of 0 bytes has nothing to read: use a larger --size")
            }
            // What the own file will ask of `O_DIRECT` is not known yet.
            None => self.fit(&self.dir, self.size, Some(ANY)),
        }
    }

    /// Can every scenario be done with this file?
    pub(super) fn fits(&self, subject: &Subject) -> Result<()> {
        self.fit(subject.path(), subject.size(), subject.direct())
    }

    fn fit(&self, path: &Path, size: u64, direct: Option<DirectAlign>) -> Result<()> {
        for scenario in &self.scenarios {
            let spec = scenario.spec(path, size, &self.options);
            spec.validate(direct)
                .with_context(|| format!("scenario {}", scenario.name))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(target: Target) -> Plan {
        Plan {
            command: Vec::new(),
            target,
            until: None,
            interval: None,
            selection: Selection {
                every_call: true,
                threshold: Duration::from_micros(100),
                slowest: 5,
            },
            record: None,
            ready: None,
            load: load::Options::default(),
        }
    }

    fn refused(target: Target) -> String {
        format!("{:#}", plan(target).validate().unwrap_err())
    }

    #[test]
    fn what_cannot_be_done_is_refused_with_a_reason() {
        let ourselves = Target::Process(std::process::id());
        assert!(refused(ourselves).contains("does not watch itself"));
        assert!(refused(Target::Command(Vec::new())).contains("no command"));
        let reader = |path: Option<&str>, size| {
            Target::Reader(ReaderPlan {
                path: path.map(PathBuf::from),
                dir: ".".into(),
                size,
                scenarios: Scenario::ALL.iter().collect(),
                options: Options::default(),
                drop_caches: false,
            })
        };
        assert!(refused(reader(None, 0)).contains("--size"));
        assert!(refused(reader(Some("/nowhere/at/all"), 0)).contains("/nowhere/at/all"));
        assert!(plan(reader(None, 1 << 20)).validate().is_ok());
        assert!(
            plan(Target::Command(vec!["true".into()]))
                .validate()
                .is_ok()
        );
    }

    #[test]
    fn a_selection_is_told_to_the_kernel_side() {
        let watched = Watched::FromExec(7);
        let control = plan(Target::Process(1)).selection.control(watched);
        assert_eq!(
            control,
            Control::watch(watched, CONTROL_EVERY_CALL, 100_000)
        );
    }
}
