//! What the collector tells the kernel side.

use crate::{calls::NUMBERS, pod, target::Target};

/// Changes while the session runs: one entry of an array map.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Control {
    /// The kind of the [`Target`], one of the `TARGET_*` constants.
    pub target_kind: u32,
    /// `CONTROL_*` bits.
    pub flags: u32,
    /// Number of the scenario that goes on: each has another one.
    pub scenario: u32,
    /// Named padding.
    pub unused: u32,
    /// The number of the [`Target`]: the id of a process or thread, or 0.
    pub target_number: u64,
    /// A call that lasts at least this long is told even if nothing else happened.
    pub threshold_ns: u64,
}

/// Send an [`Ended`](crate::fact::Ended) for every call, quiet ones too.
pub const CONTROL_EVERY_CALL: u32 = 1 << 0;
/// Hooks: the start of every request is told (`block_io_start`).
pub const CONTROL_STARTS_TOLD: u32 = 1 << 1;
/// Hooks: the end of every completion is told (`block_io_done`).
pub const CONTROL_ENDS_TOLD: u32 = 1 << 2;

impl Control {
    /// The order to watch a target.
    pub const fn watch(target: Target, flags: u32, threshold_ns: u64) -> Self {
        Self {
            target_kind: target.kind(),
            flags,
            scenario: 0,
            unused: 0,
            target_number: target.number(),
            threshold_ns,
        }
    }
}

/// Where the probes cannot read in place ([`Fixed::type_word`]), they copy this many bytes
/// of a `struct file` and of a `struct inode` at once: one helper call instead of one a
/// field.
pub const SPAN: usize = 128;

/// Number of a helper that does not exist. In the object file it stands for the kernel's
/// function `bpf_rdonly_cast`, whose number differs between kernels: the loader writes that
/// one in its place.
pub const STAND_IN_CAST: i32 = 0x6361_7374;

/// Stands for the kernel's function `bpf_session_is_return` as [`STAND_IN_CAST`] does for its.
pub const STAND_IN_SESSION: i32 = 0x7365_7373;

/// Value of an instruction that loads 64 bits; the loader makes it the address of the
/// kernel's variable `__preempt_count`.
pub const STAND_IN_PREEMPT: i32 = 0x7072_6565;

/// What is fixed for the session: frozen before the programs are verified.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fixed {
    /// The collector, which is never watched.
    pub self_pid: u32,
    /// Which of the calls that the probes know a system call is, by its number: an
    /// [`Entry`](crate::calls::Entry); 0: none. A table, so that all others are told apart by
    /// one load.
    pub calls: [u8; NUMBERS],
    /// A page has `1 << page_shift` bytes.
    pub page_shift: u32,
    /// `O_DIRECT`, which differs between architectures.
    pub o_direct: u32,
    /// Number in the kernel's BTF, for `bpf_rdonly_cast`, of a struct that begins with an
    /// `unsigned long`. This and [`Fixed::type_file`] are 0 where the kernel lacks that function
    /// (before 6.2), and the code that would call it is dead.
    pub type_word: u32,
    /// The number of `struct file`, as [`Fixed::type_word`].
    pub type_file: u32,
}

/// The pages in which a range of bytes lies: first and last. Of no bytes, the page at `offset`
/// and the one before it.
#[inline(always)]
pub const fn pages(offset: u64, bytes: u64, page_shift: u32) -> (u64, u64) {
    let last = offset.wrapping_add(bytes.wrapping_sub(1));
    (offset >> page_shift, last >> page_shift)
}

/// Kernel stacks that are kept, and the frames of each.
pub const STACKS: usize = 16_384;
/// See [`STACKS`].
pub const STACK_FRAMES: usize = 48;

const _: () = {
    assert!(size_of::<Control>() == 32);
    assert!(size_of::<Fixed>() == 20 + NUMBERS);
};

pod!(Control, Fixed);

#[cfg(test)]
mod tests {
    use super::pages;

    #[test]
    fn a_range_lies_in_pages_of_the_kernels_size() {
        for (offset, bytes, of_4k, of_64k) in [
            (0, 1, (0, 0), (0, 0)),
            (4095, 2, (0, 1), (0, 0)),
            (65_536, 4096, (16, 16), (1, 1)),
            (65_535, 2, (15, 16), (0, 1)),
        ] {
            assert_eq!(pages(offset, bytes, 12), of_4k);
            assert_eq!(pages(offset, bytes, 16), of_64k);
        }
    }
}
