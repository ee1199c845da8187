//! Open files and inodes.

use aya_ebpf::helpers::generated::bpf_probe_read_kernel;
use profiler_common::control::SPAN;

use super::{
    File, Task, fixed,
    memory::{can_cast, cast},
    word,
};

/// `S_IFMT` part of a mode.
pub(crate) const FORMAT: u16 = 0o170_000;
pub(crate) const REGULAR: u16 = 0o100_000;
pub(crate) const BLOCK_DEVICE: u16 = 0o060_000;

/// The first bytes of a `struct file` or `struct inode`, in which the loader has
/// made sure that the wanted fields lie. Kept in the thread's state: the stack of a
/// program (512 bytes) is too small for it.
#[repr(C, align(8))]
pub(crate) struct Span([u8; SPAN]);

impl Span {
    /// Copies the span at `address`; `false` if there is nothing to copy.
    #[inline(always)]
    pub(crate) fn fill(&mut self, address: u64) -> bool {
        // SAFETY: the destination is this span; the helper checks the source.
        let result = unsafe {
            bpf_probe_read_kernel(self.0.as_mut_ptr().cast(), SPAN as u32, address as *const _)
        };
        address != 0 && result == 0
    }

    #[inline(always)]
    pub(crate) fn get<T: Copy>(&self, offset: u32) -> T {
        // SAFETY: the loader refuses to load unless every such offset, with its
        // field, ends within the span; the verifier checks it once more.
        unsafe { core::ptr::read_volatile(self.0.as_ptr().add(offset as usize).cast::<T>()) }
    }

    /// An address in the structure at `address`, whose start this span is. Where this
    /// kernel keeps it past the span (`f_mapping` before 6.10), it is copied by itself.
    #[inline(always)]
    pub(crate) fn address(&self, address: u64, offset: u32) -> u64 {
        if offset as usize + size_of::<u64>() <= SPAN {
            self.get(offset)
        } else {
            word(address, offset)
        }
    }
}

/// The open file behind a descriptor.
pub(crate) enum OpenFile {
    /// Nothing is open there.
    None,
    InPlace(File),
    /// An address, to be copied from.
    Address(u64),
}

impl Task {
    /// Finds the file behind a descriptor, as the kernel does when it looks one up without a
    /// lock: another thread may close it meanwhile, but neither the table nor the file is freed
    /// while a program runs.
    #[inline(always)]
    pub(crate) fn open_file(self, fd: u32) -> OpenFile {
        let table = self.files().fdt();
        if fd >= table.max_fds() {
            return OpenFile::None;
        }
        // An array of pointers, of which the verifier does not know to what.
        match word(table.fd() + u64::from(fd) * 8, 0) {
            0 => OpenFile::None,
            file if can_cast() => {
                let file = cast(file, fixed!(type_file));
                // SAFETY: the verifier takes it for a `struct file`.
                OpenFile::InPlace(unsafe { File::new(file) })
            }
            file => OpenFile::Address(file),
        }
    }
}
