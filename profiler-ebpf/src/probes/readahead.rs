//! Where the kernel decides to read ahead.
//!
//! Hooks: `page_cache_sync_ra`, `page_cache_async_ra` (since 6.18); before that, the functions
//! of the same names, by fentry. Summed in the open call. Without them the report has no count
//! of readahead windows; the pages that readahead brought are still counted (see
//! [`super::cache`]).

use aya_ebpf::{
    macros::{btf_tracepoint, fentry},
    programs::{BtfTracePointContext, FEntryContext},
};

use crate::{
    kernel::{Folio, Readahead, ReadaheadState, current_task},
    maps::thread,
    thread::Open,
};

#[btf_tracepoint(function = "page_cache_sync_ra")]
fn page_cache_sync_ra(_ctx: BtfTracePointContext) -> i32 {
    if let Some(open) = open_call() {
        open.sums.readahead_sync += 1;
    }
    0
}

/// The tracepoint is the first thing in the function (mm/readahead.c).
#[fentry(function = "page_cache_sync_ra")]
fn fentry_page_cache_sync_ra(_ctx: FEntryContext) -> i32 {
    if let Some(open) = open_call() {
        open.sums.readahead_sync += 1;
    }
    0
}

#[btf_tracepoint(function = "page_cache_async_ra")]
fn page_cache_async_ra(_ctx: BtfTracePointContext) -> i32 {
    if let Some(open) = open_call() {
        open.sums.readahead_async += 1;
    }
    0
}

/// The tracepoint comes after two checks in the function (mm/readahead.c), which are made
/// here too: readahead is switched off, or the mark means that the page is being written.
#[fentry(function = "page_cache_async_ra")]
fn fentry_page_cache_async_ra(ctx: FEntryContext) -> i32 {
    // SAFETY: the function's first argument, and its second (mm/readahead.c).
    let (control, folio) = unsafe { (Readahead::new(ctx.arg(0)), Folio::new(ctx.arg(1))) };
    if control.ra().and_then(ReadaheadState::ra_pages).unwrap_or(0) != 0
        && !folio.is_in_writeback()
        && let Some(open) = open_call()
    {
        open.sums.readahead_async += 1;
    }
    0
}

/// The current thread's open call, in which something is to be told from now on.
#[inline(always)]
fn open_call() -> Option<&'static mut Open> {
    let thread = thread(current_task())?;
    if !thread.in_call() {
        return None;
    }
    thread.open.loud = 1;
    Some(&mut thread.open)
}
