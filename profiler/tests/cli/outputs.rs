//! Outputs that fail, that are links, descriptors or pipes: each of the others is there, and
//! nothing is replaced but what was named.

use std::{
    fs::{self, File},
    io::Read as _,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Stdio},
    thread,
};

use crate::program::{can_watch, folder, names, profiler, run};

const RECORDING: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/recordings/cold-random.rec"
);

fn full() -> File {
    File::options().write(true).open("/dev/full").unwrap()
}

/// `profiler report` of a recording, with an export to that path.
fn report(export: &Path) -> Command {
    let mut command = profiler(["report", RECORDING, "--json"]);
    command.arg(export);
    command
}

#[track_caller]
fn is_whole(path: &Path) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.starts_with('{') && text.ends_with("}\n"), "{path:?}");
}

#[test]
fn a_full_standard_error_costs_no_exit_code() {
    for (words, code) in [
        (&["nonsense"][..], 2),
        (&["report", "/nowhere"], 1),
        (&["attach", "--pid", "0"], 2),
    ] {
        let mut command = profiler(words);
        let ended = run(command.stderr(full()));
        assert_eq!(ended.code(), code, "{words:?}");
    }
}

#[test]
fn an_output_that_fails_costs_none_of_the_others() {
    let folder = folder();
    let [first, last] = ["first", "last"].map(|name| folder.path().join(name));
    let export = |format: &str, path: &Path| format!("{format}={}", path.display());
    let mut command = profiler(["report", RECORDING]);
    command.args(["--export", &export("json", &first)]);
    command.args(["--export", "text=/dev/full"]);
    command.args(["--export", &export("json", &last)]);
    let ended = run(&mut command);
    assert_eq!(ended.code(), 1);
    assert!(ended.err().contains("/dev/full"), "{}", ended.err());
    is_whole(&first);
    is_whole(&last);
    // The text comes last of all: a terminal may be gone.
    let ended = run(report(&first).stdout(full()));
    assert_eq!(ended.code(), 1);
    is_whole(&first);
}

#[test]
fn a_command_keeps_its_exit_code_and_its_report() {
    if !can_watch() {
        return;
    }
    let folder = folder();
    let json = folder.path().join("json");
    let mut command = profiler(["run", "--export", "text=/dev/full", "--json"]);
    command.arg(&json).args(["--", "sh", "-c", "exit 5"]);
    let ended = run(command.stderr(full()));
    assert_eq!(ended.code(), 5);
    is_whole(&json);
}

#[test]
fn a_link_stays_and_what_it_means_is_replaced() {
    let folder = folder();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("below")).unwrap();
    fs::write(at("below/file"), "old").unwrap();
    // The last one means nothing yet.
    for (link, target) in [
        ("link", "below/file"),
        ("other", "link"),
        ("new", "below/new"),
    ] {
        symlink(target, at(link)).unwrap();
        run(&mut report(&at(link))).succeeds();
        assert_eq!(fs::read_link(at(link)).unwrap(), Path::new(target));
        is_whole(&at(link));
    }
    assert_eq!(names(&at("below")), ["file", "new"]);
    symlink("round", at("round")).unwrap();
    run(&mut report(&at("round"))).refuses(&["round", "without an end"]);
}

#[test]
fn a_descriptor_is_written_to_where_it_stands() {
    let folder = folder();
    let path = folder.path().join("out");
    for name in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"] {
        fs::write(&path, "before\n").unwrap();
        let out = File::options().append(true).open(&path).unwrap();
        run(report(Path::new(name)).stdout(out)).succeeds();
        let text = fs::read_to_string(&path).unwrap();
        let json = text.strip_prefix("before\n").expect("what was there stays");
        assert!(json.starts_with('{') && json.ends_with("}\n"), "{name}");
    }
    assert_eq!(names(folder.path()), ["out"]);
    let ended = run(&mut report(Path::new("/dev/stderr"))).succeeds();
    assert!(ended.err().starts_with('{'), "{}", ended.err());
    run(&mut report(Path::new("/dev/fd/77"))).refuses(&["/dev/fd/77"]);
}

#[test]
fn who_reads_a_named_pipe_gets_all_of_it() {
    let folder = folder();
    let path = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    let reader = thread::spawn({
        let path = path.clone();
        move || {
            let mut text = String::new();
            File::open(path).unwrap().read_to_string(&mut text).unwrap();
            text
        }
    });
    run(report(&path).stdout(Stdio::null())).succeeds();
    let text = reader.join().unwrap();
    assert!(text.starts_with('{') && text.ends_with("}\n"), "{text:?}");
}

#[test]
fn no_output_replaces_another() {
    let folder = folder();
    let path = folder.path().join("file");
    fs::copy(RECORDING, &path).unwrap();
    let recording = fs::read(&path).unwrap();
    symlink("file", folder.path().join("link")).unwrap();
    // By another way too.
    for name in ["file", "./file", "link", "../{}/file"] {
        let up = folder.path().file_name().unwrap().to_str().unwrap();
        let export = name.replace("{}", up);
        let mut command = profiler(["report", "file", "--json", &export]);
        let ended = run(command.current_dir(&folder));
        ended.refuses(&["would replace", "file"]);
        let mut command = profiler(["run", "--record", "file", "--json", &export, "--", "true"]);
        run(command.current_dir(&folder)).refuses(&["would replace", "recording"]);
        let same = ["--json", "file", "--export", &format!("text={export}")].map(String::from);
        let mut command = profiler(["report", RECORDING]);
        run(command.args(same).current_dir(&folder)).refuses(&["two exports"]);
        assert_eq!(fs::read(&path).unwrap(), recording);
    }
    let mut command = profiler(["run", "--record", "-", "--", "true"]);
    run(command.current_dir(&folder)).refuses(&["standard output", "name a file"]);
    assert_eq!(names(folder.path()), ["file", "link"]);
}

/// What is read and written again is the same, to the last bit of each share.
#[test]
fn a_report_that_is_written_again_is_the_same() {
    let folder = folder();
    let [once, again] = ["once", "again"].map(|name| folder.path().join(name));
    run(&mut report(&once)).succeeds();
    let text = fs::read_to_string(&once).unwrap();
    // A share that is off by one in its last digit, as a reader that rounds gives it.
    let at = text.find("\"blocked_share\": ").unwrap() + 17;
    let end = at + text[at..].find(',').unwrap();
    let text = format!("{}0.9489569548921221{}", &text[..at], &text[end..]);
    fs::write(&once, &text).unwrap();
    let mut command = profiler(["report", "--json"]);
    run(command.arg(&again).arg(&once)).succeeds();
    let again = fs::read_to_string(&again).unwrap();
    assert!(again.contains("0.9489569548921221"), "it is rounded");
}
