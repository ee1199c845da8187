//! A program that changes a BPF map all the time, as some monitors do.
//!
//! While it does, the kernel runs neither kprobes' programs nor those of classic tracepoints
//! on its CPU (`bpf_prog_active` in kernel/bpf/syscall.c), so calls are missed.
//!
//! This test program, started [`again`](crate::again) with [`WORD`]; whoever starts it ends it.

use std::{
    io, mem,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

pub(crate) const WORD: &str = "profiler-test-neighbour";

/// Numbers and structures of linux/bpf.h.
const BPF_MAP_CREATE: u32 = 0;
const BPF_MAP_UPDATE_ELEM: u32 = 2;
const BPF_MAP_TYPE_HASH: u32 = 1;

#[repr(C)]
struct MapCreate {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
}

#[repr(C)]
struct MapUpdate {
    map: u32,
    _padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

const ENTRIES: u32 = 1024;

pub(crate) fn play() -> ! {
    let map = map().expect("a map");
    for n in 0_u32.. {
        let (key, value) = (n % ENTRIES, u64::from(n));
        let update = MapUpdate {
            map: map.as_raw_fd() as u32,
            _padding: 0,
            key: (&raw const key) as u64,
            value: (&raw const value) as u64,
            flags: 0,
        };
        bpf(BPF_MAP_UPDATE_ELEM, &update).expect("an entry");
    }
    std::process::exit(0);
}

fn map() -> io::Result<OwnedFd> {
    let create = MapCreate {
        map_type: BPF_MAP_TYPE_HASH,
        key_size: 4,
        value_size: 8,
        max_entries: ENTRIES,
    };
    let fd = bpf(BPF_MAP_CREATE, &create)?;
    // SAFETY: a descriptor that the kernel has just given, and nobody else has.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn bpf<T>(command: u32, attributes: &T) -> io::Result<i32> {
    // SAFETY: a live structure, and its size; what it points to outlives the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_ref(attributes),
            mem::size_of::<T>(),
        )
    };
    match result {
        ..0 => Err(io::Error::last_os_error()),
        fd => Ok(fd as i32),
    }
}
