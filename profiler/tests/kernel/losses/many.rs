//! Many threads that live for one read each.

use profiler::report::v1::WitnessName;
use std::collections::BTreeSet;

use profiler::{
    recording::{Next, Reader},
    ring::{Fact, decode},
};
use profiler_common::fact::Ended;

use super::{accounted, kept, reads};
use crate::{
    harness::{file, folder, needs_kernel, session, sound, witness},
    player::Script,
};

/// Frames of facts, as the recording's format has them.
const FACTS: u8 = 5;
const THREADS: u32 = 10_000;
/// Of the collector, the ring included.
const MEMORY: u64 = 64 << 20;

/// Every end that a recording has.
fn ends(path: &std::path::Path) -> Vec<Ended> {
    let mut reader = Reader::open(path).expect("a recording");
    let mut ends = Vec::new();
    loop {
        match reader.frame().expect("it can be read") {
            Next::Frame(FACTS) => {
                let mut bytes = reader.payload();
                while !bytes.is_empty() {
                    let size = bytes[4..8].try_into().map(u32::from_le_bytes);
                    let (record, rest) = bytes.split_at(size.expect("four bytes") as usize);
                    if let Fact::Ended(ended) = decode(record).expect("a fact") {
                        ends.push(ended);
                    }
                    bytes = rest;
                }
            }
            Next::Frame(_) => {}
            Next::End => return ends,
            Next::Damaged(what) => panic!("{what}"),
        }
    }
}

#[test]
fn ten_thousand_threads_have_ten_thousand_calls() {
    needs_kernel!();
    let folder = folder();
    let path = file(&folder, "data", THREADS as usize * 512);
    let script = Script {
        record: folder.path().join("ops"),
        path: Some(path.clone()),
        block: 512,
        stride: 512,
        threads: THREADS,
        ..Script::default()
    };
    let none = Script {
        threads: 1,
        ..script.clone()
    };
    let run = session(&["run", "--every-call"], &none.command());
    let others = reads(&run.report) - 1;

    let recording = folder.path().join("recording");
    let words = [
        "run",
        "--every-call",
        "--record",
        recording.to_str().expect("UTF-8"),
    ];
    let run = session(&words, &script.command());
    assert!(run.output.status.success(), "{:?}", run.output);
    sound(&run.report);
    accounted(&run.report);
    let quality = &run.report.quality;
    let found = reads(&run.report) - others;
    assert_eq!(found, u64::from(THREADS), "{quality:#?}");
    let syscr = witness(&run.report.scenarios[0], WitnessName::Syscr).expect("one program");
    assert!(syscr.agrees && syscr.ours == syscr.theirs, "{syscr:?}");
    assert_eq!(quality.open_calls, 0, "{quality:#?}");
    let rss = quality.own.max_rss_bytes.expect("it is measured");
    assert!(rss < MEMORY, "{} MiB", rss >> 20);

    let inode = std::os::unix::fs::MetadataExt::ino(&path.metadata().expect("the file"));
    let ends = ends(&recording);
    let ends: Vec<_> = ends.iter().filter(|end| end.inode == inode).collect();
    let offsets: BTreeSet<i64> = ends.iter().map(|end| end.offset).collect();
    let threads: BTreeSet<u32> = ends.iter().map(|end| end.head.tid).collect();
    assert_eq!((ends.len(), offsets.len()), (10_000, 10_000));
    // Ids come back only after many thousands.
    assert!(threads.len() >= 9_900, "{} threads", threads.len());
    kept(
        "threads that live for one read",
        &format!("{THREADS} threads, one after the other"),
        &format!("{THREADS} calls, the collector under {} MiB", MEMORY >> 20),
        &format!(
            "{found} calls by {} thread ids, {} MiB",
            threads.len(),
            rss >> 20
        ),
    );
}
