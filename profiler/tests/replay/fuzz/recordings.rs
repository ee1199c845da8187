//! Recordings: frames that fit their checksums, and what is in them changed.

use fastrand::Rng;
use profiler::report::v1::Report;
use serde_json::Value;

use super::{Ending, Target, for_a_second, for_long, json, payload};
use crate::{
    frames::{FACTS, Frame, NAMES, bytes, frames, recording, replayed, with_every_field},
    invariants::{adds_up, fits_its_schema},
};

struct Recordings;

#[derive(Clone)]
struct Input {
    frames: Vec<Frame>,
    /// Bits that are flipped in the end, without mending a checksum.
    flipped: Vec<u64>,
    /// Where it is cut off, counted from its end.
    cut: u64,
}

impl Target for Recordings {
    const NAME: &str = "recordings at random";
    type Input = Input;

    fn seeds(&self) -> Vec<Input> {
        let seed = |name| {
            let mut frames = with_every_field(frames(&bytes(name)));
            // Enough facts for every rule, and few enough to be fast.
            for (tag, payload) in &mut frames {
                if *tag == FACTS {
                    let end = payload::records(payload).into_iter().take(40).next_back();
                    payload.truncate(end.map_or(0, |last| last.end));
                }
            }
            Input {
                frames,
                flipped: Vec::new(),
                cut: 0,
            }
        };
        NAMES.map(seed).to_vec()
    }

    fn step(&self, input: &mut Input, other: &Input, random: &mut Rng) {
        let Input {
            frames,
            flipped,
            cut,
        } = input;
        if frames.is_empty() {
            frames.clone_from(&other.frames);
            return;
        }
        let at = random.usize(..frames.len());
        match random.u8(..24) {
            0 => drop(frames.remove(at)),
            1 => {
                let to = random.usize(..frames.len());
                frames.swap(at, to);
            }
            2 => frames.insert(at, frames[at].clone()),
            3 => frames[at].0 = random.u8(..9),
            4 if !other.frames.is_empty() => {
                let theirs = other.frames[random.usize(..other.frames.len())].clone();
                frames.insert(at, theirs);
            }
            // All between opening and closing a second time: another scenario.
            5 if frames.len() > 2 && frames.len() < 60 => {
                let end = frames.len() - 1;
                let scenario = frames[1..end].to_vec();
                frames.splice(end..end, scenario);
            }
            6 => flipped.push(random.u64(..)),
            7 => *cut = random.u64(..200),
            8 => frames[at].1 = random.choose_multiple(0..=255, at % 40),
            _ => inside(&mut frames[at], other, random),
        }
    }

    fn bytes(&self, input: &Input) -> Vec<u8> {
        let mut bytes = recording(&input.frames);
        let bits = bytes.len() as u64 * 8;
        for bit in input.flipped.iter().map(|bit| bit % bits) {
            bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
        }
        bytes.truncate(bytes.len().saturating_sub(input.cut as usize));
        bytes
    }

    fn check(&self, bytes: &[u8]) -> Ending {
        match replayed(bytes) {
            Err(error) => Ending::said(false, &error),
            Ok(report) => {
                adds_up(&report);
                fits_its_schema(&report);
                Ending::said(true, &like(&report))
            }
        }
    }
}

fn inside(frame: &mut Frame, other: &Input, random: &mut Rng) {
    let (tag, payload) = frame;
    let theirs = other.frames.iter().filter(|(of, _)| of == tag);
    let theirs = theirs.map(|(_, payload)| payload.as_slice()).next();
    if *tag == FACTS {
        return payload::step(payload, theirs.unwrap_or_default(), random);
    }
    let Ok(mut value) = serde_json::from_slice(payload) else {
        return;
    };
    let theirs: Option<Value> = theirs.and_then(|theirs| serde_json::from_slice(theirs).ok());
    json::step(&mut value, &theirs.unwrap_or_default(), random);
    *payload = serde_json::to_vec(&value).unwrap();
}

/// What a report is about, in words.
pub(super) fn like(report: &Report) -> String {
    let mut words = report.quality.notes.clone();
    words.extend(report.findings.iter().map(|finding| finding.id.clone()));
    for scenario in &report.scenarios {
        let outcomes = scenario.outcomes.iter();
        let outcomes = outcomes.filter(|(_, sum)| sum.calls > 0);
        words.extend(outcomes.map(|(outcome, _)| outcome.to_string()));
        let causes = scenario.blame_ns.iter();
        let causes = causes.filter(|(_, ns)| ns.is_none_or(|ns| ns > 0));
        words.extend(causes.map(|(cause, _)| cause.to_string()));
        let disagree = scenario.witness.iter().filter(|witness| !witness.agrees);
        words.extend(disagree.map(|witness| witness.name.to_string()));
        words.push(format!("{}", scenario.incomplete_calls > 0));
    }
    words.truncate(100);
    words
        .iter()
        .map(|word| word.chars().take(80))
        .fold(String::new(), |mut all, word| {
            all.extend(word);
            all.push(' ');
            all
        })
}

#[test]
fn recordings_for_a_second() {
    for_a_second(&Recordings);
}

#[test]
#[ignore = "long: a minute"]
fn recordings_for_a_minute() {
    for_long(&Recordings);
}
