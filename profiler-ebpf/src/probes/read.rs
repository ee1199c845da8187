//! The read family, from entry to exit.
//!
//! Hooks: `sys_enter`, `sys_exit` (raw, with BTF; every kernel). Facts: `Ended`; quiet
//! calls settle in the histogram. Without them there are no calls.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};
use profiler_common::{
    control::CONTROL_EVERY_CALL,
    fact::{CALL_PREAD, CALL_PREADV2, CALL_READ, CALL_READV, ENDED_QUIET, ENDED_SWITCH_UNSEEN},
};

use crate::{
    emit,
    kernel::{self, File, at},
    maps::{call, control, current_task, thread},
    settle::settle,
    target,
    thread::{Open, Thread},
};

/// The kernel takes no vector of more buffers (linux/uio.h).
const UIO_MAXIOV: u64 = 1024;

#[btf_tracepoint(function = "sys_enter")]
fn sys_enter(ctx: BtfTracePointContext) -> i32 {
    let call = call(ctx.arg(1));
    if call == 0 {
        return 0;
    }
    let task = current_task();
    let Some(thread) = target::ours(task) else {
        return 0;
    };
    if kernel::is_compat(task) {
        return 0;
    }
    if thread.in_fault() {
        emit::close_fault(task, thread);
    } else if thread.in_call() {
        // Its end was not seen: what it summed is not this one's.
        thread.close();
    }
    let regs: *const u8 = ctx.arg(0);
    describe(thread, task, regs, call);
    thread.open.call = call;
    thread.open.switches = kernel::switches(task);
    thread.open.call_ns = emit::now();
    0
}

#[btf_tracepoint(function = "sys_exit")]
fn sys_exit(ctx: BtfTracePointContext) -> i32 {
    let regs: *const u8 = ctx.arg(0);
    // Most of what the machine calls is no read: that is told before anything else.
    if call(kernel::field(regs, at!(regs_number))) == 0 {
        return 0;
    }
    let task = current_task();
    let Some(thread) = thread(task) else { return 0 };
    // A fault inside another system call ends by its own rule.
    if !thread.in_call() || thread.in_fault() {
        return 0;
    }
    let now = emit::now();
    let returned: i64 = ctx.arg(1);
    let ns = now - thread.open.call_ns;
    let control = control();
    if control.target == 0 {
        // It outlived the scenario, which told it as open.
        thread.close();
        return 0;
    }
    // A machine may keep a switch from the probes, not from its own count.
    emit::wait_until_now(thread, now);
    let seen = thread
        .open
        .switches
        .wrapping_add(thread.open.sums.waits.into());
    let unseen = if kernel::switches(task) == seen {
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
    0
}

/// Notes what is asked for, and of which file.
#[inline(always)]
fn describe(thread: &mut Thread, task: *const u8, regs: *const u8, call: u32) {
    let Thread { open, span, .. } = thread;
    let fd: u64 = kernel::field(regs, at!(regs_arg0));
    open.fd = fd as i32;
    open.requested = if call == CALL_READ || call == CALL_PREAD {
        kernel::field(regs, at!(regs_arg2))
    } else {
        vector_length(
            kernel::field(regs, at!(regs_arg1)),
            kernel::field(regs, at!(regs_arg2)),
        )
    };
    match kernel::file_of(task, fd as u32) {
        File::None => open.no_file(),
        File::InPlace(file) => {
            open.file_flags = kernel::field(file, at!(file_flags));
            open.mapping = kernel::field(file, at!(file_mapping));
            open.dentry = kernel::field(file, at!(file_dentry));
            position(open, regs, call, kernel::field(file, at!(file_pos)));
            open.inode(kernel::field(file, at!(file_inode)));
            kernel::apart();
        }
        File::Address(file) => {
            if !span.fill(file) {
                open.no_file();
                return;
            }
            open.file_flags = span.get(at!(file_flags));
            open.mapping = span.address(file, at!(file_mapping));
            open.dentry = span.get(at!(file_dentry));
            position(open, regs, call, span.get(at!(file_pos)));
            if !span.fill(span.get(at!(file_inode))) {
                open.no_file();
                return;
            }
            open.mode = span.get(at!(inode_mode));
            open.sb = span.get(at!(inode_sb));
            open.inode = span.get(at!(inode_ino));
            open.file_size = span.get(at!(inode_size));
        }
    }
}

/// Notes where in the file the call reads, which is at `file_pos` if it does not say.
#[inline(always)]
fn position(open: &mut Open, regs: *const u8, call: u32, file_pos: i64) {
    open.offset = if call == CALL_READ || call == CALL_READV {
        file_pos
    } else {
        kernel::field(regs, at!(regs_arg3))
    };
    // preadv2 with offset -1 reads at the file's position.
    if call == CALL_PREADV2 && open.offset == -1 {
        open.offset = file_pos;
    }
    open.first_page = open.offset as u64 >> 12;
    open.last_page = (open.offset as u64).wrapping_add(open.requested.wrapping_sub(1)) >> 12;
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
