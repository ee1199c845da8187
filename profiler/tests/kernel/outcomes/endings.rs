//! Each way in which a call can end, told exactly as it was, with nothing made up.

use std::{
    fs::{self, File},
    path::Path,
};

use profiler::lab::proof::{self, Line, Part};
use profiler::lab::rig::{Disk, Kind};
use profiler::{
    blame::Outcome::{self, Direct, Eof, Error, Hit, Hole, Miss, Other},
    correlate::Completeness,
    report::v1::{Scenario, SlowCall},
};

use super::{
    odd::{How, Made, Step, Steps},
    recorded::{self, Seen},
};
use crate::harness::{arrived, folder, needs_kernel, on_disk, only, session, skip};

const ROUNDS: u32 = 20;
const DISK: u64 = 400 << 20;
/// Bytes of the file that ends in the middle of a page.
const LENGTH: usize = 6_000;

/// A read, and what has to come out of it.
struct Case {
    step: Step,
    outcome: Outcome,
    returned: i64,
    /// Where in a file it was told to be; none: there is no file.
    at: Option<i64>,
    /// Pages that it brought of those it asked for.
    brought: u32,
    /// Whether a device had to be asked.
    asked: bool,
}

fn case(step: Step, outcome: Outcome, returned: i64) -> Case {
    let at = Some(step.offset);
    let (brought, asked) = match outcome {
        Hole => (1, false),
        Miss => (1, true),
        Direct => (0, true),
        _ => (0, false),
    };
    Case {
        step,
        outcome,
        returned,
        at,
        brought,
        asked,
    }
}

/// The same on every file system.
fn everywhere(folder: &Path) -> Vec<Case> {
    let data = folder.join("data");
    let sparse = folder.join("sparse");
    File::create(&sparse)
        .and_then(|file| file.set_len(1 << 20))
        .expect("a sparse file");
    let below = folder.join("folder");
    fs::create_dir(&below).expect("a folder");
    let data = data.as_path();
    let errno = |error: i32| -i64::from(error);
    let pread = |name: &str, offset, bytes| Step::pread(name, data, offset, bytes);
    let other = |name: &str, path: &str| Step::pread(name, Path::new(path), 0, 64);
    let (page, left) = (4096, LENGTH as i64 - 4096);
    let nowhere = |case: Case| Case { at: None, ..case };
    vec![
        case(pread("cold", 0, 4096).cool(), Miss, page),
        case(pread("warm", 0, 4096), Hit, page),
        case(
            Step::pread("hole", &sparse, 1 << 19, 4096).cool(),
            Hole,
            page,
        ),
        case(Step::pread("hole again", &sparse, 1 << 19, 4096), Hit, page),
        case(pread("short", 4096, 4096).cool(), Miss, left),
        case(pread("short, warm", 4096, 4096), Hit, left),
        case(pread("at the end", LENGTH as i64, 4096), Eof, 0),
        case(pread("behind the end", 1 << 20, 4096), Eof, 0),
        case(pread("nothing", 0, 0), Other, 0),
        case(pread("at its position", 4096, 512).how(How::Read), Hit, 512),
        case(pread("two buffers", 0, 4096).how(How::Readv(2)), Hit, page),
        case(pread("nine buffers", 0, 900).how(How::Readv(9)), Hit, 900),
        // All but the last of them find their bytes.
        case(
            pread("many buffers", 0, 5 << 10)
                .cool_at(1)
                .how(How::Readv(1024)),
            Miss,
            5 << 10,
        ),
        case(
            pread("without waiting", 0, 4096).how(How::Nowait),
            Hit,
            page,
        ),
        Case {
            brought: 1,
            asked: true,
            ..case(
                pread("EAGAIN, cold", 0, 4096).cool().how(How::Nowait),
                Error,
                errno(libc::EAGAIN),
            )
        },
        case(
            pread("EFAULT", 4096, 512).how(How::BadBuffer),
            Error,
            errno(libc::EFAULT),
        ),
        case(pread("EINVAL", -1, 512), Error, errno(libc::EINVAL)),
        case(
            pread("EBADF, to write only", 0, 512).flags(libc::O_WRONLY),
            Error,
            errno(libc::EBADF),
        ),
        nowhere(case(
            pread("EBADF", 0, 512).how(How::BadDescriptor),
            Error,
            errno(libc::EBADF),
        )),
        case(
            Step::pread("EISDIR", &below, 0, 512),
            Error,
            errno(libc::EISDIR),
        ),
        nowhere(case(
            pread("EAGAIN, pipe", 0, 512).how(How::EmptyPipe),
            Error,
            errno(libc::EAGAIN),
        )),
        nowhere(case(
            pread("EINTR", 0, 512).how(How::Interrupted),
            Error,
            errno(libc::EINTR),
        )),
        nowhere(case(pread("pipe", 0, 512).how(How::Pipe), Other, 512)),
        case(other("a device", "/dev/zero"), Other, 64),
        case(other("/proc", "/proc/version"), Hit, 64),
        case(pread("direct", 0, 4096).flags(libc::O_DIRECT), Direct, page),
    ]
}

/// Reads as the cases say, and holds each call against its case.
fn check(kind: Kind, folder: &Path, cases: &[Case], how: &str) {
    let own = crate::harness::folder();
    let steps = Steps {
        steps: cases.iter().map(|case| case.step.clone()).collect(),
        rounds: ROUNDS,
        record: own.path().join("made"),
    };
    let recording = own.path().join("session.rec");
    let words = ["run", "--slowest", "1000", "--every-call", "--record"];
    let words = [&words[..], &[recording.to_str().expect("UTF-8")]].concat();
    let run = session(&words, &steps.command());
    assert!(run.output.status.success(), "{:?}", run.output);
    // A call of which the kernel hid a switch has its outcome all the same.
    arrived(&run.report);
    let calls = recorded::calls(&recording);
    let made = steps.made();
    for (round, made) in made.chunks(cases.len()).enumerate() {
        for (case, made) in cases.iter().zip(made) {
            let seen = the_call(&calls, made);
            holds(
                case,
                made,
                seen,
                &format!("{} in {}, round {round}", made.name, folder.display()),
            );
            told(case, only(&run.report), seen);
        }
    }
    for case in cases {
        let name = &case.step.name;
        let outcome = case.outcome.name();
        println!("{}, {name}: {outcome}, {}", kind.name(), case.returned);
    }
    let all = cases.len() as u64 * u64::from(ROUNDS);
    let text = format!("{all} calls, each as it was made");
    proof::record(&Line::Kept {
        part: Part::Outcomes,
        what: &format!(
            "outcome, bytes asked and returned, place, pages ({})",
            kind.name()
        ),
        provoked: how,
        expected: &text,
        found: &text,
    })
    .expect("to be written down");
}

/// The only call that was made in that time.
fn the_call<'a>(calls: &'a [Seen], made: &Made) -> &'a Seen {
    let within =
        |seen: &&Seen| (made.start_ns..=made.end_ns).contains(&seen.call.ended.head.call_ns);
    let within: Vec<_> = calls.iter().filter(within).collect();
    assert_eq!(within.len(), 1, "{made:?}: {within:#?}");
    within[0]
}

fn holds(case: &Case, made: &Made, seen: &Seen, which: &str) {
    let ended = &seen.call.ended;
    assert_eq!(
        made.returned, case.returned,
        "{which}: not what this test is for"
    );
    assert_eq!(ended.returned, made.returned, "{which}");
    assert_eq!(seen.outcome, case.outcome, "{which}: {seen:#?}");
    assert_eq!(ended.requested, case.step.bytes as u64, "{which}");
    match case.at {
        Some(at) => {
            assert_eq!(ended.offset, at, "{which}");
            assert_ne!((ended.inode, ended.mode), (0, 0), "{which}");
        }
        None => assert!(ended.offset <= 0, "{which}: {ended:#?}"),
    }
    assert_eq!(ended.filled_asked, case.brought, "{which}: {ended:#?}");
    let asked = ended.bios[0] + ended.bios[2] > 0;
    assert_eq!(asked, case.asked, "{which}: {ended:#?}");
    let lost = matches!(seen.call.completeness, Completeness::Lost(_));
    assert!(!lost, "{which}: {ended:#?}");
}

/// The report says of it what it was, and no more.
fn told(case: &Case, scenario: &Scenario, seen: &Seen) {
    let head = &seen.call.ended.head;
    let is_it = |call: &&SlowCall| call.tid == head.tid && call.began_ns == head.call_ns;
    let call = scenario.slowest.iter().find(is_it).expect("all are told");
    assert_eq!(call.outcome, case.outcome, "{call:#?}");
    assert_eq!(call.returned, case.returned, "{call:#?}");
    if case.step.how == How::BadDescriptor {
        assert_eq!((&call.path, &call.file), (&None, &None), "{call:#?}");
        assert_eq!(call.offset, None, "{call:#?}");
    }
    if case.at.is_some() && case.step.offset >= 0 {
        assert_eq!(call.offset, Some(case.step.offset as u64), "{call:#?}");
        let told = call
            .path
            .as_deref()
            .map(Path::new)
            .and_then(Path::file_name);
        assert_eq!(told, case.step.path.file_name(), "{call:#?}");
    }
    if case.outcome == Error {
        assert!(call.returned < 0, "{call:#?}");
    }
}

fn on(kind: Kind) {
    let disk = match Disk::with(kind, DISK, &on_disk()) {
        Ok(disk) => disk,
        Err(why) => skip!("{why}"),
    };
    disk.file("data", LENGTH).expect("room on the disk");
    let how = "holes, ends of files, EFAULT, EBADF, EISDIR, EINTR, EAGAIN, pipes, O_DIRECT, ...";
    check(kind, disk.path(), &everywhere(disk.path()), how);
}

#[test]
fn on_ext4_each_ending_is_told_as_it_was() {
    needs_kernel!();
    on(Kind::Ext4);
}

#[test]
fn on_xfs_each_ending_is_told_as_it_was() {
    needs_kernel!();
    on(Kind::Xfs);
}

#[test]
fn on_btrfs_each_ending_is_told_as_it_was() {
    needs_kernel!();
    on(Kind::Btrfs);
}

/// What btrfs does otherwise: small files lie with their inodes, and data may be packed.
#[test]
fn what_btrfs_packs_is_told_as_it_was() {
    needs_kernel!();
    let disk = match Disk::with_options(Kind::Btrfs, DISK, "compress-force=zstd", &on_disk()) {
        Ok(disk) => disk,
        Err(why) => skip!("{why}"),
    };
    let folder = folder();
    let small = disk.file("small", 1_000).expect("room on the disk");
    let text = folder.path().join("packed");
    fs::write(&text, "the same all over\n".repeat(30_000)).expect("a file");
    let packed = disk.put(&text, "packed").expect("room on the disk");
    let cases = [
        case(Step::pread("inline", &small, 0, 512).cool(), Hole, 512),
        case(Step::pread("inline, warm", &small, 0, 512), Hit, 512),
        case(Step::pread("packed", &packed, 0, 4096).cool(), Miss, 4096),
        case(Step::pread("packed, warm", &packed, 0, 4096), Hit, 4096),
    ];
    check(
        Kind::Btrfs,
        disk.path(),
        &cases,
        "small and compressed files",
    );
}
