//! `profiler run`: a command is what it is without us, and the report comes beside it.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    process::{Command, Stdio},
};

use crate::program::{PROGRAM, can_watch, children, finish, folder, profiler, run, tell, until};

fn watched(words: &[&str]) -> Command {
    let mut command = profiler(["run", "--"]);
    command.args(words);
    command
}

#[test]
fn exit_codes_are_passed_on() {
    if !can_watch() {
        return;
    }
    let folder = folder();
    let text = folder.path().join("text");
    fs::write(&text, "no program").unwrap();
    fs::set_permissions(&text, fs::Permissions::from_mode(0o644)).unwrap();
    for (words, code) in [
        (&["true"][..], 0),
        (&["sh", "-c", "exit 3"], 3),
        (&["sh", "-c", "exit 255"], 255),
        (&[text.to_str().unwrap()], 126),
        (&["/nowhere/command"], 127),
        (&["no-such-command-anywhere"], 127),
        (&["sh", "-c", "kill -TERM $$"], 128 + libc::SIGTERM),
        (&["sh", "-c", "kill -KILL $$"], 128 + libc::SIGKILL),
    ] {
        let ended = run(&mut watched(words));
        assert_eq!(ended.code(), code, "{words:?}: {}", ended.err());
        assert!(ended.out.is_empty(), "{words:?}");
        // The report comes in any case, on standard error.
        assert!(
            ended.err().contains("profiler "),
            "{words:?}: {}",
            ended.err()
        );
    }
}

#[test]
fn what_it_reads_and_writes_passes_through() {
    if !can_watch() {
        return;
    }
    let folder = folder();
    let bytes: Vec<u8> = (0..1 << 20).map(|n: u32| ((n * 7) >> 3) as u8).collect();
    fs::write(folder.path().join("third"), "by descriptor 3").unwrap();
    let script = "cat; cat <&3; printf ' and its error' >&2; printf \" $WORD\"";
    // The shell gives descriptor 3 to the profiler, which hands it on untouched.
    let mut outer = Command::new("sh");
    outer
        .args(["-c", "exec \"$0\" run -- sh -c \"$1\" 3<third"])
        .arg(crate::program::PROGRAM)
        .arg(script)
        .env("WORD", "environment")
        .current_dir(&folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = outer.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let to_write = bytes.clone();
    let writer = std::thread::spawn(move || stdin.write_all(&to_write).unwrap());
    let ended = finish(child).succeeds();
    writer.join().unwrap();
    let mut expected = bytes;
    expected.extend(b"by descriptor 3 environment");
    assert!(
        ended.out == expected,
        "{} bytes came through",
        ended.out.len()
    );
    assert!(ended.err().starts_with(" and its error"), "{}", ended.err());
    assert!(ended.err().contains("where it went"), "{}", ended.err());
}

/// As without us, SIGPIPE ends who writes to nobody.
#[test]
fn a_broken_pipe_ends_the_command() {
    if !can_watch() {
        return;
    }
    let ended = run(&mut watched(&["sh", "-c", "yes | head -n 1"])).succeeds();
    assert_eq!(ended.out, b"y\n");
    assert!(!ended.err().contains("Broken pipe"), "{}", ended.err());
}

#[test]
fn json_and_the_command_share_standard_output_only_if_told_to() {
    if !can_watch() {
        return;
    }
    let folder = folder();
    let path = folder.path().join("out.json");
    let mut command = profiler(["run", "--json"]);
    command.arg(&path).args([
        "--",
        "dd",
        "if=/dev/zero",
        "bs=4096",
        "count=10",
        "status=none",
    ]);
    let ended = run(&mut command).succeeds();
    assert_eq!(ended.out.len(), 40_960);
    let report: serde_json::Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    assert_eq!(report["scenarios"][0]["name"], "dd");
    assert!(report["scenarios"][0]["calls"].as_u64().unwrap() >= 10);
}

/// What is sent to the profiler is meant for the command: it decides.
#[test]
fn signals_reach_the_command() {
    if !can_watch() {
        return;
    }
    for (name, signal, code) in [
        ("TERM", libc::SIGTERM, 7),
        ("INT", libc::SIGINT, 8),
        ("HUP", libc::SIGHUP, 9),
    ] {
        let folder = folder();
        let script = format!("trap 'exit {code}' {name}; : >ready; while :; do sleep 0.01; done");
        let mut command = watched(&["sh", "-c", &script]);
        let child = command.current_dir(&folder).spawn().unwrap();
        until("the command is ready", || {
            folder.path().join("ready").exists()
        });
        let pid = child.id();
        let command = children(pid);
        tell(pid, signal);
        let ended = finish(child);
        assert_eq!(ended.code(), code, "{name}: {}", ended.err());
        assert!(
            ended.err().contains("where it went"),
            "{name}: {}",
            ended.err()
        );
        assert!(
            command.iter().all(|pid| !crate::program::lives(*pid)),
            "{name}"
        );
    }
}

/// The collector goes before others; what it watches does not.
#[test]
fn the_command_has_the_priority_that_it_would_have_without() {
    if !can_watch() {
        return;
    }
    let own = || {
        let ended = run(Command::new("nice").stdout(Stdio::piped()));
        ended.out().trim().to_owned()
    };
    assert_eq!(run(&mut watched(&["nice"])).out().trim(), own());
    let mut nice = Command::new("nice");
    nice.args(["-n", "5", PROGRAM, "run", "--", "nice"]);
    nice.stdout(Stdio::piped()).stderr(Stdio::piped());
    let five = own().parse::<i32>().unwrap() + 5;
    assert_eq!(run(&mut nice).out().trim(), five.to_string());
}
