//! Files that are read and written: reports, recordings, outputs.

use std::{fs, fs::File, path::Path};

use crate::program::{Nobody, can_watch, folder, is_root, names, profiler, run, skipped};

fn recordings() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recordings"))
}

#[test]
fn a_report_is_shown_from_json_as_from_its_recording() {
    let from = |name: &str| {
        let mut command = profiler(["report"]);
        command.arg(recordings().join(name));
        run(&mut command).succeeds().out()
    };
    let text = from("cold-random.json");
    assert_eq!(text, from("cold-random.rec"));
    assert!(text.contains("200 miss"), "{text}");
}

#[test]
fn what_is_no_report_is_refused() {
    let folder = folder();
    let golden = fs::read(recordings().join("warm.json")).unwrap();
    let recording = fs::read(recordings().join("warm.rec")).unwrap();
    let half = golden.len() / 2;
    for (name, content, word) in [
        ("empty", &b""[..], "it is empty"),
        ("garbage", b"\x00\xff\x1b[2Jnonsense", "neither a report"),
        ("truncated", &golden[..half], "cut short: it ends at line"),
        ("list", b"[]", "neither a report"),
        ("other", b"{\"key\": 1}", "no \"schema\""),
        (
            "version",
            b"{\"schema\": \"profiler.report/2\"}",
            "profiler.report/2",
        ),
        ("torn", b"{\"schema\": \"profiler.report/1\"}", "damaged"),
        ("past", b"profiler.recording/1\n1234", "another layout"),
        ("future", b"profiler.recording/9\n1234", "reads layout 3"),
        ("begun", b"profiler.recording/3\n", "no opening"),
        ("cut", &recording[..100], "damaged"),
    ] {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        let ended = run(profiler(["report"]).arg(&path));
        ended.refuses(&[name, word]);
    }
    run(profiler(["report"]).arg(folder.path())).refuses(&["directory"]);
    run(&mut profiler(["report", "/nowhere"])).refuses(&["/nowhere", "No such file"]);
    run(&mut profiler(["report", "/dev/null"])).refuses(&["it is empty"]);
}

/// What is left of a recording is shown, and says that it is not all.
#[test]
fn a_recording_that_was_cut_off_says_so() {
    let folder = folder();
    let path = folder.path().join("cut");
    let recording = fs::read(recordings().join("warm.rec")).unwrap();
    fs::write(&path, &recording[..recording.len() - 10]).unwrap();
    let ended = run(profiler(["report"]).arg(&path)).succeeds();
    let words: Vec<_> = ended.out().split_whitespace().map(String::from).collect();
    let text = words.join(" ");
    assert!(text.contains("the recording is damaged"), "{text}");
}

#[test]
fn a_report_that_may_not_be_read_is_refused() {
    if !is_root() {
        return skipped("it takes root to make a file that this user may not read");
    }
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let path = folder.path().join("secret");
    fs::copy(recordings().join("warm.json"), &path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let nobody = Nobody::new();
    run(nobody.profiler(["report"]).arg(&path)).refuses(&["secret", "Permission denied"]);
}

#[test]
fn a_full_disk_is_told_and_a_reader_that_left_is_not() {
    let report = recordings().join("warm.rec");
    for format in ["text", "json"] {
        let mut command = profiler(["report", "--format", format]);
        let full = File::options().write(true).open("/dev/full").unwrap();
        let ended = run(command.arg(&report).stdout(full));
        ended.refuses(&["standard output", "No space left"]);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = profiler(["report", "--format", format]);
        let ended = run(command.arg(&report).stdout(writer)).succeeds();
        assert!(ended.err.is_empty(), "{}", ended.err());
    }
}

/// Before anything else is done: nobody waits for a bench whose report has no place.
#[test]
fn a_report_that_could_not_be_written_is_refused_first() {
    let folder = folder();
    let missing = folder.path().join("missing/out.json");
    for command in [&["bench"][..], &["run"]] {
        for path in [missing.as_path(), folder.path()] {
            let mut command = profiler(command);
            command.arg("--json").arg(path);
            if command.get_args().next().unwrap() == "run" {
                command.args(["--", "touch"]).arg(folder.path().join("ran"));
            }
            run(command.current_dir(&folder)).refuses(&["cannot write"]);
        }
    }
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn a_recording_replaces_nothing() {
    let folder = folder();
    let path = folder.path().join("mine");
    fs::write(&path, "precious").unwrap();
    let mut command = profiler(["bench", "--size", "4M", "--record", "mine"]);
    run(command.current_dir(&folder)).refuses(&["mine", "exists"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "precious");
    assert_eq!(names(folder.path()), ["mine"]);
}

/// A session that never began leaves no recording of itself.
#[test]
fn a_recording_of_nothing_is_not_left_behind() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let nobody = Nobody::new();
    let mut command = nobody.profiler(["run", "--record", "r", "--json", "j", "--", "touch", "t"]);
    let ended = run(command.current_dir(&folder));
    ended.refuses(&["root", "sudo"]);
    assert_eq!(names(folder.path()), [""; 0]);
}

const SMALL: [&str; 7] = [
    "bench",
    "--size",
    "4M",
    "--reads",
    "100",
    "--scenario",
    "warm",
];

#[test]
fn json_to_standard_output_is_all_there_is() {
    if !can_watch() {
        return;
    }
    let folder = folder();
    let mut command = profiler(SMALL);
    let ended = run(command.args(["--json", "-"]).current_dir(&folder)).succeeds();
    let report: serde_json::Value = serde_json::from_slice(&ended.out).unwrap();
    assert_eq!(report["schema"], "profiler.report/1");
    assert_eq!(report["scenarios"][0]["calls"], 100);
    assert!(ended.err.is_empty(), "{}", ended.err());
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn a_report_that_cannot_be_written_in_the_end_is_an_error() {
    if !can_watch() {
        return;
    }
    let folder = folder();
    let mut command = profiler(SMALL);
    let ended = run(command.args(["--json", "/dev/full"]).current_dir(&folder));
    assert_eq!(ended.code(), 1);
    // The report was shown all the same.
    assert!(ended.out().contains("100 hit"), "{}", ended.out());
    assert!(ended.err().contains("No space left"), "{}", ended.err());
    assert_eq!(names(folder.path()), [""; 0]);
}
