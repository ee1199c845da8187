//! Threads and processes that come and go.
//!
//! Hooks: `sched_process_fork`, `sched_process_exec`, `sched_process_exit` (every
//! kernel). Without fork, what the target forks is not watched; without exec, a
//! command cannot be watched from its first instruction; without exit, a call that
//! its thread did not survive is not told.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use aya_log_ebpf::debug;
use profiler_common::fact::ENDED_BY_EXIT;

use super::fault;
use crate::{
    account, clock,
    emit::{self, count},
    kernel::Task,
    maps::thread,
    sleep, target,
};

#[btf_tracepoint(function = "sched_process_fork")]
fn sched_process_fork(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the hook's first argument (trace/events/sched.h).
    let parent = unsafe { Task::new(ctx.arg(0)) };
    if target::ours(parent).is_some() {
        // SAFETY: the hook's second argument.
        let child = unsafe { Task::new(ctx.arg(1)) };
        if child.pid() != parent.pid() {
            count(|c| &mut c.forks, 1);
        }
        let _ = target::watch(child);
        debug!(
            &ctx,
            "watching {}, started by {}",
            child.tid(),
            parent.tid()
        );
    }
    0
}

#[btf_tracepoint(function = "sched_process_exec")]
fn sched_process_exec(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the hook's first argument (trace/events/sched.h).
    let task = unsafe { Task::new(ctx.arg(0)) };
    if let Some(mut thread) = thread(task) {
        // A thread that calls exec takes over its process's id.
        thread.tid = task.tid();
        account::exec(task, &mut thread);
        count(|c| &mut c.execs, 1);
        return 0;
    }
    if target::begins_with_exec(task) {
        if let Some(mut thread) = target::watch(task) {
            // It is in the middle of exec, whose end is to come.
            account::exec(task, &mut thread);
        }
        // Exec itself reads the program's headers, and the kernel counts that as reads.
        count(|c| &mut c.reads_before, task.reads());
        count(|c| &mut c.bytes_before, task.bytes_read());
        debug!(&ctx, "watching {} from its exec", task.pid());
    }
    0
}

#[btf_tracepoint(function = "sched_process_exit")]
fn sched_process_exit(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the hook's first argument (trace/events/sched.h).
    let task = unsafe { Task::new(ctx.arg(0)) };
    let Some(mut thread) = thread(task) else {
        return 0;
    };
    if !target::watching() {
        return 0;
    }
    account::asleep(task, &mut thread);
    if thread.in_fault() {
        fault::close(task, &mut thread);
    } else if thread.in_call() {
        let now = clock::now();
        sleep::tell_until(&mut thread, now);
        emit::ended(task, &thread, now, 0, ENDED_BY_EXIT);
        thread.close();
    }
    0
}
