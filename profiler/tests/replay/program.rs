//! The program on files that are no reports: it ends, says why, and takes little memory.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::sys::resource::{UsageWho, getrusage};

use profiler::lab::proof::{self, Line, Part};

use crate::{
    frames::{BEGINNING, ENDING, FILE, STACK, bytes, frames, recording},
    reports::as_text,
};

/// Not a limit that anything is measured against: whatever takes longer hangs.
const HANGS: Duration = Duration::from_secs(120);

/// KiB that no input may take the program beyond.
const MOST: i64 = 256 << 10;

struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ended {
    /// One line that says what is wrong with what.
    #[track_caller]
    fn refuses(&self, words: &[&str]) {
        assert_eq!(self.code, Some(1), "{}", self.err);
        assert!(self.out.is_empty(), "{}", self.out);
        let one = self.err.starts_with("profiler: ") && self.err.lines().count() == 1;
        assert!(one, "{}", self.err);
        for word in words {
            assert!(self.err.contains(word), "{word:?} is not in {}", self.err);
        }
    }
}

fn report(path: &Path, stdin: Stdio) -> Child {
    Command::new(env!("CARGO_BIN_EXE_profiler"))
        .arg("report")
        .arg(path)
        .env("NO_COLOR", "1")
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

#[track_caller]
fn ended(mut child: Child) -> Ended {
    let read = |mut from: Box<dyn io::Read + Send>| {
        thread::spawn(move || {
            let mut text = String::new();
            from.read_to_string(&mut text).unwrap();
            text
        })
    };
    let out = read(Box::new(child.stdout.take().unwrap()));
    let err = read(Box::new(child.stderr.take().unwrap()));
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if started.elapsed() > HANGS {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("it hangs; it said: {}", err.join().unwrap());
        }
        thread::sleep(Duration::from_millis(5));
    };
    // Of the largest child so far: each of them has to stay below.
    let most = getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss();
    assert!(most < MOST, "{} MiB of memory", most >> 10);
    Ended {
        code: status.code(),
        out: out.join().unwrap(),
        err: err.join().unwrap(),
    }
}

/// What goes on for ever, or until nobody listens.
#[track_caller]
fn endless(begin: &[u8], again: impl Fn(u64) -> Vec<u8> + Send + 'static) -> Ended {
    let mut child = report(Path::new("/dev/stdin"), Stdio::piped());
    let mut pipe = child.stdin.take().unwrap();
    let begin = begin.to_vec();
    let writer = thread::spawn(move || {
        let mut wrote = pipe.write_all(&begin);
        for n in 0.. {
            if wrote.is_err() {
                return;
            }
            wrote = pipe.write_all(&again(n));
        }
    });
    let ended = ended(child);
    writer.join().unwrap();
    ended
}

fn proved(what: &str, provoked: &str, asked: u64) {
    proof::record(&Line::Witness {
        part: Part::Damage,
        what,
        provoked,
        witness: "exit code 1 and a line that says why, or a marked report; below 256 MiB",
        asked,
        agreed: asked,
    })
    .expect("to be written down");
}

#[test]
fn an_endless_report_is_refused() {
    let chunk = |text: &'static str| move |_| text.repeat(1 << 12).into_bytes();
    endless(b"", chunk("\0")).refuses(&["neither a report"]);
    endless(b"", chunk("[")).refuses(&["neither a report"]);
    let large = ["larger than any report (128 MiB)"];
    endless(b"", chunk(" ")).refuses(&large);
    endless(b"{\"schema\":\"", chunk("x")).refuses(&large);
    endless(b"{", chunk("\"a\":[[[[[[[[")).refuses(&large);
    endless(b"{\"a\":[0", chunk(",\"\"")).refuses(&large);
    endless(b"{\"schema\":1", chunk("0000")).refuses(&large);
    proved(
        "an endless report (JSON)",
        "zeros, blanks, a text, lists, a number",
        7,
    );
}

/// More than a session ever has: damage, and what came before it is shown.
#[test]
fn an_endless_recording_is_cut_off_and_marked() {
    let whole = frames(&bytes("run"));
    let begin = recording(&whole[..2]);
    let of = |tag: u8| {
        let found = whole.iter().find(|(of, _)| *of == tag);
        found.unwrap_or_else(|| panic!("no frame {tag}")).clone()
    };
    let frame = |tag: u8, payload: String| {
        let bytes = recording(&[(tag, payload.into_bytes())]);
        bytes[crate::frames::HEAD..].to_vec()
    };
    let stacks = endless(&begin, move |n| {
        let frames = ["io_schedule"; 48].join("\",\"");
        frame(STACK, format!("{{\"id\":{n},\"frames\":[\"{frames}\"]}}"))
    });
    let files = endless(&begin, move |n| {
        let path = "x".repeat(4000);
        frame(
            FILE,
            format!("{{\"dev\":1,\"inode\":{n},\"path\":\"{path}\"}}"),
        )
    });
    let scenario = recording(&[of(BEGINNING), of(ENDING)])[crate::frames::HEAD..].to_vec();
    let scenarios = endless(&recording(&whole[..1]), move |_| scenario.clone());
    for (what, ended) in [
        ("stacks", stacks),
        ("files", files),
        ("scenarios", scenarios),
    ] {
        assert_eq!(ended.code, Some(0), "{what}: {}", ended.err);
        let words = ended.out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            words.contains("the recording is damaged"),
            "{what}: {words}"
        );
        assert!(words.contains(what), "{what}: {words}");
    }
    proved(
        "an endless recording",
        "stacks, files, scenarios without end",
        3,
    );
}

#[test]
fn what_is_no_file_of_ours_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let huge = File::create(at("huge")).unwrap();
    huge.set_len(1 << 40).unwrap();
    fs::write(at("empty"), "").unwrap();
    fs::write(at("bytes"), [0xff; 4096]).unwrap();
    fs::write(at("blank"), " \n").unwrap();
    std::os::unix::fs::symlink("loop", at("loop")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    let cases = [
        ("huge", &["neither a report"][..]),
        ("empty", &["it is empty"]),
        ("bytes", &["neither a report"]),
        ("blank", &["neither a report"]),
        ("loop", &["cannot open"]),
        ("socket", &["cannot open"]),
        ("missing", &["No such file"]),
        (".", &["it is a directory"]),
        ("/dev/zero", &["neither a report"]),
        ("/dev/null", &["it is empty"]),
        ("/proc/self/mem", &["cannot read it"]),
        ("/proc/self/environ", &["neither a report"]),
        ("\u{1b}[2J\u{202e}", &["No such file"]),
    ];
    for (name, words) in cases {
        let ended = ended(report(&at(name), Stdio::null()));
        ended.refuses(words);
        assert!(
            !ended.err.contains(['\u{1b}', '\u{202e}']),
            "{:?}",
            ended.err
        );
    }
    proved(
        "what is no file of ours",
        "empty, a directory, a socket, /dev/zero, 1 TiB of zeros",
        cases.len() as u64,
    );
}

/// A pipe gives what it has: a byte at a time is as good.
#[test]
fn a_pipe_that_dribbles_is_read_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    for whole in [bytes("run"), as_text("run").into_bytes()] {
        let child = report(&pipe, Stdio::null());
        let mut to = File::options().write(true).open(&pipe).unwrap();
        let (first, rest) = whole.split_at(60);
        for byte in first {
            to.write_all(&[*byte]).unwrap();
            thread::sleep(Duration::from_micros(200));
        }
        to.write_all(rest).unwrap();
        drop(to);
        let ended = ended(child);
        assert_eq!(ended.code, Some(0), "{}", ended.err);
        assert!(ended.out.contains("sleep 0.05 | cat"), "{}", ended.out);
    }
    let child = report(&pipe, Stdio::null());
    drop(File::options().write(true).open(&pipe).unwrap());
    ended(child).refuses(&["it is empty"]);
    proved("a pipe", "a byte at a time; closed at once", 3);
}
