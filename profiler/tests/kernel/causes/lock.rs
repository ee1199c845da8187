//! `lock`: another holds a lock for a set time.

use profiler::blame::Cause;
use std::{
    fs::File,
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread::{self, sleep},
    time::Duration,
};

use profiler::lab::rig::{Kind, SlowDisk};
use profiler::report::v1::{Report, SlowCall};
use rustix::fs::{Advice, fadvise};

use super::{Stall, TRIED, checked, matched, prove, undisturbed};
use crate::{
    harness::{Running, calls_on, folder, needs_kernel, on_disk, only, skip},
    player::{Baton, Op, Script, now},
};

/// Between whose times somebody held a lock.
pub(super) type Held = (u64, u64);

/// Each read of a script begins while a write goes on, which holds the file's lock.
pub(super) fn behind_writes(script: &Script, write: impl Fn(u64) + Sync) -> (Report, Vec<Held>) {
    let (mut baton, stdin) = Baton::pair();
    let run = Running::start_with(&["run", "--slowest", "1000"], &script.command(), stdin);
    script.wait_ready();
    let mut held = Vec::new();
    for n in 0..script.count {
        let writing = AtomicBool::new(false);
        held.push(thread::scope(|scope| {
            let write = scope.spawn(|| {
                let start_ns = now();
                writing.store(true, Ordering::SeqCst);
                write(n);
                (start_ns, now())
            });
            while !writing.load(Ordering::SeqCst) {
                thread::yield_now();
            }
            // So that the writer has the lock.
            sleep(Duration::from_millis(2));
            baton.go();
            baton.done();
            write.join().expect("the writer")
        }));
    }
    let run = run.wait();
    assert!(run.output.status.success(), "{:?}", run.output);
    (checked(run.report), held)
}

/// What each op had to wait for the lock that was held when it began.
fn stalls(calls: &[&SlowCall], ops: &[Op], held: &[Held]) -> Vec<Stall> {
    let stall = |(call, op): &(&SlowCall, Op)| {
        let inside = |held: &&Held| (held.0..held.1).contains(&op.start_ns);
        let (_, released) = held.iter().find(inside)?;
        let injected_ns = released - op.start_ns;
        undisturbed(op, injected_ns).then(|| Stall::of(call, Cause::Lock, injected_ns))
    };
    matched(calls, ops).iter().filter_map(stall).collect()
}

/// A page that `O_DIRECT` takes.
#[repr(align(4096))]
pub(super) struct Page(pub(super) [u8; 4096]);

/// Opens a file for `O_DIRECT` writes past its end. They make it longer, for which they
/// hold its lock until they are done; `O_DIRECT` reads take the same lock.
pub(super) fn writer(path: &Path) -> (File, u64) {
    let writer = File::options()
        .write(true)
        .custom_flags(libc::O_DIRECT)
        .open(path)
        .expect("the file");
    let end = writer.metadata().expect("its size").len();
    (writer, end)
}

#[test]
fn a_lock_that_another_holds_is_blamed_for_its_time() {
    needs_kernel!();
    let disk = match SlowDisk::new(&on_disk()) {
        Ok(disk) => disk,
        Err(why) => skip!("{why}"),
    };
    let path = disk.data();
    let (writer, end) = writer(&path);
    let page = Page([7; 4096]);
    disk.cool(&path).expect("a cold file");
    disk.delay(Duration::ZERO, Duration::from_millis(12));
    let write = |n| {
        writer
            .write_all_at(&page.0, end + n * 4096)
            .expect("a longer file");
    };
    locked(
        &path,
        true,
        write,
        "ext4, O_DIRECT, behind a write of 12 ms that makes the file longer",
    );
    disk.delay(Duration::ZERO, Duration::ZERO);
}

#[test]
fn a_lock_of_xfs_that_a_buffered_write_holds_is_blamed_for_its_time() {
    needs_kernel!();
    let disk = match SlowDisk::with(Kind::Xfs, &on_disk()) {
        Ok(disk) => disk,
        Err(why) => skip!("{why}"),
    };
    let path = disk.data();
    disk.cool(&path).expect("a cold file");
    let file = File::options()
        .read(true)
        .write(true)
        .open(&path)
        .expect("the file");
    fadvise(&file, 0, None, Advice::Random).expect("advice");
    // What is read is in the cache, what is written is not: for a part of a page the
    // writer reads the rest of it from the disk, and holds the file's lock meanwhile.
    // Reads take it too, though they need no disk.
    let mut page = [0; 4096];
    for n in 0..TRIED {
        file.read_exact_at(&mut page, n * 4096).expect("a page");
    }
    disk.delay(Duration::from_millis(12), Duration::ZERO);
    let write = |n| {
        file.write_all_at(&page[..512], (8 << 20) + n * (64 << 10))
            .expect("a part of a page");
    };
    locked(
        &path,
        false,
        write,
        "xfs, pages in the cache, behind a write of part of a page that is not, 12 ms",
    );
    disk.delay(Duration::ZERO, Duration::ZERO);
}

fn locked(path: &Path, direct: bool, write: impl Fn(u64) + Sync, provoked: &str) {
    let folder = folder();
    let script = Script {
        record: folder.path().join("ops"),
        path: Some(path.to_owned()),
        block: 4096,
        stride: 4096,
        count: TRIED,
        direct,
        lockstep: true,
        urgent: true,
        ..Script::default()
    };
    let (report, held) = behind_writes(&script, write);
    let scenario = only(&report);
    let calls = calls_on(scenario, path);
    let stalls = stalls(&calls, &script.ops(), &held);
    prove(Cause::Lock, provoked, &stalls);
    let lock = scenario
        .waits
        .iter()
        .find(|wait| wait.cause == Cause::Lock)
        .expect("a lock");
    assert!(lock.detail.contains("inode lock"), "{lock:#?}");
}
