//! Faults on file mappings.
//!
//! Hooks: `mm_filemap_fault`, `mm_filemap_map_pages` (since 6.12); before that, the functions
//! that those stand in (`filemap_fault`, `filemap_map_pages`), by fentry and fexit. No
//! tracepoint tells the end of a fault, but the task counts the faults it has finished
//! (`min_flt`, `maj_flt`): as long as that number stands still, the fault is going on.
//! So a fault ends, in the facts, at the last probe that found it going on; what is
//! left after that (to enter the page into the table) is about a microsecond. Faults
//! that neither wait nor bring pages are forgotten. Without these hooks, waits in
//! mappings are not seen.

use aya_ebpf::{
    macros::{btf_tracepoint, fentry, fexit},
    programs::{BtfTracePointContext, FEntryContext, FExitContext},
};
use profiler_common::fact::{CALL_FAULT, ENDED_AT_LAST_FACT};

use crate::{
    clock, emit,
    kernel::{Fault, Inode, Mapping, Task, current_task, fixed},
    maps::thread,
    sleep, target,
    thread::{Own, Thread},
};

#[btf_tracepoint(function = "mm_filemap_fault")]
fn mm_filemap_fault(ctx: BtfTracePointContext) -> i32 {
    let task = current_task();
    if let Some(mut thread) = target::ours(task) {
        // SAFETY: the hook's first argument (trace/events/filemap.h).
        let mapping = unsafe { Mapping::new(ctx.arg(0)) };
        fault(task, &mut thread, mapping, mapping.host(), ctx.arg(1));
    }
    0
}

/// As [`mm_filemap_fault`], which stands in this function (mm/filemap.c).
#[fentry(function = "filemap_fault")]
fn fentry_filemap_fault(ctx: FEntryContext) -> i32 {
    let task = current_task();
    let Some(mut thread) = target::ours(task) else {
        return 0;
    };
    // SAFETY: the function's first argument (mm/filemap.c).
    let vm_fault = unsafe { Fault::new(ctx.arg(0)) };
    let (Some(vma), Some(index)) = (vm_fault.vma(), vm_fault.pgoff()) else {
        return 0;
    };
    let Some(file) = vma.file() else { return 0 };
    let mapping = file.mapping();
    let host = mapping.host();
    // The function makes this check before it tells the fault. A fault past the end of the
    // file fails, which the task does not count, so it would seem to go on for ever.
    let size = host.size();
    let page_shift = fixed!(page_shift);
    let pages = size.wrapping_add((1 << page_shift) - 1) >> page_shift;
    if index >= pages {
        return 0;
    }
    fault(task, &mut thread, mapping, host, index);
    0
}

/// A fault begins, or goes on: the kernel repeats it after it had to wait.
#[inline(always)]
fn fault(task: Task, thread: &mut Thread, mapping: Mapping, host: Inode, index: u64) {
    // A fault inside a read is part of that read.
    if thread.in_read() {
        return;
    }
    let now = clock::now();
    if goes_on(task, thread) {
        thread.open.last_ns = now;
        return;
    }
    if thread.in_fault() {
        close(task, thread);
    }
    let open = &mut thread.open;
    open.call = CALL_FAULT;
    open.faults_done = task.faults_done();
    open.fd = -1;
    open.requested = 1 << fixed!(page_shift);
    open.offset = (index << fixed!(page_shift)) as i64;
    open.mapping = mapping.address();
    open.dentry = 0;
    open.file_flags = 0;
    open.inode(host);
    open.last_ns = now;
    open.call_ns = now;
}

#[btf_tracepoint(function = "mm_filemap_map_pages")]
fn mm_filemap_map_pages(_ctx: BtfTracePointContext) -> i32 {
    mapped()
}

/// As [`mm_filemap_map_pages`], which is told at the end of this function.
#[fexit(function = "filemap_map_pages")]
fn fexit_filemap_map_pages(_ctx: FExitContext) -> i32 {
    mapped()
}

/// Pages that were in the page cache have been mapped.
#[inline(always)]
fn mapped() -> i32 {
    let task = current_task();
    if let Some(mut thread) = thread(task)
        && goes_on(task, &thread)
    {
        thread.open.last_ns = clock::now();
    }
    0
}

/// Is a fault open that the task has not finished?
#[inline(always)]
pub(super) fn goes_on(task: Task, thread: &Own) -> bool {
    thread.in_fault() && task.faults_done() == thread.open.faults_done
}

/// Closes an open fault at the last moment it was known to be going on, and tells
/// it if anything happened in it.
#[inline(always)]
pub(super) fn close(task: Task, thread: &mut Thread) {
    let out_ns = thread.sleep.out_ns;
    if out_ns != 0 {
        // SAFETY: a field of live state, which another CPU may be writing.
        let woken_ns = unsafe { (&raw const (*thread.wakeup()).woken_ns).read_volatile() };
        // It slept, and who woke it found it asleep.
        let last_ns = if woken_ns > out_ns { woken_ns } else { out_ns };
        thread.open.last_ns = last_ns;
        sleep::tell_until(thread, last_ns);
    }
    if thread.open.loud != 0 {
        emit::ended(task, thread, thread.open.last_ns, 0, ENDED_AT_LAST_FACT);
    }
    thread.close();
}
