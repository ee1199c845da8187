//! Off the CPU and back.
//!
//! Hooks: `sched_switch`, `sched_waking` (every kernel). Fact: `Wait`, told at the
//! switch-in. Without them nothing is known of blocking: both are required.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use profiler_common::fact::{WAIT_IN_RECLAIM, WAIT_IOWAIT, WAIT_PREEMPTED, WAIT_STACK_EARLIER};

use super::{block, fault};
use crate::{
    account, clock,
    kernel::{Task, current_task},
    maps::{sleeper, thread},
    sleep, stack, target,
    thread::{Own, Thread},
    words,
};

#[btf_tracepoint(function = "sched_switch")]
fn sched_switch(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the hook's second argument (trace/events/sched.h).
    let prev = unsafe { Task::new(ctx.arg(1)) };
    if let Some(mut thread) = thread(prev)
        && target::watching()
    {
        let preempt: u64 = ctx.arg(0);
        let state: u32 = ctx.arg(3);
        if preempt as u8 == 0 && state != 0 {
            account::asleep(prev, &mut thread);
        } else {
            account::preempted(prev, &mut thread);
        }
        if thread.in_call() && thread.open.ending == 0 {
            out(&ctx, prev, &mut thread);
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
        fault::close(task, thread);
        return;
    }
    let now = clock::now();
    sleep::tell_until(thread, now);
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
            let own = &mut **thread;
            own.sleep.requests = own.open.requests;
            match own.usual.of(&own.open) {
                Some(usual) => {
                    flags |= WAIT_STACK_EARLIER;
                    stack_id = usual;
                }
                None => {
                    stack_id = stack::store(ctx);
                    own.usual.take(&own.open, stack_id);
                }
            }
        } else {
            stack_id = stack::store(ctx);
        }
        thread.open.requests = 0;
    }
    let Own { sleep, lock, .. } = &mut **thread;
    sleep.state = state;
    sleep.flags = flags;
    sleep.lock = lock.address;
    sleep.lock_ns = lock.since_ns;
    sleep.lock_flags = lock.flags;
    sleep.stack = stack_id;
    sleep.out_ns = now;
}

#[inline(always)]
fn back(thread: &mut Thread) {
    let now = clock::now();
    if thread.in_call() && target::watching() {
        sleep::tell(thread, now, 0);
        thread.open.last_ns = now;
    }
    sleep::forget(thread);
}

#[btf_tracepoint(function = "sched_waking")]
fn sched_waking(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the hook's first argument (trace/events/sched.h).
    let task = unsafe { Task::new(ctx.arg(0)) };
    let Some(sleeper) = sleeper(task) else {
        return 0;
    };
    if !sleeper.in_call() {
        return 0;
    }
    let waker = current_task();
    let (waker_tid, waker_pid, waker_comm) = (waker.tid(), waker.pid(), waker.comm());
    let wakeup = sleeper.wakeup();
    // SAFETY: fields of live state, which only wakers write (`try_to_wake_up` holds the task's
    // `pi_lock`, unless it wakes itself). The thread's own CPU may read them meanwhile.
    unsafe {
        (&raw mut (*wakeup).waker_tid).write_volatile(waker_tid);
        (&raw mut (*wakeup).waker_pid).write_volatile(waker_pid);
        words::copy_comm(&raw const waker_comm, &raw mut (*wakeup).waker_comm);
        let waker_stack = match block::completing(waker_tid) {
            Some(request) => {
                words::copy(request, &raw mut (*wakeup).request);
                -1
            }
            None => {
                (&raw mut (*wakeup).request.completed_ns).write_volatile(0);
                stack::store(&ctx)
            }
        };
        (&raw mut (*wakeup).waker_stack).write_volatile(waker_stack);
        (&raw mut (*wakeup).woken_ns).write_volatile(clock::now());
    }
    0
}
