//! What the collector tells the kernel side.

use crate::{calls::NUMBERS, pod, target::Target};

/// Changes while the session runs: one entry of an array map.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Control {
    /// What to watch: a kind of [`Target`], and the number that goes with it.
    pub target_kind: u32,
    /// `CONTROL_*` bits.
    pub flags: u32,
    /// Number of the scenario that goes on: each has another one.
    pub scenario: u32,
    /// Named padding.
    pub unused: u32,
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

/// Where the running kernel keeps the fields that the probes read, in bytes.
///
/// Looked up in the kernel's BTF at start and frozen before the programs are
/// verified, so each is a constant there. [`ABSENT`] where the kernel has no such
/// field: the code that reads it is then dead to the verifier.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offsets {
    pub task_pid: u32,
    pub task_tgid: u32,
    pub task_comm: u32,
    pub task_flags: u32,
    pub task_files: u32,
    pub task_min_flt: u32,
    pub task_maj_flt: u32,
    /// How often the task was switched out: to sleep, and while it was runnable.
    pub task_nvcsw: u32,
    pub task_nivcsw: u32,
    /// `ioac` of the task: read calls, and the bytes that they returned.
    pub task_syscr: u32,
    pub task_rchar: u32,
    /// Byte that holds the bit `in_iowait`, and the bit's mask.
    pub task_in_iowait: u32,
    pub task_in_iowait_mask: u32,
    /// `thread_info.status` (x86: says that the call is a 32-bit one).
    pub task_status: u32,
    pub files_fdt: u32,
    pub fdt_max_fds: u32,
    pub fdt_fd: u32,
    /// Fields of `struct file` lie in its first [`SPAN`] bytes, but for the mapping.
    pub file_inode: u32,
    pub file_mapping: u32,
    pub file_flags: u32,
    pub file_pos: u32,
    pub file_dentry: u32,
    pub dentry_name: u32,
    /// Fields of `struct inode` lie in its first [`SPAN`] bytes.
    pub inode_mode: u32,
    pub inode_sb: u32,
    pub inode_ino: u32,
    pub inode_size: u32,
    pub sb_dev: u32,
    pub sb_magic: u32,
    pub mapping_host: u32,
    pub fault_vma: u32,
    pub fault_pgoff: u32,
    pub vma_file: u32,
    /// `readahead_control.ra`, and the pages that it may read ahead at most.
    pub readahead_state: u32,
    pub readahead_pages: u32,
    pub folio_mapping: u32,
    pub folio_index: u32,
    pub folio_flags: u32,
    /// Word of the second page whose low byte is the order.
    pub folio_order: u32,
    /// Bit of `folio.flags` that marks more than one page.
    pub folio_head_bit: u32,
    /// Bit of `folio.flags` that marks a folio which is being written back.
    pub folio_writeback_bit: u32,
    pub page_mapping: u32,
    pub page_compound_head: u32,
    pub bio_opf: u32,
    pub bio_flags: u32,
    pub bio_size: u32,
    pub bio_io_vec: u32,
    pub bvec_page: u32,
    /// Bits of `bio.bi_flags` that say a cgroup's limit held it.
    pub bio_throttled_mask: u32,
    /// Bits of a bio's or request's operation that say what it is for.
    pub req_rahead: u32,
    pub req_meta: u32,
    pub request_cmd_flags: u32,
    pub request_rq_flags: u32,
    pub request_sector: u32,
    pub request_bio: u32,
    pub request_part: u32,
    pub request_start_ns: u32,
    /// Bit of `request.rq_flags` without which no end of accounting is told.
    pub request_accounted_mask: u32,
    pub bdev_dev: u32,
    pub regs_arg0: u32,
    pub regs_arg1: u32,
    pub regs_arg2: u32,
    pub regs_arg3: u32,
    /// The system call's number, as it still stands when the call returns.
    pub regs_number: u32,
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

/// A field that the running kernel does not have.
pub const ABSENT: u32 = u32::MAX;

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
    /// Numbers of types in the kernel's BTF, for `bpf_rdonly_cast`: a struct that begins
    /// with an `unsigned long`, and `struct file`. Both are 0 where the kernel lacks that
    /// function (before 6.2), and the code that would call it is dead.
    pub type_word: u32,
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
    assert!(size_of::<Offsets>() == 4 * 64);
    assert!(size_of::<Fixed>() == 20 + NUMBERS);
};

pod!(Control, Offsets, Fixed);

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
