//! Runs the program and reads its report.

use profiler::blame::Cause;
use profiler::report::is_unseen;
use profiler::report::v1::WitnessName;
use std::{
    fs,
    io::{PipeReader, Read as _},
    os::fd::{AsRawFd as _, BorrowedFd},
    os::unix::{fs::MetadataExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use profiler::lab::rig::incompressible;
use profiler::report::v1::{Report, Scenario, SlowCall, Witness};
use rustix::io::FdFlags;
use rustix::process::{Signal, set_parent_process_death_signal};
use tempfile::TempDir;

/// Says that a test has nothing to test here, and why.
macro_rules! skip {
    ($($why:tt)*) => {{
        // Past the test harness, which keeps what a test that passes prints.
        let _ = std::io::Write::write_fmt(
            &mut std::io::stdout(),
            format_args!("skipped: {}\n", format_args!($($why)*)),
        );
        return;
    }};
}
pub(crate) use skip;

/// Ends the test unless `cargo xtask test` has asked for it.
macro_rules! needs_kernel {
    () => {
        if std::env::var_os("PROFILER_KERNEL_TESTS").is_none() {
            $crate::harness::skip!("loads programs into the kernel: run `cargo xtask test`");
        }
    };
}
pub(crate) use needs_kernel;

/// Names the program to test, where it is not where cargo has built it: in a guest.
const PROGRAM: &str = "PROFILER_TEST_PROGRAM";
/// Names a folder on a disk, where there is none of cargo's.
const FOLDER: &str = "PROFILER_TEST_FOLDER";

fn told(variable: &str, built: &str) -> PathBuf {
    std::env::var_os(variable).map_or_else(|| built.into(), PathBuf::from)
}

/// Where tests make their folders: on a disk, not in memory.
pub(crate) fn on_disk() -> PathBuf {
    told(FOLDER, env!("CARGO_TARGET_TMPDIR"))
}

/// A folder there, gone afterwards.
pub(crate) fn folder() -> TempDir {
    let parent = on_disk();
    TempDir::new_in(&parent).unwrap_or_else(|error| panic!("{}: {error}", parent.display()))
}

/// The program that is tested.
pub(crate) fn program() -> PathBuf {
    told(PROGRAM, env!("CARGO_BIN_EXE_profiler"))
}

/// A file of so many bytes that no file system can make smaller.
pub(crate) fn file(folder: &TempDir, name: &str, bytes: usize) -> PathBuf {
    incompressible(folder.path(), name, bytes).expect("a file")
}

/// The program, with the words of a command line. It ends its session, and the command that
/// it watches, when this program is gone, whatever ended that.
pub(crate) fn profiler(words: &[&str]) -> Command {
    let mut command = Command::new(program());
    command
        .args(words)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null());
    let ends_with_us = || Ok(set_parent_process_death_signal(Some(Signal::TERM))?);
    // SAFETY: between fork and exec, and does nothing but a system call.
    unsafe { command.pre_exec(ends_with_us) };
    command
}

/// A session that has ended.
pub(crate) struct Session {
    pub report: Report,
    pub output: Output,
}

/// Runs the program with `--json` to a file, and reads the report.
pub(crate) fn session(words: &[&str], rest: &[String]) -> Session {
    Running::start(words, rest).wait()
}

/// A session that is going on.
pub(crate) struct Running {
    child: Option<Child>,
    /// Ends once it watches.
    ready: Option<PipeReader>,
    folder: TempDir,
}

impl Running {
    /// Starts it. `words` begin with the subcommand; `rest` follows a `--`.
    pub(crate) fn start(words: &[&str], rest: &[String]) -> Self {
        Self::start_with(words, rest, Stdio::null())
    }

    pub(crate) fn start_with(words: &[&str], rest: &[String], stdin: Stdio) -> Self {
        Self::begin(words, rest, |command| {
            command.stdin(stdin);
        })
    }

    /// As [`Self::start`], after the command was changed.
    pub(crate) fn start_as(
        words: &[&str],
        rest: &[String],
        change: impl FnOnce(&mut Command),
    ) -> Self {
        Self::begin(words, rest, |command| {
            command.stdin(Stdio::null());
            change(command);
        })
    }

    fn begin(words: &[&str], rest: &[String], change: impl FnOnce(&mut Command)) -> Self {
        let folder = folder();
        let json = folder.path().join("report.json");
        let (ready, theirs) = std::io::pipe().expect("a pipe");
        let number = theirs.as_raw_fd();
        let json = json.to_str().expect("UTF-8");
        let mut command = profiler(&[words[0], "--json", json]);
        command.args(["--ready-fd", &number.to_string()]);
        let is_left_open = move || {
            // SAFETY: `theirs` lives until it is started.
            let theirs = unsafe { BorrowedFd::borrow_raw(number) };
            Ok(rustix::io::fcntl_setfd(theirs, FdFlags::empty())?)
        };
        // SAFETY: between fork and exec, and does nothing but a system call.
        unsafe { command.pre_exec(is_left_open) };
        command.args(&words[1..]);
        if !rest.is_empty() {
            command.arg("--").args(rest);
        }
        change(&mut command);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self {
            child: Some(command.spawn().expect("the profiler starts")),
            ready: Some(ready),
            folder,
        }
    }

    /// The profiler's process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.as_ref().expect("it was started").id()
    }

    pub(crate) fn signal(&self, number: i32) {
        // SAFETY: a child that is not reaped yet.
        assert_eq!(unsafe { libc::kill(self.id() as i32, number) }, 0);
    }

    /// What it has written so far.
    pub(crate) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path())
            .expect("a folder")
            .flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.collect()
    }

    /// Waits until it watches.
    pub(crate) fn wait_attached(&mut self) {
        let mut ready = self.ready.take().expect("it is waited for once");
        let mut said = String::new();
        ready.read_to_string(&mut said).expect("it says so");
        assert_eq!(said, "\n", "it ended before it watched");
    }

    /// Waits for its end, whatever its exit code is.
    pub(crate) fn wait(mut self) -> Session {
        let child = self.child.take().expect("it was started");
        let output = child.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&output.stderr);
        let json = fs::read(self.folder.path().join("report.json"))
            .unwrap_or_else(|error| panic!("no report ({error}); it said: {said}"));
        let report = serde_json::from_slice(&json).expect("a report of version 1");
        Session { report, output }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The children of a process, of whichever of its threads.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task"));
    let texts = threads
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    texts
        .flat_map(|text| {
            let ids = text.split_ascii_whitespace();
            ids.filter_map(|id| id.parse().ok()).collect::<Vec<u32>>()
        })
        .collect()
}

/// Everything that the probes told has arrived, and nothing else.
pub(crate) fn arrived(report: &Report) {
    let quality = &report.quality;
    assert_eq!(quality.lost, 0, "facts lost: {quality:#?}");
    assert_eq!(quality.malformed, 0, "{quality:#?}");
    assert_eq!(quality.odd, 0, "{quality:#?}");
    assert_eq!(quality.no_state, 0, "{quality:#?}");
    assert_eq!(quality.notes, [""; 0], "{quality:#?}");
}

/// What is true of every report, whatever was read.
pub(crate) fn sound(report: &Report) {
    arrived(report);
    let quality = &report.quality;
    assert_eq!(quality.incomplete_calls, 0, "{quality:#?}");
    for scenario in &report.scenarios {
        let name = &scenario.name;
        assert_eq!(scenario.missed_calls.total, 0, "{name}: {scenario:#?}");
        assert_eq!(scenario.blame_ns.total(), scenario.duration_ns, "{name}");
        let outcomes = || scenario.outcomes.iter().map(|(_, sum)| sum);
        assert_eq!(
            outcomes().map(|sum| sum.calls).sum::<u64>(),
            scenario.calls,
            "{name}"
        );
        let ns: u64 = outcomes().map(|sum| sum.duration_ns).sum();
        assert_eq!(ns, scenario.duration_ns, "{name}");
        for call in &scenario.slowest {
            assert_eq!(call.blame_ns.total(), call.latency_ns, "{name}: {call:#?}");
        }
    }
}

/// Nothing is unexplained where the wake-up was seen.
pub(crate) fn explained(scenario: &Scenario) {
    let unexplained = scenario
        .waits
        .iter()
        .filter(|wait| wait.cause == Cause::Unexplained);
    let puzzling: Vec<_> = unexplained
        .filter(|wait| !is_unseen(&wait.detail))
        .collect();
    assert!(puzzling.is_empty(), "{}: {puzzling:#?}", scenario.name);
}

/// More than one part in a hundred of the blocked time is unexplained, or a switch was
/// not told.
///
/// Where a machine runs as a guest, tracepoints in interrupts may keep silent for some
/// milliseconds (perf misses the same wake-ups). In a long session that is next to
/// nothing; in one of these short ones it may be more, and the session is to be repeated.
pub(crate) fn kernel_was_silent(scenario: &Scenario) -> bool {
    let asleep = witness(scenario, WitnessName::Nvcsw);
    scenario.blame_ns.or_zero(Cause::Unexplained) * 100 > scenario.blocked_ns
        || scenario.incomplete_calls > 0
        || asleep.is_some_and(|asleep| !asleep.agrees && asleep.theirs > asleep.ours)
}

pub(crate) fn witness(scenario: &Scenario, name: WitnessName) -> Option<&Witness> {
    scenario.witness.iter().find(|witness| witness.name == name)
}

/// The only scenario of a session that has one.
pub(crate) fn only(report: &Report) -> &Scenario {
    assert_eq!(report.scenarios.len(), 1, "{report:#?}");
    &report.scenarios[0]
}

/// The told calls on one file, in the order in which they began.
///
/// By its inode: the path of a file is known only if its reader lives long enough to be
/// asked for it.
pub(crate) fn calls_on<'a>(scenario: &'a Scenario, path: &Path) -> Vec<&'a SlowCall> {
    let inode = fs::metadata(path).expect("the file").ino();
    let calls = scenario.slowest.iter();
    let mut calls: Vec<_> = calls
        .filter(|call| call.file.as_ref().is_some_and(|file| file.inode == inode))
        .collect();
    calls.sort_by_key(|call| call.began_ns);
    calls
}
