//! Files that somebody made: every checksum fits, and what is in them is absurd.

use fastrand::Rng;
use profiler::{
    report::v1::Report,
    ring::{Fact, encode},
};
use profiler_common::fact::{
    Ended, Head, KIND_ENDED, KIND_RECLAIM, KIND_REQUEST, KIND_WAIT, Reclaim, Request, RequestFacts,
    Wait,
};
use serde_json::{Value, json};

use crate::frames::{
    ENDING, FACTS, as_json, bytes, frames, is_marked, recording, replayed, shown, with_every_field,
};

/// Values that fit where a number was, or do not.
pub(crate) fn absurd() -> Vec<Value> {
    vec![
        json!(0),
        json!(-1),
        json!(1u64 << 60),
        json!(u64::MAX),
        json!(u64::MAX - 1),
        json!(i64::MIN),
        json!(u32::MAX),
        json!(1.5),
        json!(1e300),
        json!("text"),
        json!("\u{1b}[2J\n\u{202e}"),
        json!(""),
        json!(null),
        json!([]),
        json!({}),
        json!([[u32::MAX, u64::MAX], [0, u64::MAX], [1151, 1], [1152, 1]]),
    ]
}

/// Pointers to everything in a value.
pub(crate) fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                pointers(item, &format!("{at}/{n}"), found);
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                let name = name.replace('~', "~0").replace('/', "~1");
                pointers(field, &format!("{at}/{name}"), found);
            }
        }
        _ => {}
    }
}

#[test]
fn absurd_values_anywhere_are_survived() {
    let absurd = absurd();
    for name in ["run", "readahead"] {
        let whole = frames(&bytes(name));
        let (mut errors, mut reports) = (0, 0);
        let mut random = Rng::with_seed(1);
        for (n, (tag, payload)) in whole.iter().enumerate() {
            if *tag == FACTS {
                continue;
            }
            let value: Value = serde_json::from_slice(payload).unwrap();
            let mut found = Vec::new();
            pointers(&value, "", &mut found);
            // Long lists (hooks, frames) are much the same all through.
            random.shuffle(&mut found);
            found.truncate(25);
            for pointer in found {
                for absurd in &absurd {
                    let mut value = value.clone();
                    *value.pointer_mut(&pointer).unwrap() = absurd.clone();
                    let mut frames = whole.clone();
                    frames[n].1 = serde_json::to_vec(&value).unwrap();
                    match replayed(&recording(&frames)) {
                        Ok(_) => reports += 1,
                        Err(_) => errors += 1,
                    }
                }
            }
        }
        assert!(errors > 100 && reports > 100, "{errors} and {reports}");
    }
}

/// Every number in a value becomes this one.
fn replace(value: &mut Value, number: &Value) {
    match value {
        Value::Number(_) => *value = number.clone(),
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, number)),
        Value::Object(fields) => fields.values_mut().for_each(|field| replace(field, number)),
        _ => {}
    }
}

/// What others counted is absurd, all of it or one number: it is only held against ours.
#[test]
fn absurd_readings_are_survived() {
    for name in ["run", "readahead", "cold-random", "mapped"] {
        let whole = with_every_field(frames(&bytes(name)));
        let at = whole.iter().position(|(tag, _)| *tag == ENDING).unwrap();
        let value: Value = serde_json::from_slice(&whole[at].1).unwrap();
        let mut found = Vec::new();
        pointers(&value["readings"], "/readings", &mut found);
        for number in [0, 1, 1 << 63, u64::MAX - 1, u64::MAX] {
            for pointer in &found {
                let mut value = value.clone();
                replace(value.pointer_mut(pointer).unwrap(), &json!(number));
                let mut frames = whole.clone();
                frames[at].1 = serde_json::to_vec(&value).unwrap();
                let report = replayed(&recording(&frames)).unwrap();
                assert_eq!(report.quality.notes, [""; 0], "{name}: {pointer} {number}");
            }
        }
    }
}

/// All numbers of a frame absurd at once: sums of them must not overflow either.
#[test]
fn absurd_values_everywhere_are_survived() {
    let mut reports = 0;
    for name in ["run", "readahead", "cold-random", "mapped"] {
        let whole = with_every_field(frames(&bytes(name)));
        for number in [0, 1, 1 << 31, 1 << 60, u64::MAX / 2, u64::MAX] {
            for only in 0..whole.len() {
                let mut frames = whole.clone();
                let (tag, payload) = &mut frames[only];
                if *tag == FACTS {
                    continue;
                }
                let mut value: Value = serde_json::from_slice(payload).unwrap();
                replace(&mut value, &json!(number));
                *payload = serde_json::to_vec(&value).unwrap();
                // Twice the same scenario: sums over scenarios.
                let scenario = frames[1..frames.len() - 1].to_vec();
                let end = frames.len() - 1;
                frames.splice(end..end, scenario);
                reports += u32::from(replayed(&recording(&frames)).is_ok());
            }
        }
    }
    assert!(reports > 50, "{reports}");
}

fn number(random: &mut Rng) -> u64 {
    match random.u8(..8) {
        0 => 0,
        1 => u64::MAX,
        2 => i64::MAX as u64,
        3 => random.u64(..),
        _ => random.u64(..1000),
    }
}

fn head<T>(random: &mut Rng, kind: u32) -> Head {
    Head {
        kind,
        size: size_of::<T>() as u32,
        tid: random.u32(..3),
        pid: 1,
        at_ns: number(random),
        call_ns: [0, 5, u64::MAX][random.usize(..3)],
        op: number(random),
    }
}

fn request(random: &mut Rng) -> RequestFacts {
    RequestFacts {
        submitted_ns: number(random),
        issued_ns: number(random),
        completed_ns: number(random),
        bytes: u32::MAX,
        dev: random.u32(..),
        owner_tid: random.u32(..3),
        owner_pid: random.u32(..3),
        flags: random.u32(..),
        owner_comm: [random.u8(..); 16],
        ..RequestFacts::default()
    }
}

pub(crate) fn fact(random: &mut Rng) -> Fact {
    match random.u8(..4) {
        0 => Fact::Wait(Wait {
            head: head::<Wait>(random, KIND_WAIT),
            out_ns: number(random),
            woken_ns: number(random),
            lock: number(random),
            flags: random.u32(..16),
            stack: random.i32(..),
            waker_comm: [random.u8(..); 16],
            request: request(random),
            ..Wait::default()
        }),
        1 => Fact::Reclaim(Reclaim {
            head: head::<Reclaim>(random, KIND_RECLAIM),
            begin_ns: number(random),
            pages: number(random),
        }),
        2 => Fact::Request(Request {
            head: head::<Request>(random, KIND_REQUEST),
            request: request(random),
        }),
        _ => Fact::Ended(Ended {
            head: head::<Ended>(random, KIND_ENDED),
            requested: number(random),
            returned: number(random) as i64,
            offset: number(random) as i64,
            file_size: number(random),
            bio_bytes: [number(random), number(random), number(random)],
            bios: [u32::MAX; 3],
            facts: random.u32(..3),
            filled: u32::MAX,
            filled_asked: random.u32(..2),
            readahead_sync: u32::MAX,
            readahead_async: u32::MAX,
            mode: random.u32(..),
            file_flags: random.u32(..),
            call: random.u32(..8),
            flags: random.u32(..8),
            comm: [random.u8(..); 16],
            name: [random.u8(..); 32],
            ..Ended::default()
        }),
    }
}

#[test]
fn absurd_facts_are_survived() {
    let whole = frames(&bytes("run"));
    let facts = whole.iter().position(|(tag, _)| *tag == FACTS).unwrap();
    let mut calls = 0;
    for seed in 0..200 {
        let mut random = Rng::with_seed(seed);
        let mut frames = whole.clone();
        let payload = &mut frames[facts].1;
        payload.clear();
        for _ in 0..random.usize(1..200) {
            payload.extend_from_slice(encode(&fact(&mut random)));
        }
        let report = replayed(&recording(&frames)).unwrap();
        calls += report.scenarios[0].calls;
    }
    assert!(calls > 500, "{calls}");
}

#[test]
fn bytes_that_are_no_facts_are_counted() {
    let whole = frames(&bytes("run"));
    let facts = whole.iter().position(|(tag, _)| *tag == FACTS).unwrap();
    for seed in 0..200 {
        let mut random = Rng::with_seed(seed);
        let mut frames = whole.clone();
        let payload = &mut frames[facts].1;
        match seed % 4 {
            // Noise, and nothing else.
            0 => {
                *payload = (0..random.usize(1..5_000)).map(|_| random.u8(..)).collect();
            }
            // A record of a true size and an unknown kind.
            1 => payload[..4].copy_from_slice(&random.u32(5..).to_le_bytes()),
            // Sizes that lie.
            2 => {
                let size = [0, 1, 31, 32, 33, 0x7fff_ffff, u32::MAX][random.usize(..7)];
                payload[4..8].copy_from_slice(&size.to_le_bytes());
            }
            // Cut amid a record.
            _ => payload.truncate(random.usize(1..payload.len())),
        }
        let cut_between = seed % 4 == 3 && [192, 400].contains(&payload.len());
        let result = replayed(&recording(&frames));
        assert!(is_marked(&result) || cut_between, "seed {seed}: {result:?}");
    }
}

/// `profiler report FILE.json` takes a file that anybody may have written.
#[test]
fn absurd_reports_are_survived() {
    let absurd = absurd();
    let mut random = Rng::with_seed(1);
    let (mut errors, mut shows) = (0, 0);
    for name in ["run", "cold-random", "mapped"] {
        let report = replayed(&bytes(name)).unwrap();
        let value: Value = serde_json::from_str(&as_json(&report)).unwrap();
        let mut found = Vec::new();
        pointers(&value, "", &mut found);
        random.shuffle(&mut found);
        found.truncate(300);
        for pointer in found {
            let mut value = value.clone();
            let absurd = absurd[random.usize(..absurd.len())].clone();
            *value.pointer_mut(&pointer).unwrap() = absurd;
            match serde_json::from_value::<Report>(value) {
                Ok(report) => {
                    shows += 1;
                    shown(&report);
                }
                Err(_) => errors += 1,
            }
        }
    }
    assert!(errors > 100 && shows > 100, "{errors} and {shows}");
}
