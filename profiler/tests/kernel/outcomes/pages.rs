//! Hit or miss, page by page, against who was asked just before the read.

use std::{
    fs::File,
    os::unix::fs::{FileExt as _, MetadataExt as _},
    path::Path,
};

use profiler::blame::Outcome;
use profiler::lab::proof::{self, Line, Part};
use profiler::lab::rig::{Disk, Kind};
use profiler_common::fact::{CALL_PREAD, CALL_PREADV2};
use rustix::fs::{Advice, fadvise};

use super::{
    pager::{PAGE, Visit, Visits},
    recorded::{self, Seen},
};
use crate::harness::{arrived, folder, needs_kernel, on_disk, session, skip};

const FILE: usize = 64 << 20;
const DISK: u64 = 1 << 30;

/// Makes half of the file's pages resident, without any order.
fn half_cached(path: &Path, seed: u64) {
    let file = File::open(path).expect("the file");
    fadvise(&file, 0, None, Advice::DontNeed).expect("to be dropped");
    fadvise(&file, 0, None, Advice::Random).expect("advice");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut page = [0; PAGE];
    for offset in (0..FILE as u64).step_by(PAGE) {
        if random.bool() {
            file.read_exact_at(&mut page, offset).expect("a page");
        }
    }
}

/// What the profiler says of the reads, one by one, and what the others said.
fn compare(kind: Kind, count: u32) {
    let disk = match Disk::with(kind, DISK, &on_disk()) {
        Ok(disk) => disk,
        Err(why) => skip!("{why}"),
    };
    let path = disk.file("data", FILE).expect("room on the disk");
    half_cached(&path, 2);
    let folder = folder();
    let visits = Visits {
        path: path.clone(),
        record: folder.path().join("visits"),
        count,
        seed: 3,
    };
    let recording = folder.path().join("session.rec");
    let words = ["run", "--every-call", "--record"];
    let words = [&words[..], &[recording.to_str().expect("UTF-8")]].concat();
    let run = session(&words, &visits.command());
    assert!(run.output.status.success(), "{:?}", run.output);
    // A call of which the kernel hid a switch has its outcome all the same.
    arrived(&run.report);
    let inode = std::fs::metadata(&path).expect("the file").ino();
    let mut calls = recorded::calls(&recording);
    calls.retain(|seen| seen.call.ended.inode == inode);
    calls.sort_by_key(|seen| seen.call.ended.head.call_ns);
    let of = |call: u32| {
        calls
            .iter()
            .filter(move |seen| seen.call.ended.call == call)
    };
    let made = visits.made();
    assert_eq!(made.len() as u32, count);
    let reads: Vec<&Seen> = of(CALL_PREAD).collect();
    let asked: Vec<&Seen> = of(CALL_PREADV2).collect();
    assert_eq!((reads.len(), asked.len()), (made.len(), made.len()));
    for (visit, (read, asked)) in made.iter().zip(reads.iter().zip(&asked)) {
        let (read, asked) = (&read.call.ended, &asked.call.ended);
        assert!((visit.start_ns..=visit.end_ns).contains(&read.head.call_ns));
        assert_eq!(
            (read.offset, read.requested),
            (visit.offset as i64, PAGE as u64)
        );
        assert_eq!(read.returned, visit.returned);
        assert_eq!(
            (asked.offset, asked.requested),
            (visit.offset as i64, PAGE as u64)
        );
        assert_eq!(asked.returned, visit.nowait);
    }
    let pairs = || made.iter().zip(reads.iter().copied());
    let hits = reads
        .iter()
        .filter(|read| read.outcome == Outcome::Hit)
        .count();
    println!("{}: {hits} hits of {count}", kind.name());
    // Half and half, unless somebody reclaims pages: both are proved.
    assert!(
        (count as usize / 5..count as usize * 4 / 5).contains(&hits),
        "{hits}"
    );
    let resident: [(&str, Resident); 3] = [
        ("mincore", |visit| visit.mapped),
        ("cachestat", |visit| visit.cached == 1),
        ("RWF_NOWAIT", |visit| visit.nowait == PAGE as i64),
    ];
    for (witness, resident) in resident {
        let agrees = |(visit, read): &(&Visit, &Seen)| {
            read.outcome
                == if resident(visit) {
                    Outcome::Hit
                } else {
                    Outcome::Miss
                }
        };
        told(
            kind,
            count,
            "hit or miss",
            witness,
            pairs().filter(agrees).count(),
        );
        let off: Vec<_> = pairs().filter(|pair| !agrees(pair)).take(10).collect();
        assert!(
            pairs().filter(|pair| !agrees(pair)).count() * 1000 <= count as usize,
            "{witness}: {off:#?}"
        );
    }
    // The call that asked without waiting is a call, too.
    let agrees = |(visit, asked): &(&Visit, &&Seen)| match visit.nowait {
        // Fetched by it, and there before it looked again.
        bytes @ 1.. if asked.call.ended.filled_asked == 1 => {
            bytes == PAGE as i64 && asked.outcome == Outcome::Miss
        }
        bytes @ 1.. => bytes == PAGE as i64 && asked.outcome == Outcome::Hit,
        error => error == -i64::from(libc::EAGAIN) && asked.outcome == Outcome::Error,
    };
    let agreed = made.iter().zip(&asked).filter(agrees).count();
    told(
        kind,
        count,
        "hit, or error (EAGAIN), of the RWF_NOWAIT read itself",
        "its return value",
        agreed,
    );
    let off: Vec<_> = made
        .iter()
        .zip(&asked)
        .filter(|pair| !agrees(pair))
        .take(10)
        .collect();
    assert!(
        (count as usize - agreed) * 1000 <= count as usize,
        "{off:#?}"
    );
}

fn told(kind: Kind, count: u32, what: &str, witness: &str, agreed: usize) {
    proof::record(&Line::Witness {
        part: Part::Outcomes,
        what: &format!("{what} ({})", kind.name()),
        provoked: "4 KiB reads at random of a file that is half cached, asked before each",
        witness,
        asked: count.into(),
        agreed: agreed as u64,
    })
    .expect("to be written down");
}

/// Whether somebody said of the page that it was there.
type Resident = fn(&Visit) -> bool;

const SOME: u32 = 20_000;
const MANY: u32 = 100_000;

#[test]
fn on_ext4_each_page_is_told_as_it_was() {
    needs_kernel!();
    compare(Kind::Ext4, SOME);
}

#[test]
fn on_xfs_each_page_is_told_as_it_was() {
    needs_kernel!();
    compare(Kind::Xfs, SOME);
}

#[test]
fn on_btrfs_each_page_is_told_as_it_was() {
    needs_kernel!();
    compare(Kind::Btrfs, SOME);
}

#[test]
#[ignore = "long: 100,000 reads on each of three file systems"]
fn of_many_reads_each_page_is_told_as_it_was() {
    needs_kernel!();
    for kind in Kind::ALL {
        compare(kind, MANY);
    }
}
