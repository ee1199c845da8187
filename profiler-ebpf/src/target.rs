//! Is this thread ours?
//!
//! A thread is watched from the moment that it has a state. The target's threads get
//! theirs when a probe first meets them; what a watched thread starts, thread or
//! process, gets one at birth (see [`crate::probes::task`]). Between scenarios nobody is:
//! a state outlives the scenario that it was made in, so each use asks first.

use profiler_common::{
    control::Control,
    target::{TARGET_FROM_EXEC, TARGET_NOTHING, TARGET_PROCESS, TARGET_THREAD},
};

use crate::{
    account,
    emit::count,
    kernel::{Task, fixed},
    maps::{control, new_thread, thread},
    thread::Thread,
};

/// The current thread's state, if it is ours.
#[inline(always)]
pub(crate) fn ours(task: Task) -> Option<Thread> {
    let control = control();
    if control.target_kind == TARGET_NOTHING {
        return None;
    }
    match thread(task) {
        Some(mut state) => {
            account::enter_scenario(task, &mut state, control.scenario);
            Some(state)
        }
        None => meet(task, &control),
    }
}

/// Meets a thread of the target that is switched in.
#[inline(always)]
pub(crate) fn switched_in(task: Task, state: Option<Thread>) {
    let control = control();
    if control.target_kind == TARGET_NOTHING {
        return;
    }
    let state = match state {
        Some(state) if state.account.is_of(control.scenario) => return,
        Some(mut state) => {
            account::enter_scenario(task, &mut state, control.scenario);
            Some(state)
        }
        None => meet(task, &control),
    };
    if let Some(mut state) = state {
        account::met_asleep(task, &mut state);
    }
}

/// Is anything watched now?
#[inline(always)]
pub(crate) fn watching() -> bool {
    control().target_kind != TARGET_NOTHING
}

/// A thread without a state: is it one of the target's? Each switch to such a thread comes by
/// here, so a kind of target that takes more than a comparison has to keep its answer with the
/// process, as [`crate::maps`] does with the ids that were ever watched.
#[inline(always)]
fn meet(task: Task, control: &Control) -> Option<Thread> {
    match control.target_kind {
        TARGET_PROCESS if is(control, task.pid()) => watch(task),
        TARGET_THREAD if is(control, task.tid()) => give_state(task),
        // What is watched from its exec on is met there.
        _ => None,
    }
}

/// Does the process call exec from which on it is to be watched?
#[inline(always)]
pub(crate) fn begins_with_exec(task: Task) -> bool {
    let control = control();
    control.target_kind == TARGET_FROM_EXEC && is(&control, task.pid())
}

#[inline(always)]
fn is(control: &Control, id: u32) -> bool {
    control.target_number == u64::from(id)
}

/// Watches a thread from now on.
#[inline(always)]
pub(crate) fn watch(task: Task) -> Option<Thread> {
    if task.pid() == fixed!(self_pid) {
        return None;
    }
    give_state(task)
}

#[inline(always)]
fn give_state(task: Task) -> Option<Thread> {
    match new_thread(task) {
        Some(mut state) => {
            state.tid = task.tid();
            state.pid = task.pid();
            account::open(task, &mut state);
            Some(state)
        }
        None => {
            count(|c| &mut c.no_state, 1);
            None
        }
    }
}
