//! What can be typed, and what is said to what cannot.

use crate::program::{profiler, run};

const COMMANDS: [&str; 6] = ["bench", "run", "attach", "report", "schema", "doctor"];

#[test]
fn help_of_every_command_shows_an_example() {
    for args in COMMANDS
        .map(|command| vec![command, "--help"])
        .iter()
        .chain([&vec!["--help"]])
    {
        let ended = run(&mut profiler(args)).succeeds();
        let out = ended.out();
        let (_, examples) = out
            .split_once("Example")
            .unwrap_or_else(|| panic!("{args:?}: {out}"));
        let command = args[0].trim_start_matches('-').replace("help", "bench");
        assert!(
            examples.contains(&format!("profiler {command}")),
            "{args:?}: {examples}"
        );
        assert!(ended.err.is_empty(), "{args:?}");
    }
}

#[test]
fn without_a_command_there_is_help() {
    let ended = run(&mut profiler([""; 0]));
    assert_eq!(ended.code(), 2);
    for command in COMMANDS {
        assert!(ended.err().contains(command), "{command}");
    }
}

#[test]
fn unknown_options_are_told_with_the_known_ones() {
    for (command, known) in [
        (
            "bench",
            &[
                "--scenario",
                "--size",
                "--json",
                "--record",
                "--drop-caches",
            ][..],
        ),
        ("run", &["--json", "--threshold"]),
        ("attach", &["--pid", "--duration"]),
        ("report", &["--format"]),
        ("schema", &["--help"]),
    ] {
        let ended = run(&mut profiler([command, "--frobnicate"]));
        let err = ended.err();
        assert_eq!(ended.code(), 2, "{err}");
        assert!(
            ended.out.is_empty() && err.contains("--frobnicate"),
            "{err}"
        );
        for option in known {
            assert!(err.contains(option), "{command}: {option} is not in {err}");
        }
    }
}

#[test]
fn a_command_without_dashes_before_it_is_told_of_them() {
    let ended = run(&mut profiler(["run", "sleep", "1"]));
    let err = ended.err();
    assert_eq!(ended.code(), 2, "{err}");
    assert!(
        err.contains("sleep") && err.contains("profiler run -- COMMAND"),
        "{err}"
    );
}

#[test]
fn unknown_commands_are_told_with_the_known_ones() {
    let ended = run(&mut profiler(["frobnicate"]));
    assert_eq!(ended.code(), 2);
    for command in COMMANDS {
        assert!(ended.err().contains(command), "{command}: {}", ended.err());
    }
}

#[test]
fn unknown_scenarios_are_told_with_the_known_ones() {
    let ended = run(&mut profiler(["bench", "--scenario", "warm,frozen"]));
    let err = ended.err();
    assert_eq!(ended.code(), 2, "{err}");
    for name in [
        "frozen",
        "warm",
        "cold-random",
        "readahead",
        "no-readahead",
        "direct-sequential",
        "direct-random",
        "mapped",
    ] {
        assert!(err.contains(name), "{name} is not in {err}");
    }
}

#[test]
fn values_that_make_no_sense_are_told_with_ones_that_do() {
    for (args, word) in [
        (&["bench", "--size", "much"][..], "256M"),
        (&["bench", "--block-size", "-1"], "--block-size"),
        (&["bench", "--ring-size", "3M"], "power of two"),
        (&["bench", "--threshold", "10"], "100us"),
        (&["bench", "--slowest", "1001"], "1000"),
        (&["attach", "--pid", "0"], "--pid"),
        (&["attach", "--pid", "4294967295"], "2147483647"),
        (&["attach"], "--pid"),
        (&["run"], "COMMAND"),
        (&["report", "x", "--format", "yaml"], "json"),
        (&["bench", "file", "--size", "4M"], "--size"),
    ] {
        let ended = run(&mut profiler(args));
        assert_eq!(ended.code(), 2, "{args:?}: {}", ended.err());
        assert!(ended.err().contains(word), "{args:?}: {}", ended.err());
    }
}

#[test]
fn the_schema_is_one() {
    let ended = run(&mut profiler(["schema"])).succeeds();
    let schema: serde_json::Value = serde_json::from_slice(&ended.out).unwrap();
    jsonschema::meta::validate(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let report = include_str!("../recordings/cold-random.json");
    let mut report: serde_json::Value = serde_json::from_str(report).unwrap();
    assert!(validator.is_valid(&report));
    report["scenarios"][0]["calls"] = "many".into();
    assert!(!validator.is_valid(&report));
}

/// Wherever a format can be named, each can.
#[test]
fn every_format_can_be_written_and_shown() {
    let report = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/recordings/cold-random.rec"
    );
    for format in profiler::export::FORMATS {
        let name = format.name;
        let shown = run(profiler(["report", "--format", name]).arg(report)).succeeds();
        let export = format!("--export={name}=-");
        let written = run(profiler(["report", &export]).arg(report)).succeeds();
        assert!(!shown.out.is_empty());
        assert_eq!(shown.out(), written.out(), "{name}");
    }
}

/// The words by which the program starts itself are for nobody else.
#[test]
fn its_own_words_are_refused() {
    for args in [
        &["gate"][..],
        &["gate", "true"],
        &["gate", "0", "true"],
        &["gate", "999", "true"],
        &["reader"],
        &["reader", "0"],
    ] {
        run(&mut profiler(args)).refuses(&["own use"]);
    }
}
