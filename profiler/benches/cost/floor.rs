//! Two eBPF programs that do nothing, at the begin and the end of every system call: the least that
//! any watcher at these two places costs. A second pair only reads the clock: the least that a tool
//! which measures latency costs. They have two or three instructions each, so they need neither an
//! object file nor a library: the system call loads them.

use std::{
    io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

use anyhow::{Context as _, Result};

/// From linux/bpf.h.
const BPF_PROG_LOAD: libc::c_long = 5;
const BPF_RAW_TRACEPOINT_OPEN: libc::c_long = 17;
const BPF_PROG_TYPE_RAW_TRACEPOINT: u32 = 17;

/// `r0 = 0` and `exit`: code, registers, offset and constant of each in eight bytes.
const NOTHING: [u64; 2] = [0xb7, 0x95];
/// Before these, a call of `bpf_ktime_get_ns`.
const CLOCK: [u64; 3] = [5 << 32 | 0x85, 0xb7, 0x95];

/// The first fields of `union bpf_attr` for `BPF_PROG_LOAD`.
#[repr(C)]
#[derive(Default)]
struct Load {
    kind: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    version: u32,
    flags: u32,
}

/// `union bpf_attr` for `BPF_RAW_TRACEPOINT_OPEN`.
#[repr(C)]
struct Open {
    name: u64,
    program: u32,
    unused: u32,
}

/// On as long as it lives.
#[derive(Debug)]
pub(super) struct Floor {
    _links: [OwnedFd; 2],
}

impl Floor {
    pub(super) fn new(clock: bool) -> Result<Self> {
        let instructions = if clock {
            CLOCK.as_slice()
        } else {
            NOTHING.as_slice()
        };
        let load = Load {
            kind: BPF_PROG_TYPE_RAW_TRACEPOINT,
            count: instructions.len() as u32,
            instructions: instructions.as_ptr() as u64,
            license: c"GPL".as_ptr() as u64,
            ..Load::default()
        };
        let program = bpf(BPF_PROG_LOAD, &load).context("loading a program that does nothing")?;
        let open = |name: &std::ffi::CStr| {
            let open = Open {
                name: name.as_ptr() as u64,
                program: program.as_raw_fd() as u32,
                unused: 0,
            };
            bpf(BPF_RAW_TRACEPOINT_OPEN, &open).with_context(|| format!("attaching to {name:?}"))
        };
        Ok(Self {
            _links: [open(c"sys_enter")?, open(c"sys_exit")?],
        })
    }
}

/// `attribute` is the structure of that command.
fn bpf<T>(command: libc::c_long, attribute: &T) -> io::Result<OwnedFd> {
    // SAFETY: the kernel reads as many bytes as it is told, all of them the structure's own, and
    // what its addresses lead to outlives the call. Both commands return a new descriptor.
    let fd = unsafe { libc::syscall(libc::SYS_bpf, command, attribute, size_of::<T>()) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made it, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}
