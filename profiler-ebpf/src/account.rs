//! Holds each watched thread's calls against the kernel's own count of its reads.
//!
//! The kernel skips a program while another run of it is preempted on the same CPU (Linux
//! 7.0 and later: tracepoint programs are preemptible), so begins and ends of calls can be
//! missed. `task_struct.ioac.syscr` grows by one in each read, between its begin and its
//! end, and only the thread itself writes it. So the difference between two looks says how
//! many calls lay in between, to the one.
//!
//! Calls that fail before they reach a file (a bad descriptor, a negative offset) are not in
//! that count. Other calls are in it: `sendfile`, `copy_file_range` and `exec`. The table of
//! calls marks them (`CALL_COUNTED`), and their part is left out.
//!
//! Where the kernel has no such count (`CONFIG_TASK_XACCT` unset), every difference is 0,
//! and only a begin without an end, or an end without a begin, is known.

use profiler_common::calls::{CALL_BPF, Entry};

use crate::{
    emit::count,
    kernel::Task,
    maps::{call, control},
    thread::Thread,
};

/// What has been accounted for of one thread.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Account {
    /// The kernel's count up to which all calls are known.
    reads: u64,
    /// Scenario that this account belongs to.
    scenario: u32,
    /// `IN_*` bits.
    state: u32,
}

/// A call that is counted as a read, and is none, is going on.
const IN_COUNTED: u32 = 1 << 0;
/// The thread may be in a read that began before it was watched.
const IN_EARLIER: u32 = 1 << 1;
/// The thread has become another program, and the end of its exec is to come, which belongs to
/// no read. It never comes to a 32-bit program, whose calls are not looked at.
const IN_EXEC: u32 = 1 << 2;

/// What an end belongs to.
pub(crate) enum End {
    /// The open call.
    Open,
    /// No call that is to be told.
    Nothing,
}

impl Account {
    /// Begins anew: all that was counted until now is known.
    #[inline(always)]
    fn begin_anew(&mut self, task: Task, scenario: u32) {
        self.reads = task.reads();
        self.scenario = scenario;
        self.state = 0;
    }

    #[inline(always)]
    pub(crate) fn is_of(&self, scenario: u32) -> bool {
        self.scenario == scenario
    }

    /// Is a call going on of which it is not known how often it is counted?
    #[inline(always)]
    fn is_in_another(&self) -> bool {
        self.state & (IN_COUNTED | IN_EARLIER) != 0
    }

    /// Calls counted since the last look.
    #[inline(always)]
    fn advance(&mut self, task: Task) -> u64 {
        let reads = task.reads();
        let more = reads.wrapping_sub(self.reads);
        self.reads = reads;
        more
    }
}

#[inline(always)]
fn missed_whole(calls: u64) {
    if calls != 0 {
        count(|c| &mut c.missed_whole, calls);
    }
}

/// The open call has ended, and nobody saw it.
#[inline(always)]
fn missed_end(thread: &mut Thread) {
    count(|c| &mut c.missed_ends, 1);
    thread.close();
}

/// A thread that is watched from now on.
#[inline(always)]
pub(crate) fn open(task: Task, thread: &mut Thread) {
    thread.account.begin_anew(task, control().scenario);
}

/// A thread's account belongs to one scenario: what it did in between is nobody's.
#[inline(always)]
pub(crate) fn enter_scenario(task: Task, thread: &mut Thread, scenario: u32) {
    if thread.account.scenario != scenario {
        thread.close();
        thread.account.begin_anew(task, scenario);
    }
}

/// A thread that is met when it is switched in: it may be in the middle of a read.
#[inline(always)]
pub(crate) fn met_asleep(task: Task, thread: &mut Thread) {
    if is_counted(task) {
        thread.account.state = IN_EARLIER;
    }
}

/// Is the task in a call that the kernel counts as a read? The number of a 32-bit call means
/// another one.
#[inline(always)]
fn is_counted(task: Task) -> bool {
    let call = call(task.number_in_progress());
    call != Entry::NONE && !call.is_other(CALL_BPF) && !task.is_compat()
}

/// A read, or what is counted as one, begins. Leaves no read open.
#[inline(always)]
pub(crate) fn begin(task: Task, thread: &mut Thread, counted_only: bool) {
    let more = thread.account.advance(task);
    let state = thread.account.state;
    thread.account.state = if counted_only { IN_COUNTED } else { 0 };
    let open = thread.in_read();
    if open {
        missed_end(thread);
    }
    // The end of the open call, of what was counted, or of an earlier call was not seen: one
    // of those counted is that call.
    let known = u64::from(open || state & (IN_COUNTED | IN_EARLIER) != 0);
    missed_whole(more.saturating_sub(known));
}

/// A read, or what is counted as one, ends.
#[inline(always)]
pub(crate) fn end(task: Task, thread: &mut Thread, counted_only: bool) -> End {
    let more = thread.account.advance(task);
    let state = thread.account.state;
    thread.account.state = 0;
    let open = thread.in_read();
    if counted_only || state != 0 {
        if open {
            missed_end(thread);
            missed_whole(more.saturating_sub(2));
        } else if state == IN_EXEC {
            missed_whole(more);
        }
        return End::Nothing;
    }
    if !open {
        // A call that the kernel did not count was refused before it began (by seccomp, by a
        // tracer, for its descriptor): such calls have an end, and need not have a begin.
        if more != 0 || !task.counts_reads() {
            count(|c| &mut c.missed_begins, 1);
            missed_whole(more.saturating_sub(1));
        }
        return End::Nothing;
    }
    if more >= 2 {
        // Two calls that would be told as one: the end of the first was not seen, nor the
        // begin of the last.
        missed_end(thread);
        count(|c| &mut c.missed_begins, 1);
        missed_whole(more - 2);
        return End::Nothing;
    }
    End::Open
}

/// The thread goes to sleep by itself. A read counts itself when it is done, so what is counted
/// has ended, but for one that sleeps on its way out of the kernel (an audit rule has it do so).
#[inline(always)]
pub(crate) fn asleep(task: Task, thread: &mut Thread) {
    let more = task.reads().wrapping_sub(thread.account.reads);
    if more == 0 || thread.account.is_in_another() {
        return;
    }
    if more == 1 && thread.in_read() && is_counted(task) {
        return;
    }
    settle(task, thread);
}

/// The thread is taken off its CPU. One of the calls that are counted may be on its way out of
/// the kernel: that one is left for later.
#[inline(always)]
pub(crate) fn preempted(task: Task, thread: &mut Thread) {
    let reads = task.reads();
    let more = reads.wrapping_sub(thread.account.reads);
    if more < 2 || thread.account.is_in_another() {
        return;
    }
    thread.account.reads = reads - 1;
    if thread.in_read() {
        missed_end(thread);
        missed_whole(more - 2);
    } else {
        missed_whole(more - 1);
    }
}

/// The thread dies: none of its calls has an end that is still to come.
#[inline(always)]
pub(crate) fn dies(task: Task, thread: &mut Thread) {
    if !thread.account.is_in_another() {
        settle(task, thread);
    }
}

/// All that is counted has ended, and nobody saw it.
#[inline(always)]
fn settle(task: Task, thread: &mut Thread) {
    let more = thread.account.advance(task);
    if more == 0 {
        return;
    }
    if thread.in_read() {
        missed_end(thread);
        missed_whole(more - 1);
    } else {
        missed_whole(more);
    }
}

/// The thread became another program, which read its file: that is counted too.
#[inline(always)]
pub(crate) fn exec(task: Task, thread: &mut Thread) {
    thread.account.begin_anew(task, control().scenario);
    thread.account.state = IN_EXEC;
}
