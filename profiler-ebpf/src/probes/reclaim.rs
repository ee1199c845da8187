//! Direct reclaim: the thread frees memory itself, because its own limit or the
//! machine's is reached.
//!
//! Hooks: `mm_vmscan_direct_reclaim_begin/end`, `mm_vmscan_memcg_reclaim_begin/end`
//! (every kernel with memory cgroups). Fact: `Reclaim`. Without them reclaim shows as
//! time on the CPU, and sleep in it as unexplained.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::{clock, emit, kernel::current_task, maps::thread};

#[inline(always)]
fn begin() -> i32 {
    if let Some(mut thread) = thread(current_task())
        && thread.in_call()
    {
        thread.open.loud = 1;
        thread.reclaim_ns = clock::now();
    }
    0
}

#[inline(always)]
fn end(ctx: &BtfTracePointContext) -> i32 {
    if let Some(mut thread) = thread(current_task())
        && thread.in_call()
        && thread.reclaim_ns != 0
    {
        emit::reclaim(&mut thread, clock::now(), ctx.arg(0));
        thread.reclaim_ns = 0;
    }
    0
}

#[btf_tracepoint(function = "mm_vmscan_direct_reclaim_begin")]
fn mm_vmscan_direct_reclaim_begin(_ctx: BtfTracePointContext) -> i32 {
    begin()
}

#[btf_tracepoint(function = "mm_vmscan_direct_reclaim_end")]
fn mm_vmscan_direct_reclaim_end(ctx: BtfTracePointContext) -> i32 {
    end(&ctx)
}

#[btf_tracepoint(function = "mm_vmscan_memcg_reclaim_begin")]
fn mm_vmscan_memcg_reclaim_begin(_ctx: BtfTracePointContext) -> i32 {
    begin()
}

#[btf_tracepoint(function = "mm_vmscan_memcg_reclaim_end")]
fn mm_vmscan_memcg_reclaim_end(ctx: BtfTracePointContext) -> i32 {
    end(&ctx)
}
