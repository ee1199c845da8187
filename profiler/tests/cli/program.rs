//! Starts the program, and looks at what it leaves behind.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs,
    io::Write as _,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_profiler");
pub(crate) const NOBODY: u32 = 65534;

/// Not a limit that anything is measured against: whatever takes longer hangs.
const HANGS: Duration = Duration::from_secs(120);

/// How the program ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub status: ExitStatus,
    pub out: Vec<u8>,
    pub err: Vec<u8>,
}

impl Ended {
    pub(crate) fn out(&self) -> String {
        String::from_utf8(self.out.clone()).unwrap()
    }

    pub(crate) fn err(&self) -> String {
        String::from_utf8(self.err.clone()).unwrap()
    }

    /// The exit code.
    #[track_caller]
    pub(crate) fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| panic!("{self:?}"))
    }

    #[track_caller]
    pub(crate) fn succeeds(self) -> Self {
        assert!(self.status.success(), "{}\n{}", self.status, self.err());
        self
    }

    /// It refused: with a code, one line on standard error that has all of these words
    /// in it, and nothing on standard output.
    #[track_caller]
    pub(crate) fn refuses(&self, words: &[&str]) {
        let err = self.err();
        assert_eq!(self.status.code(), Some(1), "{err}");
        assert!(self.out.is_empty(), "{}", self.out());
        assert!(
            err.starts_with("profiler: ") && err.lines().count() == 1,
            "{err}"
        );
        for word in words {
            assert!(err.contains(word), "{word:?} is not in {err}");
        }
    }
}

/// The program with some arguments and nothing from the environment that changes it.
pub(crate) fn profiler<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    of_program(Path::new(PROGRAM), args)
}

fn of_program<S: AsRef<OsStr>>(program: &Path, args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(program);
    command
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for variable in [
        "NO_COLOR",
        "RUST_LOG",
        "SUDO_UID",
        "SUDO_GID",
        "CLICOLOR_FORCE",
    ] {
        command.env_remove(variable);
    }
    command
}

/// Runs a command to its end.
#[track_caller]
pub(crate) fn run(command: &mut Command) -> Ended {
    finish(command.spawn().unwrap())
}

/// Waits for a child to end; one that does not is ended.
#[track_caller]
pub(crate) fn finish(mut child: Child) -> Ended {
    let mut pipes = (child.stdout.take(), child.stderr.take());
    let out = thread::spawn(move || all(pipes.0.as_mut()));
    let err = thread::spawn(move || all(pipes.1.as_mut()));
    let started = Instant::now();
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if started.elapsed() > HANGS => {
                child.kill().unwrap();
                child.wait().unwrap();
                panic!(
                    "it hangs; it said:\n{}",
                    String::from_utf8_lossy(&err.join().unwrap())
                );
            }
            None => thread::sleep(Duration::from_millis(5)),
        }
    };
    Ended {
        status,
        out: out.join().unwrap(),
        err: err.join().unwrap(),
    }
}

fn all(pipe: Option<&mut impl std::io::Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.read_to_end(&mut bytes).unwrap();
    }
    bytes
}

/// Waits until something is so.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < HANGS, "it never came to be that {what}");
        thread::sleep(Duration::from_millis(2));
    }
}

/// A folder on a disk, as `bench` needs one: the build's.
pub(crate) fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Whether the probes can be loaded here; if not, says why the test is left out.
pub(crate) fn can_watch() -> bool {
    const CAP_SYS_ADMIN: u64 = 1 << 21;
    const CAP_BPF: u64 = 1 << 39;
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let rights = status
        .lines()
        .find_map(|line| u64::from_str_radix(line.strip_prefix("CapEff:")?.trim(), 16).ok());
    let why = if !is_root() {
        "it takes root"
    } else if rights.unwrap_or(0) & (CAP_BPF | CAP_SYS_ADMIN) == 0 {
        "root may not load programs into this kernel"
    } else if !run(&mut profiler(["doctor"])).status.success() {
        "this kernel lacks what the probes need (profiler doctor)"
    } else {
        return true;
    };
    skipped(why);
    false
}

/// Says so past the test harness, which keeps what passing tests print to itself.
pub(crate) fn skipped(why: &str) {
    let name = thread::current().name().unwrap_or_default().to_owned();
    let line = format!("skipped: {name}: {why}\n");
    std::io::stdout().write_all(line.as_bytes()).unwrap();
}

/// The program where somebody without any rights can start it, as that user; as oneself
/// if one is not root.
pub(crate) struct Nobody {
    program: PathBuf,
    _folder: tempfile::TempDir,
}

impl Nobody {
    pub(crate) fn new() -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let program = folder.path().join("profiler");
        fs::copy(PROGRAM, &program).unwrap();
        Self {
            program,
            _folder: folder,
        }
    }

    pub(crate) fn profiler<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = of_program(&self.program, args);
        command.current_dir("/");
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }
}

/// Programs in the kernel that a process holds, by their ids.
pub(crate) fn probes(pid: u32) -> BTreeSet<u32> {
    let Ok(descriptors) = fs::read_dir(format!("/proc/{pid}/fdinfo")) else {
        return BTreeSet::new();
    };
    descriptors
        .flatten()
        .filter_map(|descriptor| fs::read_to_string(descriptor.path()).ok())
        .flat_map(|text| {
            let ids = text.lines().filter_map(|line| {
                let id = line.strip_prefix("prog_id:")?;
                id.trim().parse().ok()
            });
            ids.collect::<Vec<u32>>()
        })
        .collect()
}

/// Waits until the kernel has none of these programs any more.
#[track_caller]
pub(crate) fn gone(probes: &BTreeSet<u32>) {
    assert!(!probes.is_empty(), "there were no probes to be gone");
    until("the probes are gone", || {
        aya::programs::loaded_programs()
            .flatten()
            .all(|program| !probes.contains(&program.id()))
    });
}

/// The children of a process, of whichever of its threads.
pub(crate) fn children(pid: u32) -> Vec<u32> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    threads
        .flatten()
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|text| {
            let ids = text.split_ascii_whitespace().map(|id| id.parse().unwrap());
            ids.collect::<Vec<u32>>()
        })
        .collect()
}

pub(crate) fn lives(pid: u32) -> bool {
    // A zombie has no command line, and is nobody's trouble but its parent's.
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

pub(crate) fn tell(pid: u32, signal: i32) {
    // SAFETY: a process that the test has started.
    assert_eq!(unsafe { libc::kill(pid as i32, signal) }, 0);
}

/// Did it die of a signal?
pub(crate) fn signal(ended: &Ended) -> Option<i32> {
    ended.status.signal()
}

/// Nothing that acts on a terminal, but for the ends of lines.
#[track_caller]
pub(crate) fn assert_harmless(bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).expect("what is said is UTF-8");
    let acts = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
    assert!(!text.contains(acts), "{text:?}");
}
