//! What a thread allocates, to see that nothing in a file makes it absurd.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

use profiler::{
    correlate::{Correlator, MAX_FACTS_PER_CALL},
    ring::Fact,
};
use profiler_common::fact::{Head, Wait, stay};

struct Counting;

thread_local! {
    static NOW: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(bytes: isize) {
    // A thread that ends frees its own last things after its counters are gone.
    let _ = NOW.try_with(|now| {
        now.set(now.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(now.get())));
    });
}

// SAFETY: the system's allocator, counted.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Both are there while it is copied.
        count(size as isize);
        count(-(layout.size() as isize));
        // SAFETY: as the caller promises.
        unsafe { System.realloc(at, layout, size) }
    }
}

/// The most bytes that this thread had at once while it did something, beyond those that
/// it had before.
pub(crate) fn peak<T>(what: impl FnOnce() -> T) -> (T, usize) {
    let before = NOW.get();
    PEAK.set(before);
    let done = what();
    (done, (PEAK.get() - before).try_into().unwrap_or(0))
}

#[test]
fn an_allocation_is_counted() {
    let (_, bytes) = peak(|| vec![0u8; 1 << 20]);
    assert!((1 << 20..2 << 20).contains(&bytes), "{bytes}");
}

/// Calls whose end was lost leave room for other threads' calls, not only in numbers.
#[test]
fn facts_of_lost_ends_give_their_memory_back() {
    let wait = |tid: u32, call_ns: u64| {
        let head = Head {
            tid,
            call_ns,
            at_ns: 9,
            op: stay(tid, call_ns),
            ..Head::default()
        };
        Fact::Wait(Wait {
            head,
            out_ns: 9,
            ..Wait::default()
        })
    };
    let one = MAX_FACTS_PER_CALL * size_of::<Wait>();
    let (_, most) = peak(|| {
        let mut correlator = Correlator::default();
        for tid in 0..20 {
            for _ in 0..MAX_FACTS_PER_CALL {
                correlator.fact(wait(tid, 1));
            }
            correlator.fact(wait(tid, 2));
        }
        assert_eq!(correlator.orphans(), 20);
    });
    assert!(most < 4 * one, "{} MiB for 20 threads", most >> 20);
}
