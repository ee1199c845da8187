//! An experiment: something is provoked, the profiler watches, and a claim holds or does not.

use std::{fmt, path::Path, process::Command};

use super::rig::Reason;
use crate::{blame::Cause, report::v1::Report};

/// A claim about the profiler, and how to try it. Each is one file in `claims/` and one row there.
#[derive(Debug)]
pub struct Experiment {
    /// Its name on the command line, which is that of its file with `-` for `_`.
    pub id: &'static str,
    /// What has to hold, in one sentence.
    pub claim: &'static str,
    /// Sets up what the claim is about, in a folder on a disk.
    pub provoke: fn(folder: &Path) -> Result<Box<dyn Provoked>, Reason>,
    /// Says what is wrong, if what was measured is not as claimed.
    pub expect: fn(&Measured) -> Result<(), String>,
}

/// What an experiment has set up. Dropping it undoes that.
pub trait Provoked: fmt::Debug {
    /// Arguments of the profiler which have it measure this: a subcommand that takes `--json`.
    fn words(&self) -> Vec<String>;

    /// How long calls were made to wait since it was set up, by the clock of who made them.
    fn injected_ns(&self) -> u64;
}

/// What came out.
#[derive(Clone, Debug)]
pub struct Measured {
    /// How long calls were made to wait.
    pub injected_ns: u64,
    /// What the profiler reports.
    pub report: Report,
}

/// Whether a claim holds.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It does.
    Holds(Box<Measured>),
    /// It does not, and why.
    Fails(String),
    /// This machine cannot bring it about, and why.
    Void(Reason),
}

impl Experiment {
    /// Provokes, measures and judges. `profiler` is the program to measure with, and `folder` is on
    /// a disk.
    ///
    /// The calling thread gets a mount namespace of its own and keeps it, so use one for this.
    #[must_use]
    pub fn run(&self, profiler: &Path, folder: &Path) -> Verdict {
        let provoked = match (self.provoke)(folder) {
            Ok(provoked) => provoked,
            Err(why) => return Verdict::Void(why),
        };
        let measured = match measure(profiler, provoked.as_ref()) {
            Ok(measured) => measured,
            Err(why) => return Verdict::Fails(why),
        };
        match (self.expect)(&measured) {
            Ok(()) => Verdict::Holds(Box::new(measured)),
            Err(why) => Verdict::Fails(why),
        }
    }
}

/// Arguments for the profiler, of the bundled reader: 25 blocks of a file that are not in the page
/// cache, far enough from each other that each takes a request of its own.
#[must_use]
pub fn cold_reads(path: &Path) -> Vec<String> {
    let words = ["bench", "--scenario", "cold-random", "--reads", "25"];
    let words = words.into_iter().map(str::to_owned);
    words.chain([path.display().to_string()]).collect()
}

fn measure(profiler: &Path, provoked: &dyn Provoked) -> Result<Measured, String> {
    let output = Command::new(profiler)
        .args(provoked.words())
        .args(["--json", "-"])
        .output()
        .map_err(|error| format!("cannot run {}: {error}", profiler.display()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("the profiler failed ({}): {said}", output.status));
    }
    let report = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("the profiler printed no report: {error}"))?;
    Ok(Measured {
        injected_ns: provoked.injected_ns(),
        report,
    })
}

impl Measured {
    /// A cause is blamed for all that was injected, and for more than any other cause is.
    ///
    /// It may be blamed for more than was injected: on the way to who injects there can be a worker
    /// of the kernel's that has to wait for a CPU.
    ///
    /// # Errors
    /// What the report says instead.
    pub fn blames(&self, cause: Cause) -> Result<(), String> {
        let blame = |cause: Cause| {
            let scenarios = self.report.scenarios.iter();
            scenarios.map(|it| it.blame_ns.or_zero(cause)).sum::<u64>()
        };
        let (injected, found) = (self.injected_ns, blame(cause));
        let name = cause.name();
        if injected == 0 {
            return Err("nothing was injected: no call asked for what is slow".to_owned());
        }
        if found < injected - injected / 20 {
            return Err(format!(
                "{name} is blamed for {found} ns, and {injected} ns were injected"
            ));
        }
        let blocked = Cause::ALL.iter().filter(|it| it.is_blocked());
        match blocked.max_by_key(|it| blame(**it)) {
            Some(main) if *main != cause => Err(format!(
                "{} is blamed for more ({} ns) than {name} ({found} ns)",
                main.name(),
                blame(*main)
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(injected_ns: u64, device: u64, queue: u64) -> Measured {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recordings/run.json");
        let mut report: Report = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let scenario = &mut report.scenarios[0];
        scenario.blame_ns = crate::report::v1::Blame::from_fn(|cause| match cause {
            Cause::Device => Some(device),
            Cause::Queue => Some(queue),
            Cause::Cpu => Some(1 << 40),
            _ => None,
        });
        Measured {
            injected_ns,
            report,
        }
    }

    #[test]
    fn blame_has_to_be_large_enough_and_the_largest() {
        assert_eq!(measured(1000, 1000, 10).blames(Cause::Device), Ok(()));
        assert_eq!(measured(1000, 960, 10).blames(Cause::Device), Ok(()));
        let says = |measured: Measured| measured.blames(Cause::Device).unwrap_err();
        assert!(says(measured(1000, 900, 10)).contains("1000 ns were injected"));
        assert!(says(measured(1000, 1000, 1001)).contains("queue is blamed for more"));
        assert!(says(measured(0, 1000, 10)).contains("nothing was injected"));
    }

    #[test]
    fn what_cannot_be_had_is_no_failure() {
        let experiment = Experiment {
            id: "none",
            claim: "",
            provoke: |_| Err("no disk".to_owned()),
            expect: |_| Ok(()),
        };
        let verdict = experiment.run(Path::new("/nowhere"), Path::new("/tmp"));
        assert!(matches!(verdict, Verdict::Void(why) if why == "no disk"));
    }
}
