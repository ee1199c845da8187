//! Recordings as lists of frames, to take apart and to put together again.

use std::{fs, path::Path};

use profiler::{
    export::{JSON, Look, TEXT},
    recording::{BLOCK_HEAD, MAGIC, Next, Reader},
    report::v1::Report,
    session::replay,
};

use serde_json::{Value, json};

use crate::memory;

pub(crate) const OPENING: u8 = 1;
pub(crate) const BEGINNING: u8 = 2;
pub(crate) const STACK: u8 = 3;
pub(crate) const FILE: u8 = 4;
pub(crate) const FACTS: u8 = 5;
pub(crate) const ENDING: u8 = 6;
pub(crate) const CLOSING: u8 = 7;

/// Where the first frame begins.
pub(crate) const HEAD: usize = MAGIC.len();

/// A tag and a payload.
pub(crate) type Frame = (u8, Vec<u8>);

/// More than a replay of any recording here takes.
const LIMIT: usize = 48 << 20;

/// The names of all recordings.
pub(crate) const NAMES: [&str; 8] = [
    "warm",
    "cold-random",
    "readahead",
    "no-readahead",
    "direct-sequential",
    "direct-random",
    "mapped",
    "run",
];

pub(crate) fn bytes(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
    fs::read(folder.join(format!("{name}.rec"))).unwrap()
}

pub(crate) fn frames(bytes: &[u8]) -> Vec<Frame> {
    let mut reader = Reader::new(bytes).unwrap();
    let mut frames = Vec::new();
    loop {
        match reader.frame().unwrap() {
            Next::Frame(tag) => frames.push((tag, reader.payload().to_vec())),
            Next::End => return frames,
            Next::Damaged(what) => panic!("{what}"),
        }
    }
}

/// With the fields that came later than the stored recordings, so that they are damaged
/// too.
pub(crate) fn with_every_field(mut frames: Vec<Frame>) -> Vec<Frame> {
    for (tag, payload) in &mut frames {
        if *tag != ENDING {
            continue;
        }
        let mut ending: Value = serde_json::from_slice(payload).unwrap();
        ending["missed"] = json!({"begins": 3, "ends": 2, "whole": 1, "total": 6});
        let readings = &mut ending["readings"];
        readings["elapsed_ns"] = json!(2_000_000_000u64);
        readings["before"]["refaults"] = json!(3);
        readings["after"]["refaults"] = json!(5);
        if readings["residency"].is_object() {
            readings["residency"]["evicted"] = json!(1);
        }
        *payload = serde_json::to_vec(&ending).unwrap();
    }
    frames
}

/// Frames with valid checksums, whatever is in them, each in a block of its own.
pub(crate) fn recording(frames: &[Frame]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    for (tag, payload) in frames {
        let mut content = vec![*tag];
        content.extend((payload.len() as u32).to_le_bytes());
        content.extend(payload);
        let compressed = lz4_flex::block::compress(&content);
        let mut head = (compressed.len() as u32).to_le_bytes().to_vec();
        head.extend((content.len() as u32).to_le_bytes());
        let mut sum = crc32fast::Hasher::new();
        sum.update(&head);
        sum.update(&compressed);
        bytes.extend(head);
        bytes.extend(sum.finalize().to_le_bytes());
        bytes.extend(compressed);
    }
    bytes
}

/// Where each block begins.
pub(crate) fn blocks(bytes: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut at = HEAD;
    while at < bytes.len() {
        found.push(at);
        let length = bytes[at..at + 4].try_into().unwrap();
        at += BLOCK_HEAD + u32::from_le_bytes(length) as usize;
    }
    found
}

/// Replays, and shows what came out in every way that there is. The memory that it takes
/// is bounded, and a report is one that can be read again.
pub(crate) fn replayed(bytes: &[u8]) -> Result<Report, String> {
    let (report, most) = memory::peak(|| {
        let report = Reader::new(bytes)
            .and_then(replay)
            .map_err(|error| format!("{error:#}"))?;
        shown(&report);
        Ok(report)
    });
    assert!(
        most < LIMIT + 4 * bytes.len(),
        "{} MiB of memory",
        most >> 20
    );
    report
}

pub(crate) fn shown(report: &Report) {
    for width in [60, 200] {
        let look = Look {
            width,
            colour: true,
        };
        TEXT.write(report, &look, &mut Vec::new()).unwrap();
    }
    let again: Report = serde_json::from_str(&as_json(report)).unwrap();
    assert_eq!(as_json(&again), as_json(report));
}

pub(crate) fn as_json(report: &Report) -> String {
    let mut out = Vec::new();
    JSON.write(report, &Look::default(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Is this an error, or a report that says that something is wrong with it?
pub(crate) fn is_marked(result: &Result<Report, String>) -> bool {
    match result {
        Ok(report) => !report.quality.notes.is_empty() || report.quality.malformed > 0,
        Err(error) => !error.is_empty(),
    }
}
