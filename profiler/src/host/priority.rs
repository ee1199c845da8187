//! The collector's place among all that wants a CPU.

use std::io;

/// Puts the calling thread before all that has no fixed priority, and not what it starts
/// from now on: readers on all CPUs leave it too little else, and their facts find no room.
///
/// Somebody who has given it a priority of their own has their reasons: then it is kept.
///
/// # Errors
///
/// It has no right to.
pub fn prefer_collector() -> io::Result<()> {
    let done = |result: libc::c_int| match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    };
    // SAFETY: of the calling thread, takes no memory.
    if unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) } != 0 {
        return Ok(());
    }
    let none = libc::sched_param { sched_priority: 0 };
    let policy = libc::SCHED_OTHER | libc::SCHED_RESET_ON_FORK;
    // SAFETY: of the calling thread, with a live argument.
    done(unsafe { libc::sched_setscheduler(0, policy, &raw const none) })?;
    // SAFETY: of the calling thread, takes no memory.
    done(unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -20) })
}
