//! The one door to the ring, and the counters.

use core::arch::asm;

use aya_ebpf::{bindings::BPF_RB_NO_WAKEUP, helpers::generated::bpf_ktime_get_ns};
use profiler_common::{
    counter::Counters,
    fact::{
        ENDED_AT_LAST_FACT, Ended, Head, KIND_ENDED, KIND_RECLAIM, KIND_REQUEST, KIND_WAIT,
        Reclaim, Request, RequestFacts, WAIT_BACK_UNSEEN, WAIT_PREEMPTED, WAIT_STACK_EARLIER,
        WAIT_WAKE_UNSEEN, Wait,
    },
};

use crate::{
    kernel::{self, Task, at},
    maps::{COUNTERS, RING},
    thread::Thread,
    words,
};

/// `CLOCK_MONOTONIC`, in nanoseconds.
#[inline(always)]
pub(crate) fn now() -> u64 {
    // SAFETY: has no preconditions.
    unsafe { bpf_ktime_get_ns() }
}

/// Adds to a counter. Atomic, because on kernels that preempt two threads can meet
/// on one CPU in the middle of it.
#[inline(always)]
pub(crate) fn add(counter: &mut u64, n: u64) {
    // core has no atomic addition for BPF; this is the one instruction for it.
    // SAFETY: aligned, live, and only ever changed like this.
    unsafe {
        asm!("lock *(u64 *)({at} + 0) += {n}", at = in(reg) &raw mut *counter, n = in(reg) n, options(nostack));
    }
}

/// Counts something of this CPU.
#[inline(always)]
pub(crate) fn count(which: impl FnOnce(&mut Counters) -> &mut u64, n: u64) {
    if let Some(counters) = COUNTERS.get_ptr_mut(0) {
        // SAFETY: a live slot of this CPU.
        add(which(unsafe { &mut *counters }), n);
    }
}

/// Sends a fact. No wake-up: the collector comes by on its own clock.
#[inline(always)]
fn send<T: 'static>(kind: u32, fill: impl FnOnce(*mut T)) {
    count(|c| &mut c.made[kind as usize], 1);
    match RING.reserve_untyped::<T>(0) {
        Some(mut entry) => {
            fill(entry.as_mut_ptr());
            entry.submit(BPF_RB_NO_WAKEUP.into());
        }
        None => count(|c| &mut c.lost[kind as usize], 1),
    }
}

#[inline(always)]
fn head<T>(kind: u32, thread: &Thread, at_ns: u64) -> Head {
    Head {
        kind,
        size: size_of::<T>() as u32,
        tid: thread.tid,
        pid: thread.pid,
        at_ns,
        call_ns: thread.open.call_ns,
    }
}

/// Tells a stay off the CPU that is over. `unseen` is 0, or `WAIT_BACK_UNSEEN`.
#[inline(always)]
pub(crate) fn wait(thread: &mut Thread, now: u64, unseen: u32) {
    thread.open.loud = 1;
    thread.open.sums.facts += 1;
    thread.open.sums.waits += 1;
    let sleep = &thread.sleep;
    let preempted = sleep.flags & WAIT_PREEMPTED != 0;
    let woken = if preempted { 0 } else { sleep.woken_ns };
    let unseen = if !preempted && woken == 0 {
        unseen | WAIT_WAKE_UNSEEN
    } else {
        unseen
    };
    // The wake-up can be told a moment before the switch-out, and another one of a thread
    // that runs again a moment after the switch-in.
    let woken_ns = if woken != 0 && woken < sleep.out_ns {
        sleep.out_ns
    } else if woken > now {
        now
    } else {
        woken
    };
    let request = if woken != 0 && sleep.request.completed_ns != 0 {
        Some(&sleep.request)
    } else {
        None
    };
    let (mut flags, mut stack) = (sleep.flags | unseen, sleep.stack);
    if sleep.requests != 0 {
        if request.is_none() {
            thread.usual.not_foreseen();
            // Nothing explains this sleep, so its stack has to be its own.
            if flags & WAIT_STACK_EARLIER != 0 {
                flags &= !WAIT_STACK_EARLIER;
                stack = -1;
            }
        } else if flags & WAIT_STACK_EARLIER == 0 {
            thread.usual.foreseen();
        }
    }
    let thread = &*thread;
    // SAFETY: the reserved record, valid for one `Wait`, all of which is written.
    send(KIND_WAIT, |to: *mut Wait| unsafe {
        (&raw mut (*to).head).write(head::<Wait>(KIND_WAIT, thread, now));
        (*to).out_ns = sleep.out_ns;
        (*to).woken_ns = woken_ns;
        (*to).lock = sleep.lock;
        (*to).lock_ns = sleep.lock_ns;
        (*to).lock_flags = sleep.lock_flags;
        (*to).state = sleep.state;
        (*to).flags = flags;
        (*to).stack = stack;
        (*to).waker_stack = if woken == 0 { -1 } else { sleep.waker_stack };
        (*to).waker_tid = if woken == 0 { 0 } else { sleep.waker_tid };
        (*to).waker_pid = if woken == 0 { 0 } else { sleep.waker_pid };
        (*to).unused = 0;
        words::copy_comm(&sleep.waker_comm, &raw mut (*to).waker_comm);
        match request {
            Some(request) => words::copy(request, &raw mut (*to).request),
            None => words::zero(&raw mut (*to).request),
        }
    });
}

/// Tells a stay in direct reclaim that is over.
#[inline(always)]
pub(crate) fn reclaim(thread: &mut Thread, now: u64, pages: u64) {
    thread.open.loud = 1;
    thread.open.sums.facts += 1;
    let thread = &*thread;
    // SAFETY: the reserved record, valid for one `Reclaim`, all of which is written.
    send(KIND_RECLAIM, |to: *mut Reclaim| unsafe {
        to.write(Reclaim {
            head: head::<Reclaim>(KIND_RECLAIM, thread, now),
            begin_ns: thread.reclaim_ns,
            pages,
        });
    });
}

/// Tells a request of a watched call that is complete.
#[inline(always)]
pub(crate) fn request(facts: &RequestFacts) {
    // SAFETY: the reserved record, valid for one `Request`, all of which is written.
    send(KIND_REQUEST, |to: *mut Request| unsafe {
        (&raw mut (*to).head).write(Head {
            kind: KIND_REQUEST,
            size: size_of::<Request>() as u32,
            tid: facts.owner_tid,
            pid: facts.owner_pid,
            at_ns: facts.completed_ns,
            call_ns: facts.owner_call_ns,
        });
        words::copy(facts, &raw mut (*to).request);
    });
}

/// Tells the end of the open call.
#[inline(always)]
pub(crate) fn ended(task: Task, thread: &Thread, at_ns: u64, returned: i64, flags: u32) {
    let open = &thread.open;
    let (mut dev, mut magic) = (open.dev, open.magic);
    if open.sb != 0 {
        dev = kernel::word(open.sb, at!(sb.dev)) as u32;
        magic = kernel::word(open.sb, at!(sb.magic)) as u32;
    }
    let name = match open.dentry {
        0 => 0,
        dentry => kernel::word(dentry, at!(dentry.name)),
    };
    // SAFETY: the reserved record, valid for one `Ended`, all of which is written.
    send(KIND_ENDED, |to: *mut Ended| unsafe {
        (&raw mut (*to).head).write(head::<Ended>(KIND_ENDED, thread, at_ns));
        (*to).requested = open.requested;
        (*to).returned = returned;
        (*to).offset = open.offset;
        (*to).inode = open.inode;
        (*to).file_size = open.file_size;
        // Takes the room of `dev` along, which is written next.
        words::copy(&open.sums, (&raw mut (*to).bio_bytes).cast());
        (*to).dev = dev;
        (*to).magic = magic;
        (*to).mode = open.mode.into();
        (*to).file_flags = open.file_flags;
        (*to).fd = open.fd;
        (*to).call = open.call;
        (*to).flags = flags;
        (*to).comm = task.comm();
        words::zero::<[u64; 4]>((&raw mut (*to).name).cast());
        if name != 0 {
            kernel::copy_str(name, &mut (*to).name);
        }
    });
}

/// Tells a stay off the CPU whose end was not seen: the thread runs now.
#[inline(always)]
pub(crate) fn wait_until_now(thread: &mut Thread, now: u64) {
    if thread.sleep.out_ns != 0 {
        wait(thread, now, WAIT_BACK_UNSEEN);
        thread.sleep.out_ns = 0;
        thread.sleep.woken_ns = 0;
    }
}

/// Closes an open fault at the last moment it was known to be going on, and tells
/// it if anything happened in it.
#[inline(always)]
pub(crate) fn close_fault(task: Task, thread: &mut Thread) {
    let sleep = &thread.sleep;
    if sleep.out_ns != 0 {
        // It slept, and who woke it found it asleep.
        let last_ns = if sleep.woken_ns > sleep.out_ns {
            sleep.woken_ns
        } else {
            sleep.out_ns
        };
        thread.open.last_ns = last_ns;
        wait_until_now(thread, last_ns);
    }
    if thread.open.loud != 0 {
        ended(task, thread, thread.open.last_ns, 0, ENDED_AT_LAST_FACT);
    }
    thread.close();
}
