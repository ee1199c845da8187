//! Requests: who submitted them, when they were issued, what their completion wakes.
//!
//! Hooks: `block_bio_queue`, `block_rq_issue`, `block_rq_complete` (every kernel),
//! `block_io_start`, `block_io_done` (since 6.5). Before that: `block_rq_insert`, as a request
//! that its submitter does not issue itself is inserted into a queue; and the ends of the two
//! functions that complete requests, `blk_update_request` and `blk_mq_end_request_batch`, by
//! fexit. Where those cannot be had: `softirq_exit`, `irq_handler_exit`. Fact: `Request`; and
//! the request that a `Wait` carries. Completion, wake-up and end of accounting run in one go
//! on one CPU, so the request that is being completed where a reader is woken is the one it
//! waited for.
//!
//! Without `block_io_start` and `block_rq_insert` the submitter is only known where the thread
//! that submits also issues.

use aya_ebpf::{
    macros::{btf_tracepoint, fexit},
    programs::{BtfTracePointContext, FExitContext},
};
use profiler_common::{
    control::{CONTROL_ENDS_TOLD, CONTROL_STARTS_TOLD},
    fact::{
        REQUEST_BY_WORKER, REQUEST_METADATA, REQUEST_READAHEAD, REQUEST_THROTTLED, REQUEST_WRITE,
        RequestFacts, stay,
    },
};

use crate::{
    clock,
    emit::{self, count},
    kernel::{Bio, Operation, Origin, Request, current_task, fixed},
    maps::{COMPLETING, Completing, REQUESTS, Submission, control, thread},
    target,
    thread::Open,
    words,
};

/// What a bio, or the first bio of a request, is for, as `REQUEST_*` bits.
///
/// File systems flag everything that goes through the readahead code as read ahead,
/// the page that was asked for too. So, of an open call, what begins with a page that
/// the call asked for is data, whatever its flag.
#[inline(always)]
fn marks(operation: Operation, bio: Bio, open: Option<&Open>) -> u32 {
    let mut flags = 0;
    if !operation.is_read() {
        flags |= REQUEST_WRITE;
    }
    if bio.is_null() {
        return flags;
    }
    if bio.was_throttled() {
        flags |= REQUEST_THROTTLED;
    }
    if operation.is_metadata() {
        return flags | REQUEST_METADATA;
    }
    let origin = Origin::of(bio);
    if operation.is_readahead() {
        let asked = match open {
            Some(open) => {
                let pages = u64::from(bio.size()) >> fixed!(page_shift);
                let (first, last) = open.pages();
                origin.mapping == open.mapping
                    && origin.index <= last
                    && origin.index + pages > first
            }
            None => false,
        };
        if !asked {
            flags |= REQUEST_READAHEAD;
        }
    } else if origin.is_block_device() {
        // Unless it is the block device itself that is being read.
        let itself = match open {
            Some(open) => open.mapping == origin.mapping,
            None => false,
        };
        if !itself {
            flags |= REQUEST_METADATA;
        }
    }
    flags
}

/// The request that a hook is about.
#[inline(always)]
fn request(ctx: &BtfTracePointContext) -> Request {
    // SAFETY: the first argument of each hook that calls this (trace/events/block.h).
    unsafe { Request::new(ctx.arg(0)) }
}

/// Index in the tables by kind: data, metadata, readahead.
#[inline(always)]
fn kind(flags: u32) -> usize {
    if flags & REQUEST_METADATA != 0 {
        1
    } else if flags & REQUEST_READAHEAD != 0 {
        2
    } else {
        0
    }
}

#[btf_tracepoint(function = "block_bio_queue")]
fn block_bio_queue(ctx: BtfTracePointContext) -> i32 {
    let Some(mut thread) = thread(current_task()) else {
        return 0;
    };
    if !thread.in_call() {
        return 0;
    }
    // SAFETY: the hook's first argument (trace/events/block.h).
    let bio = unsafe { Bio::new(ctx.arg(0)) };
    let flags = marks(bio.operation(), bio, Some(&thread.open));
    if flags & REQUEST_WRITE != 0 {
        return 0;
    }
    let bytes = bio.size();
    let open = &mut thread.open;
    open.loud = 1;
    match kind(flags) {
        0 => {
            open.sums.bios[0] += 1;
            open.sums.bio_bytes[0] += u64::from(bytes);
        }
        1 => {
            open.sums.bios[1] += 1;
            open.sums.bio_bytes[1] += u64::from(bytes);
        }
        _ => {
            open.sums.bios[2] += 1;
            open.sums.bio_bytes[2] += u64::from(bytes);
        }
    }
    0
}

#[btf_tracepoint(function = "block_io_start")]
fn block_io_start(ctx: BtfTracePointContext) -> i32 {
    let rq = request(&ctx);
    let operation = rq.operation();
    if !operation.is_the_drivers() {
        note(rq, operation, clock::now(), 0);
    }
    0
}

/// Where `block_io_start` is missing. A request that was held back and comes once more comes
/// from a worker: it has its submitter already.
#[btf_tracepoint(function = "block_rq_insert")]
fn block_rq_insert(ctx: BtfTracePointContext) -> i32 {
    let rq = request(&ctx);
    let operation = rq.operation();
    if !operation.is_the_drivers() && noted(rq).is_none() {
        note(rq, operation, started(rq), 0);
    }
    0
}

#[btf_tracepoint(function = "block_rq_issue")]
fn block_rq_issue(ctx: BtfTracePointContext) -> i32 {
    let rq = request(&ctx);
    let operation = rq.operation();
    if operation.is_the_drivers() {
        return 0;
    }
    let now = clock::now();
    let starts_told = control().flags & CONTROL_STARTS_TOLD != 0;
    let submission = if starts_told {
        REQUESTS.get_ptr_mut(rq.address())
    } else {
        noted(rq)
    };
    if let Some(submission) = submission {
        // SAFETY: a live entry; only its issuer writes this field.
        unsafe { (*submission).issued_ns = now };
    } else if !starts_told {
        note(rq, operation, started(rq), now);
    }
    0
}

/// When the kernel made the request; now, if it kept no time for it.
#[inline(always)]
fn started(rq: Request) -> u64 {
    match rq.start_ns().unwrap_or(0) {
        0 => clock::now(),
        started => started,
    }
}

/// What was noted of this request, where no start is told. The next request with the same
/// tag has the same address, but was made at another time.
#[inline(always)]
fn noted(rq: Request) -> Option<*mut Submission> {
    let submission = REQUESTS.get_ptr_mut(rq.address())?;
    let started = rq.start_ns().unwrap_or(0);
    // SAFETY: a live entry; nobody writes this field but who notes a request anew.
    let same = started != 0 && unsafe { (*submission).submitted_ns } == started;
    same.then_some(submission)
}

/// Notes who submitted a request, and when.
#[inline(always)]
fn note(rq: Request, operation: Operation, submitted_ns: u64, issued_ns: u64) {
    let task = current_task();
    let mut thread = thread(task);
    let mut open = match &mut thread {
        Some(thread) if thread.in_call() => Some(&mut thread.open),
        _ => None,
    };
    let mut flags = marks(operation, rq.bio(), open.as_deref());
    if let Some(open) = &mut open
        && flags & REQUEST_WRITE == 0
    {
        open.loud = 1;
        open.requests |= 1 << kind(flags);
    }
    if task.is_kernel_thread() {
        flags |= REQUEST_BY_WORKER;
    }
    let (op, call_ns) = match open {
        Some(open) => (stay(task.tid(), open.call_ns), open.call_ns),
        None => (0, 0),
    };
    let submission = Submission {
        submitted_ns,
        issued_ns,
        op,
        call_ns,
        tid: task.tid(),
        pid: task.pid(),
        flags,
        unused: 0,
        comm: task.comm(),
    };
    if REQUESTS.insert(rq.address(), submission, 0).is_err() {
        count(|c| &mut c.no_owner, 1);
    }
}

#[btf_tracepoint(function = "block_rq_complete")]
fn block_rq_complete(ctx: BtfTracePointContext) -> i32 {
    let rq = request(&ctx);
    let operation = rq.operation();
    if operation.is_the_drivers() {
        return 0;
    }
    let ends_told = control().flags & CONTROL_ENDS_TOLD != 0;
    // Without accounting no end is told, and the slot would stay (iostats off).
    if ends_told && !rq.is_accounted() {
        return 0;
    }
    let Some(completing) = COMPLETING.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: this CPU's slot; nested interrupts leave the depth as they found it.
    let completing = unsafe { &mut *completing };
    // Where no end of each is told, completions of one batch or interrupt follow each other;
    // the last one told is the one that is going on.
    let depth = if ends_told { completing.depth } else { 0 };
    let Some(slot) = completing.slots.get_mut(depth as usize) else {
        count(|c| &mut c.no_completion, 1);
        // What is in the way can only be stale: begin anew.
        completing.depth = 0;
        return 0;
    };
    slot.request = rq.address();
    slot.tid = current_task().tid();
    let bytes: u32 = ctx.arg(2);
    let facts = &mut slot.facts;
    // SAFETY: a live slot; zeroes are `RequestFacts`.
    unsafe { words::zero(&raw mut *facts) };
    facts.completed_ns = clock::now();
    facts.sector = rq.sector();
    facts.bytes = bytes;
    facts.dev = rq.part().dev();
    let mut call_ns = 0;
    if let Some(submission) = REQUESTS.get_ptr_mut(rq.address()) {
        // SAFETY: a live entry, left alone by its submitter since.
        let submission = unsafe { &*submission };
        facts.submitted_ns = submission.submitted_ns;
        facts.issued_ns = submission.issued_ns;
        facts.owner_op = submission.op;
        call_ns = submission.call_ns;
        facts.owner_tid = submission.tid;
        facts.owner_pid = submission.pid;
        facts.flags = submission.flags;
        // SAFETY: the slot's own field.
        unsafe { words::copy_comm(&raw const submission.comm, &raw mut facts.owner_comm) };
    }
    completing.depth = depth + 1;
    // Readahead can outlive the scenario that began it.
    if facts.owner_op != 0 && facts.flags & REQUEST_WRITE == 0 && target::watching() {
        emit::request(facts, call_ns);
        let bytes = u64::from(bytes);
        match kind(facts.flags) {
            0 => {
                count(|c| &mut c.requests[0], 1);
                count(|c| &mut c.request_bytes[0], bytes);
            }
            1 => {
                count(|c| &mut c.requests[1], 1);
                count(|c| &mut c.request_bytes[1], bytes);
            }
            _ => {
                count(|c| &mut c.requests[2], 1);
                count(|c| &mut c.request_bytes[2], bytes);
            }
        }
    }
    0
}

#[btf_tracepoint(function = "block_io_done")]
fn block_io_done(ctx: BtfTracePointContext) -> i32 {
    let rq: u64 = ctx.arg(0);
    let _ = REQUESTS.remove(rq);
    let Some(completing) = COMPLETING.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: as in `block_rq_complete`.
    let completing = unsafe { &mut *completing };
    for depth in 0..Completing::DEPTH {
        if depth as u32 >= completing.depth {
            break;
        }
        if completing
            .slots
            .get(depth)
            .is_some_and(|slot| slot.request == rq)
        {
            completing.depth = depth as u32;
            break;
        }
    }
    0
}

/// Where `block_io_done` is missing. `block_rq_complete` is told in two functions only
/// (block/blk-mq.c): in this one, which ends the bios of one request and wakes who waits,
#[fexit(function = "blk_update_request")]
fn fexit_blk_update_request(_ctx: FExitContext) -> i32 {
    forget()
}

/// and in this one, which does so with one request after the other.
#[fexit(function = "blk_mq_end_request_batch")]
fn fexit_blk_mq_end_request_batch(_ctx: FExitContext) -> i32 {
    forget()
}

/// Where those cannot be had either: the interrupt's end is the completion's end.
#[btf_tracepoint(function = "softirq_exit")]
fn softirq_exit(_ctx: BtfTracePointContext) -> i32 {
    forget()
}

#[btf_tracepoint(function = "irq_handler_exit")]
fn irq_handler_exit(_ctx: BtfTracePointContext) -> i32 {
    forget()
}

#[inline(always)]
fn forget() -> i32 {
    if let Some(completing) = COMPLETING.get_ptr_mut(0) {
        // SAFETY: as in `block_rq_complete`.
        unsafe { (*completing).depth = 0 };
    }
    0
}

/// The request that is being completed on this CPU by what is current here.
#[inline(always)]
pub(super) fn completing(tid: u32) -> Option<&'static RequestFacts> {
    let completing = COMPLETING.get_ptr(0)?;
    // SAFETY: as in `block_rq_complete`.
    let completing = unsafe { &*completing };
    let innermost = (completing.depth as usize).wrapping_sub(1);
    let slot = completing.slots.get(innermost)?;
    (slot.tid == tid).then_some(&slot.facts)
}
