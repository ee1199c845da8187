//! Array maps in our own memory.
//!
//! A map system call disables other programs on its CPU while it lasts
//! (`bpf_disable_instrumentation` raises `bpf_prog_active`, and kprobes and classic
//! tracepoints look at it). A collector that is preempted in one would make the kernel skip
//! our own programs. So while a session runs, maps are only read and written in place.

use std::{
    marker::PhantomData,
    os::fd::AsFd as _,
    ptr::{self, NonNull},
};

use anyhow::{Context as _, Result};
use aya::maps::{Map, MapData};
use profiler_common::control::{Control, STACK_FRAMES};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// An array of `T`, which the kernel side has too.
#[derive(Debug)]
pub struct Mapped<T> {
    start: NonNull<T>,
    entries: usize,
    of: PhantomData<T>,
}

/// Types that an array can hold: any bits are a value, and their size is what the kernel
/// makes of it (a multiple of 8).
pub trait Element: Copy {}
impl Element for Control {}
impl Element for [u64; STACK_FRAMES] {}

// SAFETY: the memory belongs to this value alone on our side.
unsafe impl<T: Element> Send for Mapped<T> {}

impl<T: Element> Mapped<T> {
    /// Maps the whole array.
    ///
    /// # Errors
    ///
    /// The map is no array that can be mapped, or memory is short.
    pub(super) fn new(map: &Map, entries: usize) -> Result<Self> {
        const { assert!(size_of::<T>().is_multiple_of(8)) }
        let Map::Array(data) = map else {
            anyhow::bail!("only arrays can be mapped");
        };
        let data: &MapData = data;
        let length = entries * size_of::<T>();
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping, at an address of the kernel's choice.
        let start = unsafe {
            mmap(
                ptr::null_mut(),
                length,
                protection,
                MapFlags::SHARED,
                data.fd().as_fd(),
                0,
            )
        }
        .context("cannot map the probes' memory")?;
        Ok(Self {
            start: NonNull::new(start.cast()).context("a map lies at address 0")?,
            entries,
            of: PhantomData,
        })
    }

    /// The entry now; `None` behind the end.
    pub fn get(&self, index: usize) -> Option<T> {
        if index >= self.entries {
            return None;
        }
        // SAFETY: within the mapping; volatile because the kernel side writes it.
        Some(unsafe { self.start.as_ptr().add(index).read_volatile() })
    }

    /// The first entry's address.
    pub(super) fn first(&self) -> NonNull<T> {
        self.start
    }
}

impl<T> Drop for Mapped<T> {
    fn drop(&mut self) {
        // SAFETY: mapped by this value, of this length, and used by nobody any more. That it
        // fails can only leave the memory to the process's end.
        let _ = unsafe { munmap(self.start.as_ptr().cast(), self.entries * size_of::<T>()) };
    }
}
