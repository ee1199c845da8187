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
    thread::Sums,
};

#[btf_tracepoint(function = "page_cache_sync_ra")]
fn page_cache_sync_ra(_ctx: BtfTracePointContext) -> i32 {
    begun(|sums| &mut sums.readahead_sync);
    0
}

/// The tracepoint is the first thing in the function (mm/readahead.c).
#[fentry(function = "page_cache_sync_ra")]
fn fentry_page_cache_sync_ra(_ctx: FEntryContext) -> i32 {
    begun(|sums| &mut sums.readahead_sync);
    0
}

#[btf_tracepoint(function = "page_cache_async_ra")]
fn page_cache_async_ra(_ctx: BtfTracePointContext) -> i32 {
    begun(|sums| &mut sums.readahead_async);
    0
}

/// The tracepoint comes after two checks in the function (mm/readahead.c), which are made
/// here too: readahead is switched off, or the mark means that the page is being written.
#[fentry(function = "page_cache_async_ra")]
fn fentry_page_cache_async_ra(ctx: FEntryContext) -> i32 {
    // SAFETY: the function's first argument, and its second (mm/readahead.c).
    let (control, folio) = unsafe { (Readahead::new(ctx.arg(0)), Folio::new(ctx.arg(1))) };
    if control.ra().and_then(ReadaheadState::ra_pages).unwrap_or(0) != 0 && !folio.is_in_writeback()
    {
        begun(|sums| &mut sums.readahead_async);
    }
    0
}

/// Adds to the current thread's open call, in which something is to be told from now on.
#[inline(always)]
fn begun(which: impl FnOnce(&mut Sums) -> &mut u32) {
    if let Some(mut thread) = thread(current_task())
        && thread.in_call()
    {
        thread.open.loud = 1;
        *which(&mut thread.open.sums) += 1;
    }
}
