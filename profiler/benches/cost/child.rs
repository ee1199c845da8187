//! Processes that this starts: the programs that are watched and those that watch. None of them
//! outlives who started it, whatever ended that.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Write as _},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};

use super::{
    floor::Floor,
    mode::Mode,
    program::Elapsed,
    watcher::{self, Sign, Watcher},
};

/// A watcher that takes longer to start, or to end, does not work here.
const PATIENCE: Duration = Duration::from_secs(10);

/// So long no new probe: that was all of them.
const SETTLED: Duration = Duration::from_millis(100);

/// Ends with this process.
pub(super) fn bound(command: &mut Command) -> &mut Command {
    let ours = rustix::process::getpid();
    let bind = move || {
        set_parent_process_death_signal(Some(Signal::KILL))?;
        // It may be gone already.
        if rustix::process::getppid() == Some(ours) {
            Ok(())
        } else {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
    };
    // SAFETY: between fork and exec it makes two system calls and touches no memory of others.
    unsafe { command.pre_exec(bind) }
}

/// The program of [`super::program`], alive through all rounds.
#[derive(Debug)]
pub(super) struct Program {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Program {
    pub(super) fn start(file: &Path, cpu: usize) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("program").arg(file).arg(cpu.to_string());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = bound(&mut command)
            .spawn()
            .context("starting the program")?;
        let orders = child.stdin.take().context("no way to give orders")?;
        let answers = child.stdout.take().context("no way to hear answers")?;
        Ok(Self {
            child,
            orders,
            answers: BufReader::new(answers),
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What an operation took.
    pub(super) fn run(&mut self, mode: Mode, slice: Duration) -> Result<Elapsed> {
        self.begin(mode, slice)?;
        self.end()
    }

    pub(super) fn begin(&mut self, mode: Mode, slice: Duration) -> Result<()> {
        writeln!(self.orders, "{} {}", mode.name(), slice.as_millis())?;
        Ok(())
    }

    pub(super) fn end(&mut self) -> Result<Elapsed> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let elapsed = || {
            let (ns, cpu_ns) = line.trim().split_once(' ')?;
            Some(Elapsed {
                ns: ns.parse().ok()?,
                cpu_ns: cpu_ns.parse().ok()?,
            })
        };
        elapsed().with_context(|| format!("the program said {line:?} instead of two numbers"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A watcher whose probes are on.
#[derive(Debug)]
pub(super) enum Watching {
    Ours { _floor: Floor },
    Running(Running),
}

#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    /// From its start until its probes were on.
    pub(super) after: Duration,
}

const SAID: &str = "watcher.out";
const COMPLAINED: &str = "watcher.err";

/// Starts it and waits until its probes are on.
pub(super) fn watch(
    watcher: &Watcher,
    words: &[String],
    traced: u32,
    folder: &Path,
) -> Result<Watching> {
    let Some((program, rest)) = words.split_first() else {
        return Ok(Watching::Ours {
            _floor: Floor::new(watcher.name == watcher::CLOCK)?,
        });
    };
    let mut command = Command::new(program);
    command
        .args(rest)
        .stdin(Stdio::null())
        .stdout(File::create(folder.join(SAID))?)
        .stderr(File::create(folder.join(COMPLAINED))?);
    let started = Instant::now();
    let child = bound(&mut command).spawn().context("not here")?;
    let mut running = Running {
        child,
        after: Duration::ZERO,
    };
    let (mut probes, mut since) = (0, started);
    while started.elapsed() < PATIENCE {
        if let Some(status) = running.child.try_wait()? {
            bail!("it ended ({status}): {}", complaint(folder));
        }
        let now = match watcher.sign {
            Sign::Probes => probes_of(running.child.id()),
            Sign::Traced => usize::from(is_traced(traced)),
        };
        if now != probes {
            (probes, since) = (now, Instant::now());
        }
        if probes > 0 && (since.elapsed() > SETTLED || watcher.sign == Sign::Traced) {
            running.after = since - started;
            return Ok(Watching::Running(running));
        }
        thread::sleep(Duration::from_millis(5));
    }
    bail!("no probe of it was on after {} s", PATIENCE.as_secs())
}

impl Watching {
    pub(super) fn after(&self) -> Option<Duration> {
        match self {
            Self::Ours { .. } => None,
            Self::Running(running) => Some(running.after),
        }
    }

    pub(super) fn peak(&self) -> Option<u64> {
        match self {
            Self::Ours { .. } => None,
            Self::Running(running) => peak(running.child.id()),
        }
    }

    /// Ends it as ^C does, and returns what it printed.
    pub(super) fn stop(self, seen: &str, folder: &Path) -> Result<String> {
        let Self::Running(mut running) = self else {
            return Ok(String::new());
        };
        kill_process(Pid::from_child(&running.child), Signal::INT)?;
        let asked = Instant::now();
        while running.child.try_wait()?.is_none() {
            if asked.elapsed() > PATIENCE {
                bail!("it did not end when asked");
            }
            thread::sleep(Duration::from_millis(2));
        }
        let [said, complained] = [SAID, COMPLAINED]
            .map(|name| fs::read(folder.join(name)).unwrap_or_default())
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        if !said.contains(seen) && !complained.contains(seen) {
            bail!("it saw nothing: {}", complaint(folder));
        }
        Ok(said)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The line of what it complained that says most.
fn complaint(folder: &Path) -> String {
    // Some complain on standard output.
    let text = [SAID, COMPLAINED]
        .map(|name| fs::read(folder.join(name)).unwrap_or_default())
        .concat();
    reason(&String::from_utf8_lossy(&text)).to_owned()
}

/// The first line that names an error, as what follows comes of it; else the last one. bpftrace
/// and libbpf complain that a limit of memory can't be raised, and go on.
fn reason(text: &str) -> &str {
    let lines = || text.lines().map(str::trim).filter(|line| !line.is_empty());
    let names_one = |line: &&str| {
        let small = line.to_lowercase();
        let names = ["error", "failed", "cannot", "can't", "no such"];
        names.iter().any(|word| small.contains(word)) && !small.contains("memlock")
    };
    let found = lines().find(names_one).or_else(|| lines().next_back());
    found.unwrap_or("it said nothing")
}

/// How many descriptors it has that stand for a probe.
fn probes_of(pid: u32) -> usize {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return 0;
    };
    let targets = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let stands = |path: &std::path::PathBuf| {
        let name = path.to_string_lossy();
        name.contains("bpf_link")
            || name.contains("bpf-link")
            || name.contains("perf_event")
            || name.contains("bpf-raw-tracepoint")
    };
    targets.filter(stands).count()
}

fn is_traced(pid: u32) -> bool {
    status(pid, "TracerPid:").is_some_and(|tracer| tracer > 0)
}

/// The largest resident size so far, in bytes.
pub(super) fn peak(pid: u32) -> Option<u64> {
    Some(status(pid, "VmHWM:")? * 1024)
}

fn status(pid: u32, name: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let value = status.lines().find_map(|line| line.strip_prefix(name))?;
    value.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_is_the_first_error() {
        let said = "ERROR: couldn't set RLIMIT_MEMLOCK for bpftrace.\n\
            libbpf: failed to find it\nfailed to load\n";
        assert_eq!(reason(said), "libbpf: failed to find it");
        assert_eq!(reason("one\n two \n\n"), "two");
        assert_eq!(reason(""), "it said nothing");
    }

    #[test]
    fn this_process_has_a_status() {
        let pid = std::process::id();
        assert!(peak(pid).unwrap() > 0);
        assert!(!is_traced(pid) || probes_of(pid) == 0);
    }
}
