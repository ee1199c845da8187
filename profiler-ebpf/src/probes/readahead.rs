//! Where the kernel decides to read ahead.
//!
//! Hooks: `page_cache_sync_ra`, `page_cache_async_ra` (since 6.18). Summed in the open
//! call. Without them the report has no count of readahead windows; the pages that
//! readahead brought are still counted (see [`super::cache`]).

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::maps::{current_task, thread};

#[btf_tracepoint(function = "page_cache_sync_ra")]
fn page_cache_sync_ra(_ctx: BtfTracePointContext) -> i32 {
    if let Some(thread) = thread(current_task())
        && thread.in_call()
    {
        thread.open.loud = 1;
        thread.open.sums.readahead_sync += 1;
    }
    0
}

#[btf_tracepoint(function = "page_cache_async_ra")]
fn page_cache_async_ra(_ctx: BtfTracePointContext) -> i32 {
    if let Some(thread) = thread(current_task())
        && thread.in_call()
    {
        thread.open.loud = 1;
        thread.open.sums.readahead_async += 1;
    }
    0
}
