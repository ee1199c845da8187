//! Faults on file mappings.
//!
//! Hooks: `mm_filemap_fault` (since 6.12), `mm_filemap_map_pages` (since 6.12). No
//! tracepoint tells the end of a fault, but the task counts the faults it has finished
//! (`min_flt`, `maj_flt`): as long as that number stands still, the fault is going on.
//! So a fault ends, in the facts, at the last probe that found it going on; what is
//! left after that (to enter the page into the table) is about a microsecond. Faults
//! that neither wait nor bring pages are forgotten. Without these hooks, waits in
//! mappings are not seen.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use profiler_common::fact::CALL_FAULT;

use crate::{
    emit,
    kernel::{self, at},
    maps::{current_task, thread},
    target,
    thread::Thread,
};

#[btf_tracepoint(function = "mm_filemap_fault")]
fn mm_filemap_fault(ctx: BtfTracePointContext) -> i32 {
    let task = current_task();
    let Some(thread) = target::ours(task) else {
        return 0;
    };
    // A fault inside a read is part of that read.
    if thread.in_read() {
        return 0;
    }
    let now = emit::now();
    if goes_on(task, thread) {
        thread.open.last_ns = now;
        return 0;
    }
    if thread.in_fault() {
        emit::close_fault(task, thread);
    }
    let mapping: *const u8 = ctx.arg(0);
    let index: u64 = ctx.arg(1);
    let host: *const u8 = kernel::field(mapping, at!(mapping_host));
    let open = &mut thread.open;
    open.call = CALL_FAULT;
    open.faults_done = kernel::faults_done(task);
    open.fd = -1;
    open.requested = 4096;
    open.offset = (index << 12) as i64;
    open.first_page = index;
    open.last_page = index;
    open.mapping = mapping as u64;
    open.dentry = 0;
    open.file_flags = 0;
    open.inode(host);
    open.last_ns = now;
    open.call_ns = now;
    0
}

#[btf_tracepoint(function = "mm_filemap_map_pages")]
fn mm_filemap_map_pages(_ctx: BtfTracePointContext) -> i32 {
    let task = current_task();
    if let Some(thread) = thread(task)
        && goes_on(task, thread)
    {
        thread.open.last_ns = emit::now();
    }
    0
}

/// Is a fault open that the task has not finished?
#[inline(always)]
pub(super) fn goes_on(task: *const u8, thread: &Thread) -> bool {
    thread.in_fault() && kernel::faults_done(task) == thread.open.faults_done
}
