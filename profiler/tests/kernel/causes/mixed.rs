//! Two causes in one call, each with its part.

use profiler::blame::Cause;
use std::{os::unix::fs::FileExt as _, time::Duration};

use super::{
    ENOUGH, Stall, TRIED, agree,
    device::{DELAY, far_apart, served},
    lock::{Page, behind_writes, writer},
    matched, prove,
    throttle::HELD,
    undisturbed, watch,
};

use profiler::lab::rig::{Cgroup, SlowDisk};

use crate::{
    harness::{calls_on, folder, needs_kernel, on_disk, only, skip},
    player::Script,
};

#[test]
fn a_lock_and_then_the_device_have_each_their_part() {
    needs_kernel!();
    let disk = match SlowDisk::new(&on_disk()) {
        Ok(disk) => disk,
        Err(why) => skip!("{why}"),
    };
    let folder = folder();
    let path = disk.data();
    let (writer, end) = writer(&path);
    let page = Page([7; 4096]);
    let script = Script {
        direct: true,
        lockstep: true,
        ..far_apart(&folder.path().join("ops"), &path)
    };
    disk.cool(&path).expect("a cold file");
    disk.delay(DELAY, Duration::from_millis(12));
    let write = |n| {
        writer
            .write_all_at(&page.0, end + n * 4096)
            .expect("a longer file");
    };
    let (report, held) = behind_writes(&script, write);
    let reads = disk.reads();
    disk.delay(Duration::ZERO, Duration::ZERO);
    let calls = calls_on(only(&report), &path);
    let both: Vec<_> = matched(&calls, &script.ops())
        .iter()
        .filter_map(|&(call, op)| {
            let inside = |held: &&(u64, u64)| (held.0..held.1).contains(&op.start_ns);
            let released = held.iter().find(inside)?.1;
            let read = served(&op, &reads).expect("the disk was asked");
            if !undisturbed(&op, read.end_ns - op.start_ns) {
                return None;
            }
            let lock = Stall::part(call, Cause::Lock, Cause::Device, released - op.start_ns);
            let device = Stall::part(
                call,
                Cause::Device,
                Cause::Lock,
                read.end_ns.checked_sub(released)?,
            );
            Some((lock, device))
        })
        .collect();
    let (lock, device): (Vec<_>, Vec<_>) = both.into_iter().unzip();
    prove(
        Cause::Lock,
        "a write of 12 ms before, then a disk that takes 8 ms",
        &lock,
    );
    prove(
        Cause::Device,
        "a disk that takes 8 ms, after a lock",
        &device,
    );
}

#[test]
fn a_limit_and_then_the_device_have_each_their_part() {
    needs_kernel!();
    limited_and_slow(70);
}

#[test]
#[ignore = "long: ten reads a second, two hundred of them"]
fn a_limit_and_then_the_device_have_each_their_part_in_many_calls() {
    needs_kernel!();
    // One in four is let through at once: the disk took the time that the limit asks for.
    limited_and_slow(TRIED + TRIED / 4);
}

fn limited_and_slow(count: u64) {
    let disk = match SlowDisk::new(&on_disk()) {
        Ok(disk) => disk,
        Err(why) => skip!("{why}"),
    };
    let folder = folder();
    let path = disk.data();
    let cgroup = match Cgroup::reads_per_second(&path, 10) {
        Ok(cgroup) => cgroup,
        Err(why) => skip!("{why}"),
    };
    let script = Script {
        count,
        direct: true,
        cgroups: vec![cgroup.path().to_owned()],
        ..far_apart(&folder.path().join("ops"), &path)
    };
    // Long next to the way there, on which a worker of the kernel's may wait for a CPU.
    disk.delay(Duration::from_millis(20), Duration::ZERO);
    let report = watch(&script);
    let reads = disk.reads();
    disk.delay(Duration::ZERO, Duration::ZERO);
    let calls = calls_on(only(&report), &path);
    let (limit, device): (Vec<_>, Vec<_>) = matched(&calls, &script.ops())
        .iter()
        .map(|&(call, op)| (call, op, served(&op, &reads).expect("the disk was asked")))
        .filter(|(_, op, read)| undisturbed(op, read.end_ns - op.start_ns))
        .filter(|(_, op, read)| u128::from(read.start_ns - op.start_ns) > HELD.as_nanos())
        .map(|(call, op, read)| {
            let limit = Stall::part(
                call,
                Cause::Throttle,
                Cause::Device,
                read.start_ns - op.start_ns,
            );
            let device = Stall::part(
                call,
                Cause::Device,
                Cause::Throttle,
                read.end_ns - read.start_ns,
            );
            (limit, device)
        })
        .unzip();
    let proved = |cause, provoked, stalls: &[Stall]| {
        if count > ENOUGH {
            prove(cause, provoked, stalls);
        } else {
            assert!(stalls.len() >= 50, "{provoked}: {} stalls", stalls.len());
            agree(cause, provoked, stalls);
        }
    };
    proved(
        Cause::Throttle,
        "a limit of 10 reads a second before, then a disk that takes 20 ms",
        &limit,
    );
    proved(
        Cause::Device,
        "a disk that takes 20 ms, after a limit of 10 reads a second",
        &device,
    );
}
