//! Reports as JSON, changed as values and as text.

use fastrand::Rng;
use serde_json::Value;

use super::{Ending, Target, for_a_second, for_long, json, recordings::like};
use crate::{
    frames::NAMES,
    invariants::{adds_up, fits_its_schema},
    reports::{as_text, contradicts_itself, shown_from},
};

struct Reports;

impl Target for Reports {
    const NAME: &str = "reports at random";
    type Input = Vec<u8>;

    fn seeds(&self) -> Vec<Vec<u8>> {
        let compact = |name| {
            let value: Value = serde_json::from_str(&as_text(name)).unwrap();
            serde_json::to_vec(&value).unwrap()
        };
        NAMES.map(compact).to_vec()
    }

    fn step(&self, text: &mut Vec<u8>, other: &Vec<u8>, random: &mut Rng) {
        let value = match random.u8(..4) {
            0 => None,
            _ => serde_json::from_slice::<Value>(text).ok(),
        };
        let Some(mut value) = value else {
            return in_text(text, other, random);
        };
        let theirs = serde_json::from_slice(other).unwrap_or_default();
        json::step(&mut value, &theirs, random);
        *text = serde_json::to_vec(&value).unwrap();
    }

    fn bytes(&self, text: &Vec<u8>) -> Vec<u8> {
        text.clone()
    }

    fn check(&self, text: &[u8]) -> Ending {
        match shown_from(text) {
            Err(error) => Ending::said(false, &error),
            Ok(report) => {
                if !contradicts_itself(&report) {
                    adds_up(&report);
                    fits_its_schema(&report);
                }
                Ending::said(true, &like(&report))
            }
        }
    }
}

/// A step that knows nothing of values.
fn in_text(text: &mut Vec<u8>, other: &[u8], random: &mut Rng) {
    const TOKENS: [&[u8]; 16] = [
        b"NaN",
        b"-Infinity",
        b"1e999",
        b"-0",
        b"1e308",
        b"18446744073709551616",
        b"0.0000000000000000000000000001",
        b"\"\\ud800\"",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\x00",
        b"[[[[[[[[",
        b"{\"\":",
        b"null",
        b",",
        b"//",
    ];
    let at = random.usize(..=text.len());
    let end = (at + random.usize(..200)).min(text.len());
    match random.u8(..6) {
        0 if at < text.len() => text[at] ^= 1 << random.u8(..8),
        1 => text.truncate(at),
        2 => drop(text.drain(at..end)),
        3 => {
            let part = text[at..end].to_vec();
            text.splice(at..at, part);
        }
        4 if !other.is_empty() => {
            let from = random.usize(..other.len());
            let part = other[from..(from + 200).min(other.len())].to_vec();
            text.splice(at..end, part);
        }
        _ => {
            let token = TOKENS[random.usize(..TOKENS.len())];
            text.splice(at..at, token.iter().copied());
        }
    }
}

#[test]
fn reports_for_a_second() {
    for_a_second(&Reports);
}

#[test]
#[ignore = "long: a minute"]
fn reports_for_a_minute() {
    for_long(&Reports);
}
