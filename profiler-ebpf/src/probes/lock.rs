//! Locks that a call has to wait for.
//!
//! Hooks: `contention_begin`, `contention_end` (since 5.19). Noted in the thread; a
//! `Wait` that begins in between carries the lock. Without them such a wait is
//! unexplained, but for its stack.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::{clock, kernel::current_task, maps::thread};

/// `LCB_F_*` of the kernel's `trace/events/lock.h`.
const SPIN: u32 = 1 << 0;
const MUTEX: u32 = 1 << 5;

#[btf_tracepoint(function = "contention_begin")]
fn contention_begin(ctx: BtfTracePointContext) -> i32 {
    let flags: u32 = ctx.arg(1);
    // A spinning lock never sleeps; a mutex tells its spinning phase too.
    if flags & SPIN != 0 && flags & MUTEX == 0 {
        return 0;
    }
    if let Some(mut thread) = thread(current_task())
        && thread.in_call()
    {
        thread.lock.address = ctx.arg(0);
        thread.lock.flags = flags;
        thread.lock.since_ns = clock::now();
    }
    0
}

#[btf_tracepoint(function = "contention_end")]
fn contention_end(ctx: BtfTracePointContext) -> i32 {
    if let Some(mut thread) = thread(current_task()) {
        let address: u64 = ctx.arg(0);
        if thread.lock.address == address {
            thread.lock.address = 0;
        }
    }
    0
}
