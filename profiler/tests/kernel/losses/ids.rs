//! Ids of threads and processes that are used again at once.

use std::{fs, path::Path, thread, time::Duration};

use profiler::host::process::threads_in_reads;
use rustix::fs::{Advice, fadvise};
use serde::{Deserialize, Serialize};

use super::{
    absent,
    actor::{Act, Actor, Page, open},
    kept,
};
use crate::{
    harness::{Running, calls_on, file, folder, needs_kernel, only, skip, sound},
    player::{now, tid},
};

/// The id that was given out last. Whoever may write it chooses the next one.
const LAST: &str = "/proc/sys/kernel/ns_last_pid";

/// A read of somebody with a used id.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Borne {
    tid: u32,
    /// Of the file `other`, past the page cache; else of `one`.
    other: bool,
    offset: u64,
    /// When its thread or process was started, or a little before.
    born_ns: u64,
    end_ns: u64,
}

fn next(id: u32) {
    fs::write(LAST, (id - 1).to_string()).expect("root's right");
}

/// Threads with one id, one after the other. Every second one fetches ahead, and ends
/// before what it has asked for has come.
pub(super) fn threads(one: &Path, other: &Path, count: u64) -> Vec<Borne> {
    let (one, other) = (open(one, false), open(other, true));
    let mut reads: Vec<Borne> = Vec::new();
    for n in 0..count {
        if let Some(first) = reads.first() {
            // An id is free a little after its thread can be joined.
            thread::sleep(Duration::from_millis(1));
            next(first.tid);
        }
        fadvise(&one, 0, None, Advice::DontNeed).expect("advice");
        let born_ns = now();
        let read = thread::scope(|scope| {
            let read = || {
                let mut page = Page([0; 4096]);
                let (file, offset) = match n % 2 {
                    0 => (&one, 0),
                    _ => (&other, n * 4096),
                };
                let read = std::os::unix::fs::FileExt::read_at(file, &mut page.0, offset);
                assert_eq!(read.expect("a page"), 4096);
                Borne {
                    tid: tid(),
                    other: n % 2 != 0,
                    offset,
                    born_ns,
                    end_ns: now(),
                }
            };
            scope.spawn(read).join().expect("no panic there")
        });
        reads.push(read);
    }
    reads
}

/// Processes with one id: one that is killed while it waits for its standard input, and
/// one that reads the file.
pub(super) fn processes(other: &Path, count: u64) -> Vec<Borne> {
    let file = open(other, true);
    let mut page = Page([0; 4096]);
    let mut reads = Vec::new();
    for n in 0..count {
        let (born_ns, offset) = (now(), (2 * n) * 4096);
        // SAFETY: the only thread here; the child makes system calls only, and ends.
        let waits = || unsafe {
            libc::read(0, [0u8].as_mut_ptr().cast(), 1);
        };
        let killed = fork(waits);
        while threads_in_reads(killed).is_empty() {
            thread::sleep(Duration::from_millis(1));
        }
        // SAFETY: a child that is not reaped yet.
        unsafe { libc::kill(killed as i32, libc::SIGKILL) };
        reap(killed);
        next(killed);
        let fd = std::os::fd::AsRawFd::as_raw_fd(&file);
        let buffer = page.0.as_mut_ptr();
        // SAFETY: an open file and a live buffer.
        let reader = fork(|| unsafe {
            libc::pread(fd, buffer.cast(), 4096, offset as libc::off_t);
        });
        reap(reader);
        // Somebody else on the machine may have been given it.
        if reader == killed {
            reads.push(Borne {
                tid: reader,
                other: true,
                offset,
                born_ns,
                end_ns: now(),
            });
        }
    }
    reads
}

fn fork(child: impl FnOnce()) -> u32 {
    // SAFETY: this process has one thread; the child does not return.
    match unsafe { libc::fork() } {
        0 => {
            child();
            // SAFETY: ends the child.
            unsafe { libc::_exit(0) };
        }
        pid => u32::try_from(pid).expect("a child"),
    }
}

fn reap(pid: u32) {
    // SAFETY: a child of this process.
    unsafe { libc::waitpid(pid as i32, std::ptr::null_mut(), 0) };
}

#[test]
fn an_id_that_is_used_again_mixes_no_calls() {
    needs_kernel!();
    if let Err(error) = fs::OpenOptions::new().write(true).open(LAST) {
        let why = format!("this kernel lets nobody choose an id ({LAST}: {error})");
        absent("ids that are used again", &why);
        skip!("{why}");
    }
    let folder = folder();
    let one = file(&folder, "one", 4 << 20);
    let other = file(&folder, "other", 4 << 20);
    let (threads, processes) = (200, 60);
    let act = Act::Reuse {
        one: one.clone(),
        other: other.clone(),
        threads,
        processes,
    };
    let actor = Actor::new(act, folder.path());
    let (stdin, _ours) = std::io::pipe().expect("a pipe");
    let words = ["run", "--every-call", "--slowest", "1000"];
    let run = Running::start_with(&words, &actor.command(), stdin.into()).wait();
    assert!(run.output.status.success(), "{:?}", run.output);
    sound(&run.report);
    let scenario = only(&run.report);
    let reads: Vec<Borne> = actor.record();
    // As often as nobody else was quicker.
    let same = |read: &&Borne| read.tid == reads[0].tid;
    let again = reads[..threads as usize].iter().filter(same).count() as u64;
    let born_again = reads.len() as u64 - threads;
    assert!(again > threads / 2, "{again} threads with the same id");
    assert!(born_again > processes / 2, "{born_again} processes");

    let files = [calls_on(scenario, &one), calls_on(scenario, &other)];
    let told = files[0].len() + files[1].len();
    // Where somebody else got the id, a process reads, too.
    assert_eq!(told as u64, threads + processes, "{:?}", scenario.outcomes);
    for read in &reads {
        let calls = &files[usize::from(read.other)];
        let within = |began_ns| (read.born_ns..read.end_ns).contains(&began_ns);
        let mine: Vec<_> = calls.iter().filter(|call| within(call.began_ns)).collect();
        let [call] = mine[..] else {
            panic!("{read:?}: {mine:#?}")
        };
        assert_eq!((call.tid, call.offset), (read.tid, Some(read.offset)));
        assert_eq!(call.returned, 4096, "{call:#?}");
    }
    assert_eq!(
        scenario.outcomes.error.calls, processes,
        "{:?}",
        scenario.outcomes
    );
    kept(
        "calls of threads whose id is used again",
        &format!(
            "{again} threads and {born_again} processes with the id of one just ended, \
             {processes} of those killed in a read"
        ),
        &format!(
            "{} calls, each with its own thread, file and offset",
            reads.len()
        ),
        &format!(
            "{} calls, each with its own thread, file and offset",
            reads.len()
        ),
    );
}
