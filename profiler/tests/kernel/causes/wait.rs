//! `peer`, `lock`, `runqueue` and `preempted`, `throttle`.

use std::{
    fs::File,
    os::unix::{fs::FileExt as _, fs::OpenOptionsExt as _, net::UnixStream},
    process::Stdio,
    sync::atomic::{AtomicBool, Ordering},
    thread::{self, sleep},
    time::Duration,
};

use super::{Stall, compare, matched, named};
use crate::{
    harness::{
        Running, calls_on, explained, file, folder, needs_kernel, only, session, skip, sound,
    },
    player::{Baton, Op, Script, now, pin},
    rig::{SlowDisk, Throttle},
};

#[test]
fn a_slow_writer_is_blamed_for_its_time() {
    needs_kernel!();
    let (pipe, pipe_end) = std::io::pipe().expect("a pipe");
    let (socket, socket_end) = UnixStream::pair().expect("a pair of sockets");
    slow_writer("pipe", pipe.into(), pipe_end);
    slow_writer(
        "socket",
        std::os::fd::OwnedFd::from(socket).into(),
        socket_end,
    );
}

fn slow_writer(what: &str, stdin: Stdio, mut end: impl std::io::Write) {
    let folder = folder();
    let script = Script {
        record: folder.path().join("ops"),
        block: 512,
        urgent: true,
        ..Script::default()
    };
    let run = Running::start_with(&["run", "--slowest", "1000"], &script.command(), stdin);
    script.wait_ready();
    let mut written = Vec::new();
    for _ in 0..80 {
        sleep(Duration::from_millis(5));
        written.push(now());
        end.write_all(&[1; 512]).expect("somebody reads");
    }
    drop(end);
    let run = run.wait();
    assert!(run.output.status.success(), "{:?}", run.output);
    sound(&run.report);
    let scenario = only(&run.report);
    explained(scenario);
    let calls: Vec<_> = scenario
        .slowest
        .iter()
        .filter(|call| call.blame_ns.peer > 0)
        .collect();
    named("peer", &calls);
    let stall = |(call, op): &(_, Op)| {
        let call: &&profiler::report::v1::SlowCall = call;
        // The first write after the op had begun is what ended it.
        let write = *written.iter().find(|&&at| at > op.start_ns)?;
        Some(Stall {
            injected_ns: write - op.start_ns,
            found_ns: call.blame_ns.peer,
        })
    };
    let stalls: Vec<_> = matched(&calls, &script.ops())
        .iter()
        .filter_map(stall)
        .collect();
    compare(&format!("peer ({what})"), &stalls);
    let through = scenario.waits.iter().filter(|wait| wait.cause == "peer");
    let test = std::process::id();
    for wait in through {
        assert!(wait.detail.contains(what), "{}", wait.detail);
        assert!(
            wait.detail.contains("by tid"),
            "{} (this is {test})",
            wait.detail
        );
    }
}

#[test]
fn a_lock_that_another_holds_is_blamed_for_its_time() {
    needs_kernel!();
    let disk = match SlowDisk::new() {
        Ok(disk) => disk,
        Err(why) => skip!("{why}"),
    };
    let folder = folder();
    let path = disk.data();
    // O_DIRECT writes that make a file longer hold its inode's lock to their end;
    // O_DIRECT reads take the same lock.
    let writer = File::options()
        .write(true)
        .custom_flags(libc::O_DIRECT)
        .open(&path)
        .expect("the file");
    let end = writer.metadata().expect("its size").len();
    #[repr(align(4096))]
    struct Page([u8; 4096]);
    let page = Page([7; 4096]);
    let script = Script {
        record: folder.path().join("ops"),
        path: Some(path.clone()),
        block: 4096,
        stride: 4096,
        count: 60,
        direct: true,
        lockstep: true,
        urgent: true,
        ..Script::default()
    };
    disk.cool(&path);
    disk.delay(Duration::ZERO, Duration::from_millis(12));
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
                writer
                    .write_all_at(&page.0, end + n * 4096)
                    .expect("a longer file");
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
    disk.delay(Duration::ZERO, Duration::ZERO);
    assert!(run.output.status.success(), "{:?}", run.output);
    sound(&run.report);
    let scenario = only(&run.report);
    explained(scenario);
    let calls = calls_on(scenario, &path);
    let locked: Vec<_> = calls
        .iter()
        .copied()
        .filter(|call| call.blame_ns.lock.unwrap_or(0) > 0)
        .collect();
    let stall = |(call, op): &(&profiler::report::v1::SlowCall, Op)| {
        let inside = |held: &&(u64, u64)| (held.0..held.1).contains(&op.start_ns);
        let (_, released) = held.iter().find(inside)?;
        Some(Stall {
            injected_ns: released - op.start_ns,
            found_ns: call.blame_ns.lock.unwrap_or(0),
        })
    };
    let stalls: Vec<_> = matched(&locked, &script.ops())
        .iter()
        .filter_map(stall)
        .collect();
    compare("lock", &stalls);
    named("lock", &locked);
    let lock = scenario
        .waits
        .iter()
        .find(|wait| wait.cause == "lock")
        .expect("a lock");
    assert!(lock.detail.contains("inode lock"), "{lock:#?}");
}

#[test]
fn a_thread_that_has_the_cpu_is_blamed_for_its_time() {
    needs_kernel!();
    let folder = folder();
    let path = file(&folder, "data", 4 << 20);
    // By priority: this one before the reader, the reader before everything else.
    let script = Script {
        record: folder.path().join("ops"),
        path: Some(path.clone()),
        block: 4096,
        stride: 0,
        count: 8000,
        direct: true,
        cpu: Some(0),
        ..Script::default()
    };
    let done = AtomicBool::new(false);
    let run = Running::start(&["run", "--slowest", "1000"], &script.command());
    script.wait_ready();
    let (run, bursts) = thread::scope(|scope| {
        let hog = scope.spawn(|| {
            pin(0, 2);
            let mut bursts = Vec::new();
            while !done.load(Ordering::SeqCst) {
                let start_ns = now();
                while now() < start_ns + 4_000_000 {
                    std::hint::spin_loop();
                }
                bursts.push((start_ns, now()));
                sleep(Duration::from_millis(4));
            }
            bursts
        });
        let run = run.wait();
        done.store(true, Ordering::SeqCst);
        (run, hog.join().expect("the hog"))
    });
    assert!(run.output.status.success(), "{:?}", run.output);
    sound(&run.report);
    let scenario = only(&run.report);
    explained(scenario);
    let calls = calls_on(scenario, &path);
    let stall = |call: &&profiler::report::v1::SlowCall| {
        // Not the op: it may also be kept from running before the call and after it.
        let ended_ns = call.began_ns + call.latency_ns;
        let overlap =
            |&(from, to): &(u64, u64)| to.min(ended_ns).saturating_sub(from.max(call.began_ns));
        let injected_ns = bursts.iter().map(overlap).sum();
        let found_ns = call.blame_ns.runqueue + call.blame_ns.preempted;
        // What is asleep for the device meanwhile is not kept from running.
        let asleep = call.blame_ns.device.unwrap_or(0);
        (injected_ns > 1_000_000).then_some(Stall {
            injected_ns,
            found_ns: found_ns + asleep.min(injected_ns.saturating_sub(found_ns)),
        })
    };
    let stalls: Vec<_> = calls.iter().filter_map(stall).collect();
    compare("runqueue and preempted", &stalls);
}

#[test]
fn a_limit_is_blamed_for_its_time() {
    needs_kernel!();
    let folder = folder();
    let path = file(&folder, "data", 4 << 20);
    // Up to ten a second each read waits its tenth; more often they come in bursts.
    let throttle = match Throttle::reads_per_second(&path, 10) {
        Ok(throttle) => throttle,
        Err(why) => skip!("{why}"),
    };
    for direct in [true, false] {
        let script = Script {
            record: folder.path().join("ops"),
            path: Some(path.clone()),
            block: 4096,
            stride: 16384,
            count: 60,
            direct,
            random: true,
            urgent: true,
            cgroup: Some(throttle.path().to_owned()),
            ..Script::default()
        };
        let cold = File::open(&path).expect("the file");
        rustix::fs::fadvise(&cold, 0, None, rustix::fs::Advice::DontNeed).expect("dropped");
        let run = session(&["run", "--slowest", "1000"], &script.command());
        assert!(run.output.status.success(), "{:?}", run.output);
        sound(&run.report);
        let scenario = only(&run.report);
        explained(scenario);
        let calls = calls_on(scenario, &path);
        // The disk answers in a thousandth of that: an op is its time with the limit.
        let stall = |(call, op): &(&profiler::report::v1::SlowCall, Op)| Stall {
            injected_ns: op.ns(),
            found_ns: call.blame_ns.throttle.unwrap_or(0),
        };
        let matched = matched(&calls, &script.ops());
        let stalls: Vec<_> = matched
            .iter()
            .map(stall)
            .filter(|stall| stall.injected_ns > 20_000_000)
            .collect();
        let held: Vec<_> = calls
            .iter()
            .copied()
            .filter(|call| call.latency_ns > 20_000_000)
            .collect();
        named("throttle", &held);
        compare(
            if direct {
                "throttle (direct)"
            } else {
                "throttle (miss)"
            },
            &stalls,
        );
        let ours = held
            .iter()
            .flat_map(|call| &call.parts)
            .filter(|part| part.cause == "throttle");
        for part in ours {
            assert!(!part.detail.contains("unknown"), "whose was it? {part:#?}");
        }
    }
}
