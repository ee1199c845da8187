//! The one door to the ring, and the counters.

use core::arch::asm;

use aya_ebpf::bindings::BPF_RB_NO_WAKEUP;
use profiler_common::{
    counter::Counters,
    fact::{
        Ended, Head, KIND_ENDED, KIND_RECLAIM, KIND_REQUEST, KIND_WAIT, Reclaim, Request,
        RequestFacts, Wait, stay,
    },
};

use crate::{
    kernel::{self, Task, at},
    maps::{COUNTERS, RING},
    sleep::Wakeup,
    thread::{Own, Thread},
    words,
};

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
fn head<T>(kind: u32, thread: &Own, at_ns: u64) -> Head {
    Head {
        kind,
        size: size_of::<T>() as u32,
        tid: thread.tid,
        pid: thread.pid,
        at_ns,
        call_ns: thread.open.call_ns,
        op: stay(thread.tid, thread.open.call_ns),
    }
}

/// What is told of a stay off the CPU besides what the thread's state has.
pub(crate) struct Stay {
    pub woken_ns: u64,
    pub flags: u32,
    pub stack: i32,
    /// A wake-up was seen, and what is noted of it is this stay's.
    pub was_woken: bool,
    /// So is the request that was being completed.
    pub by_request: bool,
}

/// Tells a stay off the CPU.
#[inline(always)]
pub(crate) fn wait(thread: &Thread, now: u64, stay: &Stay) {
    let wakeup: *const Wakeup = thread.wakeup();
    let sleep = &thread.sleep;
    // SAFETY: the reserved record, valid for one `Wait`, all of which is written; and the wake-up
    // in the thread's state, which is live.
    send(KIND_WAIT, |to: *mut Wait| unsafe {
        (&raw mut (*to).head).write(head::<Wait>(KIND_WAIT, thread, now));
        (*to).out_ns = sleep.out_ns;
        (*to).woken_ns = stay.woken_ns;
        (*to).lock = sleep.lock;
        (*to).lock_ns = sleep.lock_ns;
        (*to).lock_flags = sleep.lock_flags;
        (*to).state = sleep.state;
        (*to).flags = stay.flags;
        (*to).stack = stay.stack;
        let (mut waker_stack, mut waker_tid, mut waker_pid) = (-1, 0, 0);
        if stay.was_woken {
            waker_stack = (&raw const (*wakeup).waker_stack).read_volatile();
            waker_tid = (&raw const (*wakeup).waker_tid).read_volatile();
            waker_pid = (&raw const (*wakeup).waker_pid).read_volatile();
        }
        (*to).waker_stack = waker_stack;
        (*to).waker_tid = waker_tid;
        (*to).waker_pid = waker_pid;
        (*to).unused = 0;
        words::copy_comm(&raw const (*wakeup).waker_comm, &raw mut (*to).waker_comm);
        if stay.by_request {
            words::copy(&raw const (*wakeup).request, &raw mut (*to).request);
        } else {
            words::zero(&raw mut (*to).request);
        }
    });
}

/// Tells a stay in direct reclaim that is over.
#[inline(always)]
pub(crate) fn reclaim(thread: &mut Own, now: u64, pages: u64) {
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

/// Tells a request of a watched operation that is complete. `call_ns` is when that began.
#[inline(always)]
pub(crate) fn request(facts: &RequestFacts, call_ns: u64) {
    // SAFETY: the reserved record, valid for one `Request`, all of which is written.
    send(KIND_REQUEST, |to: *mut Request| unsafe {
        (&raw mut (*to).head).write(Head {
            kind: KIND_REQUEST,
            size: size_of::<Request>() as u32,
            tid: facts.owner_tid,
            pid: facts.owner_pid,
            at_ns: facts.completed_ns,
            call_ns,
            op: facts.owner_op,
        });
        words::copy(&raw const *facts, &raw mut (*to).request);
    });
}

/// Tells the end of the open call.
#[inline(always)]
pub(crate) fn ended(task: Task, thread: &Own, at_ns: u64, returned: i64, flags: u32) {
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
        words::copy(&raw const open.sums, (&raw mut (*to).bio_bytes).cast());
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
