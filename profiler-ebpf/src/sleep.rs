//! Stays off the CPU, and the wake-ups that end them.

use profiler_common::fact::{
    RequestFacts, WAIT_BACK_UNSEEN, WAIT_PREEMPTED, WAIT_STACK_EARLIER, WAIT_WAKE_UNSEEN,
};

use crate::{
    emit::{self, Stay},
    thread::Thread,
};

/// A stay off the CPU that is not over.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Sleep {
    /// Switched out; 0: on the CPU.
    pub out_ns: u64,
    pub state: u32,
    pub flags: u32,
    pub lock: u64,
    pub lock_ns: u64,
    pub lock_flags: u32,
    pub stack: i32,
    /// Not 0: requests of its own were under way ([`crate::thread::Open::requests`]).
    pub requests: u32,
    pub unused: u32,
}

/// The wake-up that ends it.
///
/// Another CPU writes it, perhaps a little before the switch-out has been told and perhaps while
/// the thread's own CPU reads it, so it is only reached by raw pointer. `docs/blame.md` (Wake-ups)
/// says why what is read is good enough.
#[repr(C)]
pub(crate) struct Wakeup {
    /// 0: there was none yet.
    pub woken_ns: u64,
    pub waker_tid: u32,
    pub waker_pid: u32,
    pub waker_stack: i32,
    pub unused: u32,
    pub waker_comm: [u8; 16],
    pub request: RequestFacts,
}

/// A stay is over at `now`: tells it. `unseen` is 0, or `WAIT_BACK_UNSEEN`.
#[inline(always)]
pub(crate) fn tell(thread: &mut Thread, now: u64, unseen: u32) {
    let wakeup = thread.wakeup();
    // SAFETY: a field of live state, which another CPU may be writing.
    let (noted_ns, completed_ns) = unsafe {
        (
            (&raw const (*wakeup).woken_ns).read_volatile(),
            (&raw const (*wakeup).request.completed_ns).read_volatile(),
        )
    };
    let own = &mut **thread;
    own.open.loud = 1;
    own.open.sums.facts += 1;
    own.open.sums.waits += 1;
    let sleep = &own.sleep;
    let preempted = sleep.flags & WAIT_PREEMPTED != 0;
    let woken = if preempted { 0 } else { noted_ns };
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
    let by_request = woken != 0 && completed_ns != 0;
    let (mut flags, mut stack) = (sleep.flags | unseen, sleep.stack);
    if sleep.requests != 0 {
        if !by_request {
            own.usual.not_foreseen();
            // Nothing explains this sleep, so its stack has to be its own.
            if flags & WAIT_STACK_EARLIER != 0 {
                flags &= !WAIT_STACK_EARLIER;
                stack = -1;
            }
        } else if flags & WAIT_STACK_EARLIER == 0 {
            own.usual.foreseen();
        }
    }
    emit::wait(
        thread,
        now,
        &Stay {
            woken_ns,
            flags,
            stack,
            was_woken: woken != 0,
            by_request,
        },
    );
}

/// Tells a stay off the CPU whose end was not seen: the thread runs now.
#[inline(always)]
pub(crate) fn tell_until(thread: &mut Thread, now: u64) {
    if thread.sleep.out_ns != 0 {
        tell(thread, now, WAIT_BACK_UNSEEN);
        forget(thread);
    }
}

/// The thread is on the CPU.
#[inline(always)]
pub(crate) fn forget(thread: &mut Thread) {
    thread.sleep.out_ns = 0;
    thread.forget_wakeup();
}
