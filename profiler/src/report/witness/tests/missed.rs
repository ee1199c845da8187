//! What missed calls do to witnesses.

use super::*;

#[test]
fn what_is_missed_counts_where_calls_are_counted() {
    for style in ["buffered", "direct", "command", "attached"] {
        let mut scenario = scenario(style, 10);
        scenario.outcomes.error.calls = 1;
        scenario.missed_calls = v1::MissedCalls::of(5, 5, 0);
        // More than that could be a missed call, for any program too.
        for (syscr, verdict) in [
            (10, false),
            (18, false),
            (19, true),
            (20, true),
            (21, false),
        ] {
            let readings = after(Counts {
                syscr: Some(syscr),
                ..Counts::default()
            });
            let witnesses = compare(&scenario, &readings);
            let told = witnesses
                .iter()
                .find(|w| w.name.as_str() == "syscr")
                .unwrap();
            assert_eq!((told.ours, told.agrees), (20, verdict), "{style} {syscr}");
            assert!(
                told.note.contains("of ours, 10 calls were missed"),
                "{told:?}"
            );
            // More may be what a program does besides.
            let is_ours = matches!(style, "buffered" | "direct");
            assert_eq!(told.proves_nothing(), syscr == 21 && !is_ours, "{told:?}");
        }
    }
    let mut scenario = scenario("buffered", 10);
    scenario.missed_calls = v1::MissedCalls::of(2, 3, 5);
    for (count, verdict) in [(10, false), (19, false), (20, true), (21, false)] {
        let ops = OpRecord {
            count,
            bytes: 20 * 4096,
            ..OpRecord::default()
        };
        let readings = Readings {
            ops: Some(ops),
            ..Readings::default()
        };
        let witnesses = compare(&scenario, &readings);
        let told = witnesses.iter().find(|w| w.name.as_str() == "ops").unwrap();
        assert_eq!((told.ours, told.agrees), (20, verdict), "{count}");
        assert!(
            told.note.ends_with("of ours, 10 calls were missed"),
            "{told:?}"
        );
        let bytes = witnesses
            .iter()
            .find(|w| w.name.as_str() == "op-bytes")
            .unwrap();
        assert!(bytes.void && !bytes.agrees, "{bytes:?}");
    }
}

#[test]
fn bytes_of_missed_calls_are_not_equal() {
    let mut scenario = scenario("buffered", 10);
    scenario.missed_calls = v1::MissedCalls::of(0, 0, 1);
    let readings = after(Counts {
        rchar: Some(11 * 4096),
        ..Counts::default()
    });
    let witnesses = compare(&scenario, &readings);
    let told = witnesses
        .iter()
        .find(|w| w.name.as_str() == "rchar")
        .unwrap();
    assert_eq!((told.ours, told.agrees), (10 * 4096, false));
    let words = "; 1 call was missed, so this proves nothing";
    assert!(told.void && told.note.ends_with(words), "{told:?}");
}

/// A count that is made of the witness's cannot be held against it.
#[test]
fn calls_known_from_syscr_only_are_not_proved_by_it() {
    for style in ["buffered", "command"] {
        let mut scenario = scenario(style, 10);
        scenario.missed_calls = v1::MissedCalls::of(2, 3, 5);
        for (syscr, void) in [(19, false), (20, true), (21, style == "command")] {
            let readings = after(Counts {
                syscr: Some(syscr),
                ..Counts::default()
            });
            let witnesses = compare(&scenario, &readings);
            let told = witnesses
                .iter()
                .find(|w| w.name.as_str() == "syscr")
                .unwrap();
            assert_eq!((told.agrees, told.void), (false, void), "{style} {syscr}");
            assert_eq!(told.disagrees(), !void);
            let words = "of ours, 10 calls were missed, 5 of them known from this same count only";
            assert!(told.note.contains(words), "{told:?}");
            assert_eq!(told.note.ends_with("so this proves nothing"), void);
        }
    }
}

/// Where the quick calls were missed, the median of the others is larger.
#[test]
fn quantiles_of_some_calls_prove_nothing() {
    let mut scenario = scenario("buffered", 10);
    scenario.missed_calls = v1::MissedCalls::of(1, 0, 0);
    scenario.latency_ns = Some(v1::Latency {
        p50: 7_000,
        p99: 7_000,
        ..v1::Latency::default()
    });
    for theirs in [10, 7_000_000] {
        let readings = Readings {
            ops: Some(OpRecord {
                count: 11,
                p50_ns: theirs,
                p99_ns: theirs,
                ..OpRecord::default()
            }),
            ..Readings::default()
        };
        let witnesses = compare(&scenario, &readings);
        for name in ["latency-p50", "latency-p99"] {
            let told = witnesses.iter().find(|w| w.name.as_str() == name).unwrap();
            assert!(told.void && !told.agrees, "{told:?}");
        }
    }
}

/// Missed calls make ours too small, never too large.
#[test]
fn what_missed_calls_do_not_explain_disagrees() {
    let mut scenario = scenario("buffered", 10);
    scenario.switches.asleep = 10;
    scenario.workload.threads = Some(1);
    scenario.missed_calls = v1::MissedCalls::of(1, 0, 0);
    let told = |theirs: u64, name: &str| {
        let ops = OpRecord {
            count: 11,
            bytes: theirs,
            total_ns: theirs,
            ..OpRecord::default()
        };
        let counts = Counts {
            rchar: Some(theirs),
            nvcsw: Some(theirs),
            ..Counts::default()
        };
        let readings = Readings {
            ops: Some(ops),
            ..after(counts)
        };
        let witnesses = compare(&scenario, &readings).into_iter();
        let mut told = witnesses.filter(|witness| witness.name.as_str() == name);
        told.next().unwrap_or_else(|| panic!("no {name}"))
    };
    for name in ["op-bytes", "rchar", "nvcsw"] {
        let ours = told(0, name).ours;
        assert!(ours > 0, "{name}");
        let [less, same, more] = [ours - 1, ours, ours + 1].map(|theirs| told(theirs, name));
        assert!(less.disagrees(), "{less:?}");
        assert!(same.agrees && !same.void, "{same:?}");
        assert!(more.void && !more.disagrees(), "{more:?}");
    }
}

#[test]
fn missed_calls_cannot_hide_in_the_room_of_a_witness() {
    let mut scenario = scenario("buffered", 10);
    scenario.switches.asleep = 10;
    scenario.readahead.pages_filled = 100;
    let readings = |nvcsw, refaults| {
        let mut readings = after(Counts {
            nvcsw: Some(nvcsw),
            refaults: Some(refaults),
            ..Counts::default()
        });
        readings.before.refaults = Some(0);
        readings.residency = Some(Residency {
            resident_after: 100 - refaults,
            ..Residency::default()
        });
        readings
    };
    let verdicts = |scenario: &Scenario, readings| {
        let witnesses = compare(scenario, &readings);
        ["nvcsw", "residency"].map(|name| agrees(&witnesses, name))
    };
    assert_eq!(verdicts(&scenario, readings(11, 1)), [Some(true); 2]);
    scenario.missed_calls = v1::MissedCalls::of(1, 0, 0);
    assert_eq!(verdicts(&scenario, readings(10, 0)), [Some(true); 2]);
    assert_eq!(verdicts(&scenario, readings(11, 1)), [Some(false); 2]);
}

#[test]
fn more_in_syscr_than_a_program_is_seen_to_read_proves_nothing_once_calls_were_missed() {
    for (style, void) in [("buffered", false), ("command", true)] {
        let mut scenario = scenario(style, 10);
        scenario.missed_calls = v1::MissedCalls::of(1, 0, 0);
        for (syscr, agrees, void) in [(10, false, false), (11, true, false), (12, false, void)] {
            let readings = after(Counts {
                syscr: Some(syscr),
                ..Counts::default()
            });
            let witnesses = compare(&scenario, &readings);
            let told = witnesses
                .iter()
                .find(|w| w.name.as_str() == "syscr")
                .unwrap();
            assert_eq!((told.agrees, told.void), (agrees, void), "{style} {syscr}");
        }
    }
}
