//! Who makes the BPF map system calls during which the kernel skips kprobes and classic
//! tracepoints.

use crate::pod;

/// Processes that are kept.
pub const BPF_USERS: usize = 64;

/// One process, by its id (`tgid`).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BpfUser {
    /// Map system calls that it made while something was watched.
    pub calls: u64,
    /// Name of the thread that made the first, NUL padded.
    pub comm: [u8; 16],
}

/// Commands of `bpf(2)` (`enum bpf_cmd`) that raise `bpf_prog_active` (callers of
/// `bpf_disable_instrumentation` in kernel/bpf/syscall.c), a bit for each: look-up, update and
/// deletion of an element, look-up with deletion, and the same of many elements at once.
pub const BPF_MAP_COMMANDS: u64 =
    1 << 1 | 1 << 2 | 1 << 3 | 1 << 21 | 1 << 24 | 1 << 25 | 1 << 26 | 1 << 27;

const _: () = assert!(size_of::<BpfUser>() == 24);

pod!(BpfUser);
