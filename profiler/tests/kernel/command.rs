//! `profiler run`: a command from its first instruction to its end.

use profiler::blame::Outcome;
use profiler::report::v1::WitnessName;
use std::path::Path;

use crate::{
    harness::{
        calls_on, explained, file, folder, needs_kernel, only, profiler, session, sound, witness,
    },
    player::Script,
};

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

fn utf8(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

#[test]
fn the_direct_reads_of_dd_are_all_there_and_no_others() {
    needs_kernel!();
    let folder = folder();
    let path = file(&folder, "data", 8 << 20);
    let dd = words(&[
        "dd",
        &format!("if={}", utf8(&path)),
        "of=/dev/null",
        "bs=4k",
        "iflag=direct",
        "count=1000",
    ]);
    let run = session(&["run", "--slowest", "1000"], &dd);
    assert_eq!(run.output.status.code(), Some(0), "{:?}", run.output);
    sound(&run.report);
    let scenario = only(&run.report);
    explained(scenario);
    assert_eq!(
        scenario.outcomes.direct.calls, 1000,
        "{:?}",
        scenario.outcomes
    );
    let calls = calls_on(scenario, &path);
    // The loader's slower reads may take the place of some among the slowest thousand.
    assert!(calls.len() > 900, "{}", calls.len());
    assert!(
        calls.iter().all(|call| call.outcome == Outcome::Direct),
        "{calls:#?}"
    );
    // The loader's reads of its libraries.
    let others = scenario.calls - 1000;
    assert!(others > 0 && others < 100, "{others}");
    for name in [WitnessName::Syscr, WitnessName::Rchar] {
        let witness = witness(scenario, name).expect("one command, one process");
        assert!(witness.agrees, "{witness:?}");
    }
}

/// The kernel counts `sendfile`, `copy_file_range` and what exec reads as reads too. None of
/// them is one, so none is a read that was missed; nor is one that fails.
#[test]
fn what_is_counted_as_a_read_and_is_none_was_not_missed() {
    needs_kernel!();
    let folder = folder();
    let path = file(&folder, "data", 1 << 20);
    // `cp` copies by copy_file_range; a file of zeros is no program.
    let script = format!(
        "for n in 1 2 3; do cp --reflink=never {path} {path}.copy; cat {path} >{path}.copy; \
         chmod +x {path}; {path}; /nonexistent; cat {folder} <&-; done; true",
        path = utf8(&path),
        folder = utf8(folder.path()),
    );
    let run = session(&["run"], &words(&["sh", "-c", &script]));
    sound(&run.report);
    let scenario = only(&run.report);
    assert_eq!(
        scenario.missed_calls.total, 0,
        "{:?}",
        scenario.missed_calls
    );
    assert!(scenario.outcomes.error.calls > 0, "{:?}", scenario.outcomes);
}

/// A process that has few descriptors open has a table that the probes read in place; one
/// that ever had more has another, which they copy from.
#[test]
fn the_file_is_found_in_a_small_table_of_descriptors_and_in_a_large_one() {
    needs_kernel!();
    let folder = folder();
    let path = file(&folder, "data", 1 << 20);
    let size = folder.path().join("size");
    for (descriptor, slots) in [(9, 64), (200, 256)] {
        // A child's table has room for what is open in its parent.
        let script = format!(
            "for open in /proc/self/fd/*; do n=${{open##*/}}; [ $n -lt 10 ] || eval \"exec $n>&-\"; \
             done; exec {descriptor}<{path}; grep FDSize /proc/self/status >{size}; \
             dd of=/dev/null bs=4k iflag=direct count=200 <&{descriptor}; true",
            path = utf8(&path),
            size = utf8(&size),
        );
        let run = session(
            &["run", "--slowest", "1000"],
            &words(&["bash", "-c", &script]),
        );
        assert_eq!(run.output.status.code(), Some(0), "{:?}", run.output);
        let told = std::fs::read_to_string(&size).expect("what grep found");
        assert_eq!(told.trim(), format!("FDSize:\t{slots}"));
        sound(&run.report);
        let scenario = only(&run.report);
        assert_eq!(
            scenario.outcomes.direct.calls, 200,
            "{:?}",
            scenario.outcomes
        );
        let calls = calls_on(scenario, &path);
        // The loader's slower reads may take the place of some.
        assert!(calls.len() > 180, "{}", calls.len());
        let mut offsets: Vec<_> = calls.iter().map(|call| call.offset).collect();
        offsets.sort_unstable();
        offsets.dedup();
        assert_eq!(offsets.len(), calls.len(), "each read is of another place");
    }
}

#[test]
fn exit_codes_are_passed_on() {
    needs_kernel!();
    let table: [(&[&str], i32); 5] = [
        (&["true"], 0),
        (&["sh", "-c", "exit 7"], 7),
        (&["dd", "if=/nowhere", "of=/dev/null"], 1),
        (&["sh", "-c", "kill -9 $$"], 128 + 9),
        (&["/nowhere/nothing"], 127),
    ];
    for (command, code) in table {
        let output = profiler(&["run", "--"])
            .args(command)
            .output()
            .expect("it starts");
        assert_eq!(output.status.code(), Some(code), "{command:?} {output:?}");
        assert!(output.stdout.is_empty(), "{output:?}");
    }
}

#[test]
fn what_the_command_starts_is_watched_too() {
    needs_kernel!();
    let folder = folder();
    let path = file(&folder, "data", 1 << 20);
    let dd = format!(
        "dd if={} of=/dev/null bs=4k iflag=direct count=50",
        utf8(&path)
    );
    let script = format!("{dd}; sh -c '{dd}; {dd}'; true");
    let run = session(&["run"], &words(&["sh", "-c", &script]));
    assert_eq!(run.output.status.code(), Some(0), "{:?}", run.output);
    sound(&run.report);
    let scenario = only(&run.report);
    assert_eq!(
        scenario.outcomes.direct.calls, 150,
        "{:?}",
        scenario.outcomes
    );
}

#[test]
fn short_lived_threads_and_processes_are_not_missed() {
    needs_kernel!();
    let folder = folder();
    let path = file(&folder, "data", 1 << 20);
    let script = Script::direct(folder.path(), path);
    for script in [
        Script {
            threads: 100,
            ..script.clone()
        },
        Script {
            processes: 100,
            ..script
        },
    ] {
        let run = session(&["run"], &script.command());
        assert!(run.output.status.success(), "{:?}", run.output);
        sound(&run.report);
        let scenario = only(&run.report);
        let ops = script.ops();
        let direct = scenario.outcomes.direct.calls;
        assert_eq!(direct, 100, "{:?}", scenario.outcomes);
        assert!(ops.iter().all(|op| op.returned == 4096), "{ops:?}");
    }
}

#[test]
fn errors_ends_and_holes_are_what_they_are() {
    needs_kernel!();
    let folder = folder();
    let sparse = folder.path().join("sparse");
    std::fs::File::create(&sparse)
        .and_then(|file| file.set_len(1 << 20))
        .expect("a hole");
    let short = file(&folder, "short", 10_000);
    let script = |path: &Path, block, stride, count| Script {
        record: folder.path().join("ops"),
        path: Some(path.to_owned()),
        block,
        stride,
        count,
        random: true,
        ..Script::default()
    };
    // A hole costs a page and no disk.
    let plan = script(&sparse, 4096, 4096, 100);
    let run = session(&["run", "--slowest", "1000"], &plan.command());
    sound(&run.report);
    let holes = only(&run.report).outcomes.hole.calls;
    assert_eq!(holes, 100, "{:?}", only(&run.report).outcomes);
    assert_eq!(calls_on(only(&run.report), &sparse).len(), 100);

    // 10,000 bytes: two pages, a part of one, and then nothing.
    let plan = script(&short, 4096, 4096, 5);
    let run = session(
        &["run", "--slowest", "1000", "--every-call"],
        &plan.command(),
    );
    sound(&run.report);
    let returned = |calls: &[&profiler::report::v1::SlowCall]| -> Vec<i64> {
        calls.iter().map(|call| call.returned).collect()
    };
    let calls = calls_on(only(&run.report), &short);
    assert_eq!(returned(&calls), [4096, 4096, 1808, 0, 0]);
    assert!(
        calls[3..].iter().all(|call| call.outcome == Outcome::Eof),
        "{calls:#?}"
    );
    assert_eq!(
        plan.ops().iter().map(|op| op.returned).collect::<Vec<_>>(),
        returned(&calls)
    );

    // A folder can be opened and not be read.
    let plan = script(folder.path(), 4096, 4096, 3);
    let run = session(
        &["run", "--slowest", "1000", "--every-call"],
        &plan.command(),
    );
    sound(&run.report);
    let calls = calls_on(only(&run.report), folder.path());
    assert_eq!(returned(&calls), [-i64::from(libc::EISDIR); 3]);
    assert!(
        calls.iter().all(|call| call.outcome == Outcome::Error),
        "{calls:#?}"
    );

    // A descriptor that is not open.
    let run = session(
        &["run", "--slowest", "1000", "--every-call"],
        &words(&["sh", "-c", "read line <&-; exit 0"]),
    );
    sound(&run.report);
    let bad = -i64::from(libc::EBADF);
    let scenario = only(&run.report);
    let calls = scenario.slowest.iter().filter(|call| call.returned == bad);
    assert!(calls.count() >= 1, "{:?}", scenario.outcomes);
    assert!(
        scenario.outcomes.error.calls >= 1,
        "{:?}",
        scenario.outcomes
    );
}
