//! The bundled reader end to end: a real process on a real file. Nothing here needs the
//! profiler or root; what can't be tried without them says so and is left out.

#![allow(
    clippy::unwrap_used,
    reason = "all of it is tests, also what is no #[test] itself"
)]

use std::fs;
use std::ops::ControlFlow;
use std::os::fd::AsFd as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use profiler::workload::{
    Identity, Op, Options, OwnFile, Reader, Scenario, Spec, State, Style, Subject, residency, state,
};
use rustix::process::Signal;

const PROGRAM: &str = env!("CARGO_BIN_EXE_profiler");
const SIZE: u64 = 16 << 20;
/// More reads than anyone would wait for.
const ENDLESS: Options = Options {
    reads: Some(4 << 20),
    block_size: 65536,
    threads: 1,
    seed: 1,
};

fn go_on(_: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn own(owner: &Identity) -> Subject {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR"));
    OwnFile::create(dir, SIZE, owner, &mut go_on).unwrap()
}

/// Somebody without rights, if this process may become them.
fn somebody() -> Identity {
    if rustix::process::geteuid().is_root() {
        Identity {
            uid: 65534,
            gid: 65534,
            groups: vec![65534],
        }
    } else {
        Identity::current().unwrap()
    }
}

fn spawn(spec: &Spec, identity: &Identity, subject: &Subject) -> anyhow::Result<Reader> {
    Reader::spawn_program(Path::new(PROGRAM), spec, identity, Some(subject.as_fd()))
}

fn spec(name: &str, subject: &Subject, options: &Options) -> Spec {
    Scenario::by_name(name)
        .unwrap()
        .spec(subject.path(), subject.size(), options)
}

/// A reader of one's own that reads a warm file for longer than the test takes.
fn endless(subject: &Subject) -> Reader {
    let me = Identity::current().unwrap();
    let reader = spawn(&spec("warm", subject, &ENDLESS), &me, subject).unwrap();
    reader.go().unwrap();
    reader
}

/// A number of /proc/PID/io.
fn io(pid: u32, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/io")).unwrap();
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    value.unwrap().parse().unwrap()
}

fn gone(pid: u32) -> bool {
    !Path::new(&format!("/proc/{pid}")).exists()
}

fn signal(pid: u32, signal: Signal) {
    let pid = rustix::process::Pid::from_raw(pid.try_into().unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

#[test]
fn every_scenario_is_what_it_says() {
    let somebody = somebody();
    let subject = own(&somebody);
    for scenario in Scenario::ALL {
        let name = scenario.name;
        let spec = spec(
            name,
            &subject,
            &Options {
                threads: 2,
                ..Options::default()
            },
        );
        if spec.style == Style::Direct && subject.direct().is_none() {
            eprintln!("left out: {name}, the file system takes no O_DIRECT");
            continue;
        }
        spec.validate(subject.direct()).unwrap();
        let mut reader = spawn(&spec, &somebody, &subject).unwrap();
        let pid = reader.pid();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let ids = format!("Uid:\t{0}\t{0}\t{0}\t{0}", somebody.uid);
        assert!(status.contains(&ids), "{name}: {status}");
        let before = state::bring_about(&subject, scenario.state, &mut go_on).unwrap();
        assert!(if scenario.state == State::Cold {
            before.is_cold()
        } else {
            before.is_warm()
        });
        let (calls, bytes) = (io(pid, "syscr"), io(pid, "rchar"));

        reader.go().unwrap();
        let done = reader.wait_done().unwrap();

        let threads = reader.ops();
        let ops: Vec<Op> = threads
            .iter()
            .flat_map(|thread| thread.ops.clone())
            .collect();
        assert_eq!(
            (done.ops, ops.len() as u64),
            (spec.reads, spec.reads),
            "{name}"
        );
        assert_eq!(
            done.bytes,
            ops.iter().map(|op| op.returned as u64).sum::<u64>(),
            "{name}"
        );
        assert!(
            ops.iter().all(|op| op.returned == 4096 && op.asked == 4096),
            "{name}"
        );
        assert!(ops.iter().all(|op| op.start_ns <= op.end_ns), "{name}");
        for thread in &threads {
            let later = thread.ops.clone().skip(1);
            assert!(
                thread
                    .ops
                    .clone()
                    .zip(later)
                    .all(|(a, b)| a.end_ns <= b.start_ns),
                "{name}"
            );
            let task = format!("/proc/{pid}/task/{}/comm", thread.tid);
            assert_eq!(fs::read_to_string(task).unwrap(), "reader\n", "{name}");
        }
        let mut offsets: Vec<_> = ops.iter().map(|op| op.offset).collect();
        offsets.sort_unstable();
        assert!(
            offsets.into_iter().eq((0..spec.reads).map(|i| i * 4096)),
            "{name}"
        );

        drop(threads);
        // The reads that the kernel counts are the ops, to the last one.
        let mapped = spec.style == Style::Mapped;
        let want = if mapped {
            (0, 0)
        } else {
            (done.ops, done.bytes)
        };
        assert_eq!(
            (io(pid, "syscr") - calls, io(pid, "rchar") - bytes),
            want,
            "{name}"
        );
        if mapped {
            assert!(done.major_faults > 0, "{name}: {done:?}");
        }

        let after = residency(subject.file()).unwrap();
        // What was read is there, unless memory was reclaimed meanwhile; then it says so.
        let there = after.resident + after.evicted.unwrap_or(0);
        let want = if spec.style == Style::Direct {
            0
        } else {
            after.total
        };
        assert_eq!(there, want, "{name}: {after:?}");
        reader.finish().unwrap();
        assert!(gone(pid), "{name}");
    }
}

#[test]
fn a_reader_stops_when_asked() {
    let subject = own(&Identity::current().unwrap());
    let mut reader = endless(&subject);
    let stopper = reader.stopper();
    let stopping = std::thread::spawn(move || {
        sleep(Duration::from_millis(50));
        stopper.stop();
    });
    let done = reader.wait_done().unwrap();
    stopping.join().unwrap();
    assert!(
        done.ops > 0 && done.ops < ENDLESS.reads.unwrap(),
        "{done:?}"
    );
    assert_eq!(reader.ops()[0].ops.len() as u64, done.ops);
    reader.finish().unwrap();
}

#[test]
fn sigint_is_left_to_the_parent() {
    let me = Identity::current().unwrap();
    let subject = own(&me);
    let mut reader = spawn(&spec("warm", &subject, &Options::default()), &me, &subject).unwrap();
    signal(reader.pid(), Signal::INT);
    reader.go().unwrap();
    assert_eq!(reader.wait_done().unwrap().ops, SIZE / 4096);
    reader.finish().unwrap();
}

#[test]
fn what_a_dead_reader_recorded_is_kept() {
    let subject = own(&Identity::current().unwrap());
    let mut reader = endless(&subject);
    while reader.ops()[0].ops.len() < 10 {
        sleep(Duration::from_millis(1));
    }
    signal(reader.pid(), Signal::KILL);
    let error = reader.wait_done().unwrap_err().to_string();
    assert!(error.contains("SIGKILL"), "{error}");
    assert!(error.contains("somebody killed it"), "{error}");
    assert!(
        reader.ops()[0]
            .ops
            .clone()
            .all(|op| op.returned == 65536 && op.end_ns > 0)
    );
}

#[test]
fn a_dropped_reader_is_gone() {
    let subject = own(&Identity::current().unwrap());
    let reader = endless(&subject);
    let pid = reader.pid();
    drop(reader);
    assert!(gone(pid));
}

/// This test started again is the parent that is killed.
#[test]
fn a_killed_parent_takes_its_reader_along() {
    const ROLE: &str = "WORKLOAD_TEST_PARENT";
    const NAME: &str = "a_killed_parent_takes_its_reader_along";
    if let Ok(file) = std::env::var(ROLE) {
        let subject = own(&Identity::current().unwrap());
        let reader = endless(&subject);
        fs::write(&file, format!("{}\n", reader.pid())).unwrap();
        sleep(Duration::from_secs(60));
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pid");
    let mut parent = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME])
        .env(ROLE, &file)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    let pid: u32 = loop {
        let text = fs::read_to_string(&file).unwrap_or_default();
        if text.ends_with('\n') {
            break text.trim().parse().unwrap();
        }
        assert!(Instant::now() < until, "no reader was started");
        sleep(Duration::from_millis(10));
    };
    parent.kill().unwrap();
    assert_eq!(parent.wait().unwrap().signal(), Some(9));
    while !gone(pid) {
        assert!(
            Instant::now() < until,
            "the reader {pid} outlived its parent"
        );
        sleep(Duration::from_millis(10));
    }
}

#[test]
fn what_cannot_be_read_says_why() {
    let me = Identity::current().unwrap();
    let subject = own(&me);
    let spec = spec("warm", &subject, &Options::default());
    let by_path = |program: &str, spec: &Spec| {
        Reader::spawn_program(Path::new(program), spec, &me, None)
            .unwrap_err()
            .to_string()
    };

    let shrunk = Spec {
        file_size: SIZE * 2,
        ..spec.clone()
    };
    let error = spawn(&shrunk, &me, &subject).unwrap_err().to_string();
    assert!(error.contains("the file shrank"), "{error}");

    let none = Spec {
        reads: 0,
        ..spec.clone()
    };
    let error = spawn(&none, &me, &subject).unwrap_err().to_string();
    assert!(error.contains("0 reads show nothing"), "{error}");

    let missing = Spec {
        path: "/nowhere/at/all".into(),
        ..spec
    };
    let error = by_path(PROGRAM, &missing);
    assert!(error.contains("cannot open \"/nowhere/at/all\""), "{error}");

    let error = by_path("/nowhere", &spec);
    assert!(error.contains("cannot start the reader"), "{error}");

    let error = by_path("/bin/false", &spec);
    assert!(error.contains("ended early (exit status: 1)"), "{error}");

    if rustix::process::geteuid().is_root() {
        let error = spawn(&spec, &somebody(), &subject).unwrap_err().to_string();
        assert!(error.contains("user 65534, who may not read"), "{error}");
    } else {
        eprintln!("left out: a file of somebody else's, this is not root");
    }
}

#[test]
fn the_environment_is_clean_and_nothing_else_is_inherited() {
    let somebody = somebody();
    let subject = own(&somebody);
    let spec = spec("readahead", &subject, &Options::default());
    let reader = spawn(&spec, &somebody, &subject).unwrap();
    let proc = format!("/proc/{}", reader.pid());
    assert_eq!(fs::read(format!("{proc}/environ")).unwrap(), b"");
    let mut open: Vec<_> = fs::read_dir(format!("{proc}/fd"))
        .unwrap()
        .map(|entry| {
            fs::read_link(entry.unwrap().path())
                .unwrap()
                .display()
                .to_string()
        })
        .collect();
    open.sort_unstable();
    // The name of the file, and the file itself, opened by the reader.
    let dir = format!("{}/#", subject.path().display());
    let (files, rest): (Vec<_>, Vec<_>) = open.iter().partition(|name| name.starts_with(&dir));
    assert_eq!(files.len(), 2, "{open:?}");
    let rest: Vec<_> = rest
        .iter()
        .map(|name| name.split(':').next().unwrap())
        .collect();
    assert_eq!(
        rest,
        ["/dev/null", "/dev/null", "pipe", "socket"],
        "{open:?}"
    );
    reader.finish().unwrap();
}

#[test]
fn only_the_profiler_starts_a_reader() {
    for args in [
        &["reader"] as &[_],
        &["reader", "0"],
        &["reader", "99"],
        &["reader", "x"],
    ] {
        let output = Command::new(PROGRAM).args(args).output().unwrap();
        assert!(!output.status.success());
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("for the profiler's own use"), "{said}");
    }
}
