//! Array maps in our own memory.
//!
//! A map system call disables other programs on its CPU while it lasts
//! (`bpf_disable_instrumentation` raises `bpf_prog_active`, and kprobes and classic
//! tracepoints look at it). A collector that is preempted in one would make the kernel skip
//! our own programs. So while a session runs, maps are only read and written in place.

use std::{
    marker::PhantomData,
    os::fd::{AsFd as _, BorrowedFd, OwnedFd},
    ptr::{self, NonNull},
};

use anyhow::{Context as _, Result};
use aya::maps::{Map, MapData};
use profiler_common::control::{Control, STACK_FRAMES};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// The only entry of an array, which the kernel side has too.
#[derive(Debug)]
pub(super) struct Mapped<T> {
    entry: NonNull<T>,
}

/// Types that an array can hold: any bits are a value, and their size is what the kernel
/// makes of it (a multiple of 8).
pub trait Element: Copy {}
impl Element for Control {}
impl Element for [u64; STACK_FRAMES] {}

// SAFETY: the memory belongs to this value alone on our side.
unsafe impl<T: Element> Send for Mapped<T> {}

impl<T: Element> Mapped<T> {
    /// Maps the entry.
    ///
    /// # Errors
    ///
    /// The map is no array that can be mapped, or memory is short.
    pub(super) fn new(map: &Map) -> Result<Self> {
        const { assert!(size_of::<T>().is_multiple_of(8)) }
        let entry = map_range(descriptor(map)?, 0, size_of::<T>())?.cast();
        Ok(Self { entry })
    }

    /// Its address.
    pub(super) fn entry(&self) -> NonNull<T> {
        self.entry
    }
}

impl<T> Drop for Mapped<T> {
    fn drop(&mut self) {
        // SAFETY: mapped by this value, of this length, and used by nobody any more. That it
        // fails can only leave the memory to the process's end.
        let _ = unsafe { munmap(self.entry.as_ptr().cast(), size_of::<T>()) };
    }
}

/// An array of which entries are read now and then: only what is read is mapped, so that the
/// rest of it does not count as this process's memory (all pages of such a mapping are there
/// from its start).
#[derive(Debug)]
pub struct Window<T> {
    array: OwnedFd,
    entries: usize,
    of: PhantomData<T>,
}

impl<T: Element> Window<T> {
    pub(super) fn new(map: &Map, entries: usize) -> Result<Self> {
        Ok(Self {
            array: descriptor(map)?.try_clone_to_owned()?,
            entries,
            of: PhantomData,
        })
    }

    /// The entry now; `None` behind the end.
    ///
    /// # Errors
    ///
    /// It cannot be mapped: memory is short.
    pub fn get(&self, index: usize) -> Result<Option<T>> {
        if index >= self.entries {
            return Ok(None);
        }
        let page = rustix::param::page_size();
        let at = index * size_of::<T>();
        let from = at - at % page;
        let length = (at + size_of::<T>()).next_multiple_of(page) - from;
        let start = map_range(self.array.as_fd(), from as u64, length)?;
        // SAFETY: within the mapping; volatile because the kernel side writes it.
        let entry = unsafe { start.as_ptr().add(at - from).cast::<T>().read_volatile() };
        // SAFETY: mapped above, and used no more.
        unsafe { munmap(start.as_ptr().cast(), length) }.context("cannot unmap a stack")?;
        Ok(Some(entry))
    }
}

fn descriptor(map: &Map) -> Result<BorrowedFd<'_>> {
    let Map::Array(data) = map else {
        anyhow::bail!("only arrays can be mapped");
    };
    let data: &MapData = data;
    Ok(data.fd().as_fd())
}

/// Maps a part of an array: `from` and `length` in bytes, `from` at a page's start.
fn map_range(array: BorrowedFd<'_>, from: u64, length: usize) -> Result<NonNull<u8>> {
    let protection = ProtFlags::READ | ProtFlags::WRITE;
    // SAFETY: a new mapping, at an address of the kernel's choice.
    let start = unsafe {
        mmap(
            ptr::null_mut(),
            length,
            protection,
            MapFlags::SHARED,
            array,
            from,
        )
    }
    .context("cannot map the probes' memory")?;
    NonNull::new(start.cast()).context("a map lies at address 0")
}
