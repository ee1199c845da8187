//! A program that says what its calls cost: warm reads, and calls that are no reads.
//!
//! This test program, started [`again`] with [`WORD`]. It counts the time that its thread was
//! on a CPU; with an emulator's instruction clock that is instructions.

use std::{fs::File, os::unix::fs::FileExt as _, path::PathBuf};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

use crate::again;

pub(crate) const WORD: &str = "profiler-test-meter";

/// What it is told to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// A file with at least a page.
    pub path: PathBuf,
    /// Calls of each kind.
    pub count: u64,
    /// Where its record goes.
    pub record: PathBuf,
}

/// Nanoseconds on a CPU, of all calls of a kind.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    pub count: u64,
    pub read_ns: u64,
    pub getppid_ns: u64,
}

pub(crate) fn play(order: &Order) {
    let file = File::open(&order.path).expect("the file");
    let mut page = [0; 4096];
    let mut read = || {
        file.read_exact_at(&mut page, 0).expect("a page");
    };
    let getppid = || {
        // SAFETY: takes nothing and changes nothing.
        unsafe { libc::syscall(libc::SYS_getppid) };
    };
    // Once before, so that nothing is new to the caches of the processor and the kernel.
    timed(order.count, &mut read);
    let read_ns = timed(order.count, &mut read);
    timed(order.count, getppid);
    let record = Record {
        count: order.count,
        read_ns,
        getppid_ns: timed(order.count, getppid),
    };
    again::write(&order.record, &record);
}

fn timed(count: u64, mut call: impl FnMut()) -> u64 {
    let start = on_cpu();
    for _ in 0..count {
        call();
    }
    on_cpu() - start
}

fn on_cpu() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
