//! The read family, from entry to exit.
//!
//! Hooks, one pair of them: `sys_enter`, `sys_exit` (raw, with BTF; every kernel), or a session
//! on the functions behind the system calls (since 6.10), or the classic tracepoints of the
//! same names, where programs on the first can be preempted (since 7.0). Facts: `Ended`; quiet
//! calls settle in the histogram. Without them there are no calls. They see `bpf(2)` too, and
//! count who makes map system calls: those have the kernel skip sessions and classic
//! tracepoints.

use core::ffi::c_void;

use aya_ebpf::{
    EbpfContext as _,
    macros::{btf_tracepoint, tracepoint},
    programs::{BtfTracePointContext, RetProbeContext, TracePointContext},
};
use profiler_common::{
    bpf_user::{BPF_MAP_COMMANDS, BpfUser},
    calls::{CALL_BPF, CALL_COUNTED, Entry, Position, Shape},
    control::{CONTROL_EVERY_CALL, Control},
    fact::{ENDED_QUIET, ENDED_SWITCH_UNSEEN},
    target::TARGET_NOTHING,
};

use super::fault;
use crate::{
    account::{self, End},
    clock, emit,
    kernel::{self, OpenFile, Regs, Task, at, current_task, fixed},
    maps::{BPF_USERS_BY_PID, call, control, thread},
    settle::settle,
    sleep, target,
    thread::{Open, Own, Thread},
};

/// The kernel takes no vector of more buffers (linux/uio.h).
const UIO_MAXIOV: u64 = 1024;

#[btf_tracepoint(function = "sys_enter")]
fn sys_enter(ctx: BtfTracePointContext) -> i32 {
    let call = call(ctx.arg(1));
    if call != Entry::NONE {
        // SAFETY: the hook's first argument (trace/events/syscalls.h).
        let regs = unsafe { Regs::new(ctx.arg(0)) };
        begin(current_task(), regs, call);
    }
    0
}

#[btf_tracepoint(function = "sys_exit")]
fn sys_exit(ctx: BtfTracePointContext) -> i32 {
    // SAFETY: the hook's first argument (trace/events/syscalls.h).
    let regs = unsafe { Regs::new(ctx.arg(0)) };
    // Most of what the machine calls is no read: that is told before anything else.
    let call = call(regs.number().into());
    if call != Entry::NONE && !call.is_other(CALL_BPF) {
        end(current_task(), ctx.arg(1), call.is_other(CALL_COUNTED));
    }
    0
}

/// Begin and end of the functions behind the system calls, in one program that the kernel
/// never skips because of itself: it runs with preemption off (`fprobe`). A begin that
/// returns 1 has no end: whoever is not watched pays for the begin only. Without aya's macro for
/// kprobes, which returns 0 whatever the program says.
// SAFETY: the loader looks for this name in this section; nothing else has it.
#[unsafe(no_mangle)]
#[unsafe(link_section = "kprobe")]
fn read_session(ctx: *mut c_void) -> u32 {
    let task = current_task();
    if kernel::session_is_return(ctx) {
        let returned: u64 = RetProbeContext::new(ctx).ret();
        end(task, returned as i64, false);
        return 0;
    }
    let regs = task.registers();
    let call = call(regs.number().into());
    if call == Entry::NONE {
        return 1;
    }
    let is_watched = begin(task, regs, call);
    // An exec may make the task one that is watched, so its end is wanted whoever it is.
    u32::from(!is_watched && !call.is_other(CALL_COUNTED))
}

/// As [`sys_enter`], where that can be preempted and there are no sessions. The classic
/// tracepoint runs its programs with preemption off, and is dearer.
#[tracepoint(category = "raw_syscalls", name = "sys_enter")]
fn classic_sys_enter(ctx: TracePointContext) -> u32 {
    let call = call(classic_number(&ctx));
    if call != Entry::NONE {
        let task = current_task();
        begin(task, task.registers(), call);
    }
    0
}

/// As [`sys_exit`].
#[tracepoint(category = "raw_syscalls", name = "sys_exit")]
fn classic_sys_exit(ctx: TracePointContext) -> u32 {
    let call = call(classic_number(&ctx));
    if call != Entry::NONE && !call.is_other(CALL_BPF) {
        // SAFETY: within the tracepoint's record: its head, the number, the result.
        let returned = unsafe { ctx.as_ptr().cast::<i64>().add(2).read_volatile() };
        end(current_task(), returned, call.is_other(CALL_COUNTED));
    }
    0
}

#[inline(always)]
fn classic_number(ctx: &TracePointContext) -> u64 {
    // SAFETY: within the tracepoint's record: its head has 8 bytes.
    unsafe { ctx.as_ptr().cast::<u64>().add(1).read_volatile() }
}

/// A call begins; `false` if nobody watches it.
#[inline(always)]
fn begin(task: Task, regs: Regs, call: Entry) -> bool {
    if call.is_other(CALL_BPF) {
        bpf_call(task, regs);
        return false;
    }
    let Some(mut thread) = target::ours(task) else {
        return false;
    };
    if task.is_compat() {
        return false;
    }
    if thread.in_fault() {
        fault::close(task, &mut thread);
    }
    account::begin(task, &mut thread, call.is_other(CALL_COUNTED));
    if call.is_other(CALL_COUNTED) {
        return true;
    }
    // Of a call whose arguments are not understood nothing is told: its end is then one
    // without a begin, which is counted.
    let (Some(requested), Some(position)) = (requested(regs, call), call.position()) else {
        return true;
    };
    thread.open.requested = requested;
    describe(&mut thread, task, descriptor(regs, call), regs, position);
    thread.open.call = call.kind();
    thread.open.switches = task.switches();
    thread.open.call_ns = clock::now();
    true
}

/// A process calls `bpf(2)` while something is watched.
#[inline(always)]
fn bpf_call(task: Task, regs: Regs) {
    let command = regs.arg0();
    let pid = task.pid();
    let on_a_map = command < u64::BITS.into() && BPF_MAP_COMMANDS >> command & 1 != 0;
    if !on_a_map || pid == fixed!(self_pid) || !target::watching() {
        return;
    }
    if let Some(user) = BPF_USERS_BY_PID.get_ptr_mut(pid) {
        // SAFETY: a live entry; entries are never removed.
        emit::add(unsafe { &mut (*user).calls }, 1);
        return;
    }
    let user = BpfUser {
        calls: 1,
        comm: task.comm(),
    };
    // Of more processes than it holds the first ones are named.
    let _ = BPF_USERS_BY_PID.insert(pid, user, 0);
}

/// A call ends.
#[inline(always)]
fn end(task: Task, returned: i64, counted_only: bool) {
    let Some(mut thread) = thread(task) else {
        return;
    };
    if task.is_compat() {
        return;
    }
    let now = clock::now();
    let control = control();
    if control.target_kind == TARGET_NOTHING || !thread.account.is_of(control.scenario) {
        // It outlived the scenario, which told it as open.
        if !thread.in_fault() {
            thread.close();
        }
        return;
    }
    match account::end(task, &mut thread, counted_only) {
        End::Open => tell(task, &mut thread, &control, now, returned),
        // A fault inside another system call ends by its own rule.
        End::Nothing => {}
    }
}

/// Tells the end of the open call, or settles it.
#[inline(always)]
fn tell(task: Task, thread: &mut Thread, control: &Control, now: u64, returned: i64) {
    let ns = now - thread.open.call_ns;
    thread.open.ending = 1;
    // A machine may keep a switch from the probes, not from its own count.
    sleep::tell_until(thread, now);
    let seen = thread
        .open
        .switches
        .wrapping_add(thread.open.sums.waits.into());
    let unseen = if task.switches() == seen {
        0
    } else {
        ENDED_SWITCH_UNSEEN
    };
    if thread.open.loud != 0 || unseen != 0 || ns >= control.threshold_ns {
        emit::ended(task, thread, now, returned, unseen);
    } else if control.flags & CONTROL_EVERY_CALL != 0 {
        emit::ended(task, thread, now, returned, ENDED_QUIET);
    } else {
        settle(&thread.open, returned, ns);
    }
    thread.close();
}

/// Notes what is asked for, and of which file.
#[inline(always)]
fn describe(thread: &mut Own, task: Task, fd: u64, regs: Regs, position: Position) {
    let Own { open, span, .. } = thread;
    open.fd = fd as i32;
    match task.open_file(fd as u32) {
        OpenFile::None => open.no_file(),
        OpenFile::InPlace(file) => {
            open.file_flags = file.flags();
            open.mapping = file.mapping().address();
            open.dentry = file.dentry();
            place(open, regs, position, file.pos());
            open.inode(file.inode());
            kernel::apart();
        }
        OpenFile::Address(file) => {
            if !span.fill(file) {
                open.no_file();
                return;
            }
            open.file_flags = span.get(at!(file.flags));
            open.mapping = span.address(file, at!(file.mapping));
            open.dentry = span.get(at!(file.dentry));
            place(open, regs, position, span.get(at!(file.pos)));
            if !span.fill(span.get(at!(file.inode))) {
                open.no_file();
                return;
            }
            open.mode = span.get(at!(inode.mode));
            open.sb = span.get(at!(inode.sb));
            open.inode = span.get(at!(inode.ino));
            open.file_size = span.get(at!(inode.size));
        }
    }
}

/// The descriptor that the call reads from.
#[inline(always)]
fn descriptor(regs: Regs, call: Entry) -> u64 {
    match call.shape() {
        None | Some(Shape::Other | Shape::Buffer | Shape::Vector) => regs.arg0(),
    }
}

/// Bytes that the call asks for; `None` if its arguments are not understood.
#[inline(always)]
fn requested(regs: Regs, call: Entry) -> Option<u64> {
    match call.shape()? {
        Shape::Buffer => Some(regs.arg2()),
        Shape::Vector => Some(vector_length(regs.arg1(), regs.arg2())),
        Shape::Other => None,
    }
}

/// Notes where in the file the call reads, which is at `file_pos` if it does not say.
#[inline(always)]
fn place(open: &mut Open, regs: Regs, position: Position, file_pos: i64) {
    open.offset = match position {
        Position::File => file_pos,
        Position::Argument => regs.arg3() as i64,
        Position::ArgumentOrFile => match regs.arg3() as i64 {
            -1 => file_pos,
            offset => offset,
        },
    };
}

/// Bytes that a vector of buffers asks for.
///
/// Eight buffers at a time: the verifier compares each round with all before it, and the
/// longest vector one by one takes it more than half a second.
#[inline(always)]
fn vector_length(vector: u64, buffers: u64) -> u64 {
    const STEP: u64 = 8;
    let mut bytes = 0u64;
    let mut at = 0u64;
    for _ in 0..UIO_MAXIOV / STEP {
        if at + STEP > buffers {
            break;
        }
        // Address and length of each.
        let eight: [[u64; 2]; STEP as usize] = kernel::copy_user_or_zero(vector + at * 16);
        for [_, length] in eight {
            bytes = bytes.wrapping_add(length);
        }
        at += STEP;
    }
    for _ in 0..STEP - 1 {
        if at >= buffers {
            break;
        }
        bytes = bytes.wrapping_add(kernel::copy_user(vector + at * 16 + 8).unwrap_or(0));
        at += 1;
    }
    bytes
}
