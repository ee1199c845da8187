//! Nothing from outside acts on the terminal.

use std::{
    ffi::OsStr,
    fs,
    os::{
        fd::{FromRawFd as _, OwnedFd},
        unix::{ffi::OsStrExt as _, fs::PermissionsExt as _},
    },
    path::Path,
    process::Stdio,
};

use serde_json::Value;

use crate::program::{Ended, assert_harmless, can_watch, finish, folder, names, profiler, run};

const EVIL: &str = "\u{1b}[31m\u{1b}]0;title\u{7}\r\n\u{9b}2J\u{202e}";

/// Words on the command line come back in errors.
#[test]
fn arguments_do_not_act() {
    let evil = "\u{1b}[31m\nx\u{202e}";
    for args in [
        &["bench", "--scenario", evil][..],
        &["bench", "--size", evil],
        &["bench", evil],
        &[evil],
        &["bench", &format!("--{evil}")],
        &["report", evil],
        &["report", "--format", evil, "x"],
        &["attach", "--pid", evil],
        &["bench", "--json", &format!("/nowhere/{evil}")],
        &["bench", "--dir", evil, "--threads", "0"],
    ] {
        let ended = run(&mut profiler(args));
        assert!(!ended.status.success(), "{args:?}");
        assert_harmless(&ended.err);
        assert_harmless(&ended.out);
    }
    // Not even UTF-8.
    let ended = run(&mut profiler([
        OsStr::from_bytes(b"report"),
        OsStr::from_bytes(b"\xff\x1b"),
    ]));
    assert_harmless(&ended.err);
}

fn poison(value: &mut Value, key: &str) {
    match value {
        // Words that the contract fixes.
        Value::String(_) if ["schema", "relation", "unit", "severity"].contains(&key) => {}
        Value::String(text) => text.push_str(EVIL),
        Value::Array(items) => items.iter_mut().for_each(|item| poison(item, key)),
        Value::Object(fields) => fields
            .iter_mut()
            .for_each(|(key, field)| poison(field, key)),
        _ => {}
    }
}

/// A report from somebody else, with something in every string.
#[test]
fn strings_of_a_report_do_not_act() {
    let folder = folder();
    for name in ["run", "mapped", "cold-random"] {
        let path =
            Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/recordings/{name}.json"));
        let mut report: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        poison(&mut report, "");
        let path = folder.path().join("evil.json");
        fs::write(&path, report.to_string()).unwrap();
        let ended = run(profiler(["report"]).arg(&path)).succeeds();
        assert_harmless(&ended.out);
        assert!(
            ended.out().contains("\\x1b[31m"),
            "the string is not there at all"
        );
        let ended = run(profiler(["report", "--format", "json"]).arg(&path)).succeeds();
        assert!(!ended.out.contains(&0x1b));
        let same: Value = serde_json::from_slice(&ended.out).unwrap();
        assert_eq!(same["session"], report["session"]);
    }
}

#[test]
fn names_of_commands_and_files_do_not_act() {
    if !can_watch() {
        return;
    }
    let folder = folder();
    // Its name becomes the scenario's, its threads' and part of the command line.
    let script = folder.path().join("\u{1b}[31mevil\n");
    fs::copy("/bin/cat", &script).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let data = folder.path().join("\u{1b}[2J\ndata");
    fs::write(&data, [1; 8192]).unwrap();
    let mut command = profiler(["run", "--threshold", "0s", "--every-call", "--"]);
    let ended = run(command.arg(&script).arg(&data)).succeeds();
    assert_eq!(ended.out, [1; 8192]);
    assert_harmless(&ended.err);
    let err = ended.err();
    assert!(
        err.contains("\\x1b[31mevil\\n") && err.contains("\\x1b[2J\\ndata"),
        "{err}"
    );

    let mut command = profiler(["bench", "--scenario", "cold-random", "--block-size", "4K"]);
    let ended = run(command.args(["--reads", "2"]).arg(&data)).succeeds();
    assert_harmless(&ended.out);
    assert!(ended.out().contains("\\x1b[2J\\ndata"), "{}", ended.out());
    assert_eq!(names(folder.path()).len(), 2);
}

/// Runs the program with standard output on a terminal.
fn on_terminal(colour: Option<&str>) -> Ended {
    let (mut master, mut slave) = (0, 0);
    let null = std::ptr::null_mut();
    // SAFETY: two places for descriptors, and nothing asked of the terminal.
    let opened = unsafe {
        libc::openpty(
            &raw mut master,
            &raw mut slave,
            null,
            null.cast(),
            null.cast(),
        )
    };
    assert_eq!(opened, 0);
    // SAFETY: both were opened just now, and belong to nobody else.
    let (master, slave) = unsafe { (OwnedFd::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) };
    let mut command = profiler(["report"]);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings/warm.rec"));
    if let Some(colour) = colour {
        command.env("NO_COLOR", colour);
    }
    let child = command.stdout(Stdio::from(slave)).spawn().unwrap();
    drop(command);
    let reader = std::thread::spawn(move || {
        // When nobody has the other end any more, reading ends with EIO.
        let mut bytes = Vec::new();
        let mut master = fs::File::from(master);
        let _ = std::io::Read::read_to_end(&mut master, &mut bytes);
        bytes
    });
    let mut ended = finish(child).succeeds();
    ended.out = reader.join().unwrap();
    ended
}

#[test]
fn colour_is_for_terminals_that_want_it() {
    let escapes = |ended: &Ended| ended.out.contains(&0x1b);
    let (plain, unset, empty) = (
        on_terminal(Some("1")),
        on_terminal(None),
        on_terminal(Some("")),
    );
    assert!(!escapes(&plain) && !plain.out.is_empty());
    // The convention: empty is as good as not set.
    assert!(escapes(&unset) && escapes(&empty));
}
