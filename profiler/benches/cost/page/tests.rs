//! Pages of made-up measurements.

use super::{
    super::{
        results::{Measured, Recording, Tool},
        watcher::{FLOOR, PROFILER},
    },
    *,
};

fn measured(watcher: &str, mode: Mode, watched: bool, added: f64) -> Measured {
    let pair = |round: u8| Pair {
        without: 500.0,
        with: 500.0 + added + f64::from(round % 3),
    };
    Measured {
        watcher: watcher.into(),
        mode,
        watched,
        pairs: (0..8).map(pair).collect(),
        on_cpu: (0..8).map(pair).collect(),
    }
}

fn results() -> Results {
    Results {
        measured: vec![
            measured(FLOOR, Mode::Warm, true, 100.0),
            measured(PROFILER, Mode::Warm, true, 500.0),
            measured(PROFILER, Mode::Random1, true, 500.0),
            measured(FLOOR, Mode::Random1, true, -1.0),
        ],
        tools: vec![Tool {
            name: "cachestat".into(),
            command: "cachestat 1".into(),
            refused: Some("no | kprobes".into()),
            seconds: vec![],
        }],
        recordings: vec![Recording {
            facts: 2_000_000,
            bytes: 100 << 20,
            seconds: vec![1.0, 2.0, 3.0],
        }],
        ..Results::default()
    }
}

fn cells<'a>(text: &'a str, name: &str) -> Vec<&'a str> {
    let mut lines = text.lines();
    let line = lines.find(|line| line.starts_with(&format!("| {name} ")));
    line.unwrap().split('|').map(str::trim).collect()
}

#[test]
fn a_difference_has_its_verdict_and_its_ratio() {
    let text = tables(&[results()]);
    let ours = cells(&text, PROFILER);
    assert_eq!(ours[2], "500 ns (500 ns to 500 ns)");
    assert!(ours[4].starts_with("501 ns"), "{text}");
    assert_eq!(ours[6], "more");
    assert!(
        cells(&ratios::table(&[results()]), PROFILER)[4] == "4.96",
        "{text}"
    );
}

#[test]
fn runs_are_told_together_and_each() {
    let slower = Results {
        measured: vec![
            measured(FLOOR, Mode::Warm, true, 200.0),
            measured(PROFILER, Mode::Warm, true, 500.0),
        ],
        ..results()
    };
    let runs = [results(), slower];
    let merged = Results::merged(&runs);
    let pairs = |mode| merged.of(PROFILER, mode, true).map(|it| it.pairs.len());
    assert_eq!(
        (pairs(Mode::Warm), pairs(Mode::Random1)),
        (Some(16), Some(8))
    );
    assert_eq!((merged.tools.len(), merged.recordings.len()), (1, 2));
    assert_eq!(cells(&ratios::table(&runs), PROFILER)[5], "4.96 / 2.49");
}

#[test]
fn a_share_that_is_noise_says_so() {
    let text = rates::tables(&results());
    let lost = text.split_once("throughput lost with").unwrap().1;
    let row = cells(lost, Mode::Random1.name());
    assert!(row[2].starts_with('~'), "{text}");
    assert!(row[3].starts_with("50.0 %"), "{text}");
    let (_, cpu) = text.split_once("time on the CPU added by").unwrap();
    assert_eq!(cells(cpu, Mode::Random1.name())[3], "501 ns (100.2 %)");
}

#[test]
fn what_does_not_start_is_listed_and_empty_tables_are_not() {
    let text = text(&[results()]);
    assert!(text.starts_with(TOP));
    assert!(
        text.contains("| `cachestat 1` | no \\| kprobes |"),
        "{text}"
    );
    assert!(text.contains("50.0 MiB per million facts"), "{text}");
    assert!(text.contains("1000000 facts per second"), "{text}");
    assert!(!text.contains("## With fio"), "{text}");
}

/// A page that somebody wrote by hand, or that another command made, is none.
#[test]
fn the_page_in_the_docs_was_made_by_this() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/cost.md");
    let page = std::fs::read_to_string(path).unwrap();
    assert!(page.starts_with(TOP), "make it anew: cargo xtask bench");
}
