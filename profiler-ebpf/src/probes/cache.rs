//! Pages that enter the page cache.
//!
//! Hook: `mm_filemap_add_to_page_cache` (every kernel), once a folio. Summed in the
//! open call. Without it, misses cannot be told from waits for somebody else's pages.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::{
    kernel::{Folio, current_task},
    maps::thread,
};

#[btf_tracepoint(function = "mm_filemap_add_to_page_cache")]
fn mm_filemap_add_to_page_cache(ctx: BtfTracePointContext) -> i32 {
    let Some(mut thread) = thread(current_task()) else {
        return 0;
    };
    if !thread.in_call() {
        return 0;
    }
    let open = &mut thread.open;
    // SAFETY: the hook's first argument (trace/events/filemap.h).
    let folio = unsafe { Folio::new(ctx.arg(0)) };
    let mapping = folio.mapping();
    let pages = folio.pages();
    open.loud = 1;
    if mapping != open.mapping {
        open.sums.filled_other += pages as u32;
        return 0;
    }
    open.sums.filled += pages as u32;
    let first = folio.index();
    let last = first + pages - 1;
    let (from, to) = open.pages();
    let from = if first > from { first } else { from };
    let to = if last < to { last } else { to };
    if from <= to {
        open.sums.filled_asked += (to - from + 1) as u32;
    }
    0
}
