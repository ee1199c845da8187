//! `profiler doctor`: the verdict comes first, and fits the exit code.

use std::process::Command;

use crate::program::{Ended, Nobody, PROGRAM, is_root, profiler, run, skipped};

/// The first paragraph, on one line.
fn verdict(ended: &Ended) -> String {
    let out = ended.out();
    let paragraph = out.split("\n\n").next().unwrap_or_default();
    paragraph.replace('\n', " ")
}

/// The program, started by another one, which changes what it finds.
fn under(words: &[&str]) -> Ended {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).stdin(std::process::Stdio::null());
    command.stdout(std::process::Stdio::piped());
    command.stderr(std::process::Stdio::piped());
    run(&mut command)
}

#[track_caller]
fn does_not_work(ended: &Ended, words: &[&str]) {
    assert_eq!(ended.code(), 1, "{}", ended.out());
    let verdict = verdict(ended);
    assert!(verdict.starts_with("Does not work here: "), "{verdict}");
    assert!(verdict.contains("Do this: "), "{verdict}");
    for word in words {
        assert!(verdict.contains(word), "{word:?} is not in {verdict}");
    }
}

#[test]
fn the_verdict_comes_first_and_fits_the_exit_code() {
    let ended = run(&mut profiler(["doctor"]));
    let verdict = verdict(&ended);
    let works = verdict.starts_with("Works here");
    assert!(
        works || verdict.starts_with("Does not work here: "),
        "{verdict}"
    );
    assert_eq!(ended.code(), i32::from(!works), "{verdict}");
    let out = ended.out();
    assert!(out.contains("\nDetails:\n"), "{out}");
    // What is missing is said before the details, and what to do with it.
    let (summary, details) = out.split_once("\nDetails:\n").unwrap();
    let hooks = details.lines().filter(|line| line.starts_with("  MISSING"));
    for line in hooks.filter(|line| !line.contains("rights")) {
        let (_, without) = line.rsplit_once(": ").unwrap_or(("", line));
        let start: Vec<_> = without.split_whitespace().skip(1).take(3).collect();
        let summary = summary.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            summary.contains(&start.join(" ")),
            "{line:?} is not in {summary}"
        );
    }
}

/// All but a command, which is to be copied.
#[test]
fn lines_fit_a_terminal() {
    let ended = run(&mut profiler(["doctor"]));
    for line in ended.out().lines() {
        let is_command = line.starts_with("      ") && line.contains("sudo ");
        assert!(is_command || line.chars().count() <= 80, "{line:?}");
    }
}

#[test]
fn it_says_how_calls_will_be_seen() {
    let out = run(&mut profiler(["doctor"])).out();
    if out.starts_with("Works here") {
        let ways = ["tp_btf", "kprobe.session", "raw_syscalls"];
        let line = out.lines().find(|line| line.contains("(--entry auto)"));
        let line = line.unwrap_or_else(|| panic!("{out}"));
        assert!(ways.iter().any(|way| line.contains(way)), "{line}");
    }
}

#[test]
fn an_ordinary_user_is_told_to_start_it_with_sudo() {
    if !run(&mut profiler(["doctor"])).status.success() {
        skipped("it does not work here for root either");
        return;
    }
    let ended = run(&mut Nobody::new().profiler(["doctor"])).succeeds();
    let verdict = verdict(&ended);
    assert!(verdict.starts_with("Works here with root: "), "{verdict}");
    assert!(verdict.contains("sudo"), "{verdict}");
}

#[test]
fn without_type_information_it_says_what_kernel_to_boot() {
    if !is_root() {
        skipped("it takes root");
        return;
    }
    let script = "mount -t tmpfs none /sys && exec \"$0\" doctor";
    let ended = under(&["unshare", "--mount", "sh", "-c", script, PROGRAM]);
    does_not_work(&ended, &["type information", "CONFIG_DEBUG_INFO_BTF=y"]);
}

#[test]
fn without_names_of_kernel_functions_it_says_what_is_not_explained() {
    if !is_root() {
        skipped("it takes root");
        return;
    }
    let script = "mount --bind /dev/null /proc/kallsyms && exec \"$0\" doctor";
    let ended = under(&["unshare", "--mount", "sh", "-c", script, PROGRAM]);
    let said = ended.out().split_whitespace().collect::<Vec<_>>().join(" ");
    for words in [
        "/proc/kallsyms",
        "only a kernel stack explains",
        "kptr_restrict",
    ] {
        assert!(said.contains(words), "{words:?} is not in {said}");
    }
}

/// With a /proc of its own, as every container has it.
#[test]
fn in_a_container_with_ids_of_its_own_it_does_not_work() {
    if !is_root() {
        skipped("it takes root");
        return;
    }
    let apart = ["unshare", "--pid", "--fork", "--mount-proc", PROGRAM];
    let ended = under(&[&apart[..], &["doctor"]].concat());
    does_not_work(&ended, &["process ids of its own", "--pid=host"]);
    for words in [
        &["run", "--", "true"][..],
        &["attach", "--pid", "1"],
        &["bench", "--scenario", "warm"],
    ] {
        let ended = under(&[&apart[..], words].concat());
        ended.refuses(&["process ids of its own", "--pid=host"]);
    }
}

#[test]
fn root_of_a_container_is_told_what_it_lacks() {
    if !is_root() {
        skipped("it takes root");
        return;
    }
    let ended = under(&["setpriv", "--bounding-set=-all", PROGRAM, "doctor"]);
    does_not_work(&ended, &["CAP_BPF, CAP_PERFMON", "container"]);
    let ended = under(&["unshare", "--user", "--map-root-user", PROGRAM, "doctor"]);
    does_not_work(&ended, &["user namespace", "root of the machine"]);
}
