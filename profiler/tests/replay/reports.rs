//! Reports (JSON) that came to harm, or that somebody made.

use profiler::report::v1::Word;
use std::{fs, path::Path, time::Duration};

use profiler::lab::proof::{self, Line, Part};
use profiler::{
    export::{Look, TEXT},
    report::{read, v1::Report},
};
use serde_json::{Value, json};

use crate::{
    frames::{NAMES, shown},
    malice::{absurd, pointers},
    memory,
};

/// A report's text as it is stored.
pub(crate) fn as_text(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
    fs::read_to_string(folder.join(format!("{name}.json"))).unwrap()
}

/// Reads a report, and shows it in every way that there is, in bounded memory.
pub(crate) fn shown_from(text: &[u8]) -> Result<Report, String> {
    let (report, most) = memory::peak(|| {
        let report = read(text).map_err(|error| format!("{error:#}"))?;
        shown(&report);
        Ok(report)
    });
    // The shortest text of an entry (`"",`) is eight times as large in memory, lists
    // have room to grow, and what is shown is there too.
    let bound = (4 << 20) + 64 * text.len();
    assert!(most < bound, "{} KiB of memory", most >> 10);
    report
}

/// Does it say that it is not to be believed?
pub(crate) fn contradicts_itself(report: &Report) -> bool {
    let mut notes = report.quality.notes.iter();
    notes.any(|note| note.contains("contradicts itself"))
}

fn kept(what: &str, provoked: &str, asked: u64, agreed: u64) {
    proof::record(&Line::Witness {
        part: Part::Damage,
        what,
        provoked,
        witness: "an error, or a report that says so",
        asked,
        agreed,
    })
    .expect("to be written down");
}

#[test]
fn every_stored_report_is_believed() {
    for name in NAMES {
        let report = shown_from(as_text(name).as_bytes()).unwrap();
        assert_eq!(report.quality.notes, [""; 0], "{name}");
    }
}

/// A report that ends before its last brace is none.
#[test]
fn cut_anywhere_it_is_an_error() {
    let mut asked = 0;
    for name in NAMES {
        let text = as_text(name);
        let whole = text.trim_end().len();
        // Of one at every byte.
        let step = if name == "run" { 1 } else { 211 };
        for cut in (0..whole).step_by(step) {
            let error = read(&text.as_bytes()[..cut]).map(|_| ()).unwrap_err();
            let words = format!("{error:#}");
            assert!(
                words.contains("neither a report") || words.contains("it ends at line"),
                "{name} at {cut}: {words}"
            );
            asked += 1;
        }
    }
    kept("a report (JSON) cut short", "at every byte", asked, asked);
}

/// JSON has no checksum: where a digit becomes another, sums tell, but not where it is
/// a word or a count that stands alone.
#[test]
fn with_a_flipped_bit_it_is_an_error_or_survived() {
    flip(23);
}

#[test]
#[ignore = "long: half a minute"]
fn with_any_flipped_bit_it_is_an_error_or_survived() {
    flip(1);
}

/// Every so many bits, one at a time.
fn flip(step: usize) {
    let text = as_text("run").into_bytes();
    let original = read(&text).unwrap();
    let (mut told, mut unheard, mut same) = (0, 0, 0);
    for bit in (0..text.len() * 8).step_by(step) {
        let mut text = text.clone();
        text[bit / 8] ^= 1 << (bit % 8);
        match read(&text) {
            Err(error) => {
                assert!(!error.to_string().is_empty());
                told += 1;
            }
            Ok(report) if contradicts_itself(&report) => told += 1,
            // A blank that became another blank, an unknown field.
            Ok(report) if report == original => same += 1,
            Ok(report) => {
                shown(&report);
                unheard += 1;
            }
        }
    }
    println!("{told} told, {same} the same, {unheard} not noticed");
    assert!(told > 3 * unheard, "{told} told, {unheard} not noticed");
    proof::record(&Line::Kept {
        part: Part::Damage,
        what: "a report (JSON) with a flipped bit",
        provoked: "one bit at a time; JSON has no checksum, so a name or a number that stands \
                   alone may become another",
        expected: "an error, a mark, or a report that can be shown",
        found: &format!("{told} told, {unheard} shown as another report, {same} the same"),
    })
    .expect("to be written down");
}

/// A digit of any sum that is flipped is told.
#[test]
fn a_sum_that_is_off_by_one_is_told() {
    let mut asked = 0;
    for name in NAMES {
        let value: Value = serde_json::from_str(&as_text(name)).unwrap();
        let mut found = Vec::new();
        pointers(&value, "", &mut found);
        for pointer in found {
            let fields: Vec<&str> = pointer.split('/').collect();
            let is_sum = match fields[..] {
                ["", "scenarios", _, ref rest @ ..] => matches!(
                    rest,
                    ["calls" | "duration_ns" | "incomplete_ns"]
                        | ["blame_ns", _]
                        | ["outcomes", _, _]
                        | ["slowest", _, "latency_ns"]
                        | ["slowest", _, "blame_ns", _]
                        | ["slowest", _, "parts", _, "ns"]
                ),
                ["", "quality", field] => {
                    ["blocked_ns", "unexplained_ns", "incomplete_calls"].contains(&field)
                }
                _ => false,
            };
            let Some(number) = value.pointer(&pointer).and_then(Value::as_u64) else {
                continue;
            };
            if !is_sum {
                continue;
            }
            let mut changed = value.clone();
            *changed.pointer_mut(&pointer).unwrap() = json!(number + 1);
            let report = read(&serde_json::to_vec(&changed).unwrap()).unwrap();
            assert!(contradicts_itself(&report), "{name}: {pointer}");
            asked += 1;
        }
    }
    assert!(asked > 500, "{asked}");
    kept(
        "a report (JSON) with a wrong number",
        "each sum in it, one more",
        asked,
        asked,
    );
}

#[test]
fn absurd_values_anywhere_are_survived() {
    let mut asked = 0;
    for name in ["run", "mapped"] {
        let value: Value = serde_json::from_str(&as_text(name)).unwrap();
        let mut found = Vec::new();
        pointers(&value, "", &mut found);
        // Lists are much the same all through.
        found.retain(|pointer| {
            !pointer
                .split('/')
                .any(|part| part.len() > 1 && part.parse::<u32>().is_ok())
        });
        let step = found.len().div_ceil(60);
        for pointer in found.iter().step_by(step) {
            for absurd in absurd() {
                let mut changed = value.clone();
                *changed.pointer_mut(pointer).unwrap() = absurd;
                let _ = shown_from(&serde_json::to_vec(&changed).unwrap());
                asked += 1;
            }
        }
    }
    assert!(asked > 1_000, "{asked}");
    kept(
        "a report (JSON) with absurd values",
        "in each field",
        asked,
        asked,
    );
}

/// What is no report says so, and costs nothing.
#[test]
fn what_is_no_report_is_said_to_be_none() {
    let deep = |open: &str, times: usize| open.repeat(times).into_bytes();
    let inside = |value: &str| {
        let text = as_text("run");
        let at = text.rfind('}').unwrap();
        format!("{},\"more\":{value}}}", &text[..at]).into_bytes()
    };
    for (what, text) in [
        ("nothing", Vec::new()),
        ("blanks", b" \n\t".repeat(1000)),
        ("zeros", vec![0; 1 << 20]),
        ("no UTF-8", b"{\"schema\":\"\xff\xfe\"}".to_vec()),
        ("half a character", b"{\"schema\":\"\\ud800\"}".to_vec()),
        ("NaN", b"NaN".to_vec()),
        ("too large a number", b"{\"schema\":1e999}".to_vec()),
        ("deep lists", deep("[", 1 << 20)),
        ("deep objects", deep("{\"a\":", 1 << 20)),
        (
            "two schemas",
            b"{\"schema\":\"profiler.report/1\",\"schema\":\"x\"}".to_vec(),
        ),
        ("NaN inside", inside("NaN")),
        ("Infinity inside", inside("-Infinity")),
        ("no end inside", inside("\"")),
    ] {
        let error = shown_from(&text).unwrap_err();
        assert!(error.contains("report"), "{what}: {error}");
    }
    // A field that is not known yet may be as it likes.
    for text in [
        inside(&format!("{}{}", "[".repeat(100), "]".repeat(100))),
        inside(&format!("\"{}\"", "x".repeat(1 << 20))),
        inside("1e300"),
    ] {
        assert_eq!(shown_from(&text).unwrap().quality.notes, [""; 0]);
    }
}

/// Long lists take as long as they are, not the square of it.
#[test]
fn long_lists_are_shown_in_time() {
    let text = as_text("cold-random");
    let of = |many: usize| {
        let mut report: Report = read(text.as_bytes()).unwrap();
        let scenario = &mut report.scenarios[0];
        let witness = scenario.witness[0].clone();
        let part = scenario.slowest[0].parts[0].clone();
        scenario.witness = vec![witness; many];
        for (n, witness) in scenario.witness.iter_mut().enumerate() {
            witness.name = Word::from_text(&format!("witness-{n}"));
        }
        let parts = &mut scenario.slowest[0].parts;
        *parts = vec![part; many];
        for (n, part) in parts.iter_mut().enumerate() {
            part.detail = format!("detail {n}");
        }
        // A second one, so that names are listed once each.
        let again = report.scenarios[0].clone();
        report.scenarios.push(again);
        let began = own_time();
        TEXT.write(&report, &Look::default(), &mut Vec::new())
            .unwrap();
        own_time() - began
    };
    let (few, many) = (of(3_000), of(24_000));
    assert!(
        many < few * 24,
        "eight times as much takes {many:?} instead of {few:?}"
    );
}

/// Time that this thread has had a CPU.
pub(crate) fn own_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
