//! Off the CPU and back.
//!
//! Hooks: `sched_switch`, `sched_waking` (every kernel). Fact: `Wait`, told at the
//! switch-in. Without them nothing is known of blocking: both are required.

use aya_ebpf::{EbpfContext as _, macros::btf_tracepoint, programs::BtfTracePointContext};
use profiler_common::fact::{WAIT_IN_RECLAIM, WAIT_IOWAIT, WAIT_PREEMPTED, WAIT_STACK_EARLIER};

use super::{block, fault};
use crate::{
    account,
    emit::{self, count},
    kernel::{Task, current_task},
    maps::{FRAMES, STACK_IDS, thread},
    target,
    thread::Thread,
    words,
};

#[btf_tracepoint(function = "sched_switch")]
fn sched_switch(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the hook's second argument (trace/events/sched.h).
    let prev = unsafe { Task::new(ctx.arg(1)) };
    if let Some(thread) = thread(prev)
        && target::watching()
    {
        let preempt: u64 = ctx.arg(0);
        let state: u32 = ctx.arg(3);
        if preempt as u8 == 0 && state != 0 {
            account::asleep(prev, thread);
        }
        if thread.in_call() && thread.open.ending == 0 {
            out(&ctx, prev, thread);
        }
    }
    // SAFETY: the hook's third argument.
    let next = unsafe { Task::new(ctx.arg(2)) };
    let mut next_thread = thread(next);
    if let Some(thread) = &mut next_thread
        && thread.sleep.out_ns != 0
    {
        back(thread);
    }
    target::switched_in(next, next_thread);
    0
}

#[inline(always)]
fn out(ctx: &BtfTracePointContext, task: Task, thread: &mut Thread) {
    if thread.in_fault() && !fault::goes_on(task, thread) {
        emit::close_fault(task, thread);
        return;
    }
    let now = emit::now();
    emit::wait_until_now(thread, now);
    let preempt: u64 = ctx.arg(0);
    let state: u32 = ctx.arg(3);
    let preempted = preempt as u8 != 0 || state == 0;
    let mut flags = 0;
    if preempted {
        flags |= WAIT_PREEMPTED;
    }
    if thread.reclaim_ns != 0 {
        flags |= WAIT_IN_RECLAIM;
    }
    let iowait = task.in_iowait();
    if iowait {
        flags |= WAIT_IOWAIT;
    }
    let mut stack_id = -1;
    thread.sleep.requests = 0;
    if !preempted {
        if iowait && thread.open.requests != 0 {
            thread.sleep.requests = thread.open.requests;
            match thread.usual.of(&thread.open) {
                Some(usual) => {
                    flags |= WAIT_STACK_EARLIER;
                    stack_id = usual;
                }
                None => {
                    stack_id = stack(ctx);
                    thread.usual.take(&thread.open, stack_id);
                }
            }
        } else {
            stack_id = stack(ctx);
        }
        thread.open.requests = 0;
    }
    let sleep = &mut thread.sleep;
    sleep.state = state;
    sleep.flags = flags;
    sleep.lock = thread.lock.address;
    sleep.lock_ns = thread.lock.since_ns;
    sleep.lock_flags = thread.lock.flags;
    sleep.stack = stack_id;
    sleep.out_ns = now;
}

#[inline(always)]
fn back(thread: &mut Thread) {
    let now = emit::now();
    if thread.in_call() && target::watching() {
        emit::wait(thread, now, 0);
        thread.open.last_ns = now;
    }
    thread.sleep.out_ns = 0;
    thread.sleep.woken_ns = 0;
}

#[btf_tracepoint(function = "sched_waking")]
fn sched_waking(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the hook's first argument (trace/events/sched.h).
    let task = unsafe { Task::new(ctx.arg(0)) };
    let Some(thread) = thread(task) else { return 0 };
    if !thread.in_call() {
        return 0;
    }
    let waker = current_task();
    let sleep = &mut thread.sleep;
    sleep.waker_tid = waker.tid();
    sleep.waker_pid = waker.pid();
    sleep.waker_comm = waker.comm();
    match block::completing(sleep.waker_tid) {
        Some(request) => {
            // SAFETY: the state's own field.
            unsafe { words::copy(request, &raw mut sleep.request) };
            sleep.waker_stack = -1;
        }
        None => {
            sleep.request.completed_ns = 0;
            sleep.waker_stack = stack(&ctx);
        }
    }
    sleep.woken_ns = emit::now();
    0
}

/// Stores the kernel stack; negative where that is not possible.
///
/// Two stacks can fall into one slot of the map. Without its innermost frame, which is
/// this program's own, a stack has another slot: so it gets three tries.
#[inline(always)]
fn stack(ctx: &BtfTracePointContext) -> i32 {
    use aya_ebpf::helpers::generated::{bpf_get_stack, bpf_get_stackid};
    for skip in 0..3 {
        let ids = (&raw const STACK_IDS).cast_mut().cast();
        // SAFETY: the context is this program's, the map a stack map.
        let id = unsafe { bpf_get_stackid(ctx.as_ptr(), ids, skip) };
        if id < 0 {
            continue;
        }
        if let Some(frames) = FRAMES.get_ptr_mut(id as u32) {
            // SAFETY: a live slot; an id means the same stack to all who write it.
            unsafe {
                if (*frames)[0] == 0 {
                    let bytes = size_of_val(&*frames) as u32;
                    bpf_get_stack(ctx.as_ptr(), frames.cast(), bytes, skip);
                }
            }
        }
        return id as i32;
    }
    count(|c| &mut c.no_stack, 1);
    -1
}
