//! Fields of the kernel's own structures.
//!
//! A hook's arguments, and pointers read through them, are pointers whose type the
//! verifier knows: they are read in place, by offsets that the loader took from the
//! running kernel's BTF. A field that this kernel lacks has the offset `ABSENT`; the
//! branch that would read it is dead code to the verifier.
//!
//! What is only known by its address is read in place too, where the kernel has a function
//! for it ([`cast`]), which costs nothing: the verifier removes the call. Without it, a copy
//! by a helper costs 20 to 30 ns each.

use core::{arch::asm, mem::MaybeUninit};

use aya_ebpf::helpers::{
    self, bpf_probe_read_kernel_str_bytes, bpf_probe_read_user,
    generated::{self, bpf_probe_read_kernel},
};
use profiler_common::control::{ABSENT, SPAN, STAND_IN_CAST, STAND_IN_PREEMPT, STAND_IN_SESSION};

/// Reads the field at `offset` of what the verifier knows `base` to be.
#[inline(always)]
pub(crate) fn field<T: Copy>(base: *const u8, offset: u32) -> T {
    // SAFETY: the verifier rejects the program unless `offset` lies within the type
    // behind `base`; a bad address reads as zero (exception table).
    unsafe { core::ptr::read_volatile(base.add(offset as usize).cast::<T>()) }
}

/// Ends a branch that reads in place what another branch reads from a copy. Else the
/// compiler makes one load of the two, which the verifier does not allow: an instruction
/// follows either a pointer with a type or one into a map.
#[inline(always)]
pub(crate) fn apart() {
    // SAFETY: no instruction.
    unsafe { asm!("", options(nostack)) }
}

/// Like [`field`], where the kernel may lack it.
#[inline(always)]
pub(crate) fn field_or<T: Copy>(base: *const u8, offset: u32, absent: T) -> T {
    if offset == ABSENT {
        absent
    } else {
        field(base, offset)
    }
}

/// Offset of a field: `at!(task_pid)`.
macro_rules! at {
    ($field:ident) => {
        $crate::maps::constant!(OFFSETS.$field)
    };
}
pub(crate) use at;

/// Does the kernel have `bpf_rdonly_cast`?
#[inline(always)]
fn can_cast() -> bool {
    fixed!(type_word) != 0
}

/// Tells the verifier to take an address for that of a type (by its number in the kernel's
/// BTF) that may be read, and that may turn out not to be there: then it reads as zero.
/// Only where [`can_cast`].
#[inline(always)]
fn cast(address: u64, type_id: u32) -> *const u8 {
    let known: *const u8;
    // SAFETY: the loader makes this a call of `bpf_rdonly_cast`, which has no effect but
    // for what the verifier makes of its result.
    unsafe {
        asm!(
            "call {function}",
            function = const STAND_IN_CAST,
            inlateout("r1") address => _,
            inlateout("r2") u64::from(type_id) => _,
            lateout("r0") known,
            lateout("r3") _,
            lateout("r4") _,
            lateout("r5") _,
            options(nostack, readonly),
        );
    }
    known
}

/// Does this run of a session's program belong to the function's return?
#[inline(always)]
pub(crate) fn session_is_return(ctx: *mut core::ffi::c_void) -> bool {
    let is_return: u64;
    // SAFETY: the loader makes this a call of `bpf_session_is_return`, which has no effect.
    // It takes the context since 7.1, nothing before.
    unsafe {
        asm!(
            "call {function}",
            function = const STAND_IN_SESSION,
            inlateout("r1") ctx => _,
            lateout("r0") is_return,
            lateout("r2") _,
            lateout("r3") _,
            lateout("r4") _,
            lateout("r5") _,
            options(nostack, readonly),
        );
    }
    is_return as u8 != 0
}

/// How often preemption is disabled on this CPU; only where the loader has found the
/// variable.
#[inline(always)]
pub(crate) fn preempt_count() -> u32 {
    let variable: *const u8;
    // SAFETY: the loader makes this the address of a variable of each CPU, of which the
    // helper gives this one's.
    unsafe {
        asm!(
            "r1 = {stand_in} ll",
            "call 154",
            stand_in = const STAND_IN_PREEMPT,
            lateout("r0") variable,
            lateout("r1") _,
            lateout("r2") _,
            lateout("r3") _,
            lateout("r4") _,
            lateout("r5") _,
            options(nostack, readonly),
        );
    }
    // The top bit says that no rescheduling is due.
    field::<u32>(variable, 0) & 0x7fff_ffff
}

/// The word at `offset` from an address; 0 if there is none. Never a pointer to the
/// verifier, so it can be calculated with.
#[inline(always)]
pub(crate) fn word(base: u64, offset: u32) -> u64 {
    let address = base + u64::from(offset);
    if can_cast() {
        let word = field(cast(address, fixed!(type_word)), 0);
        apart();
        return word;
    }
    // SAFETY: the helper checks the address.
    unsafe { helpers::bpf_probe_read_kernel(address as *const u64) }.unwrap_or(0)
}

/// Copies from an address in user memory; `None` if it is bad.
#[inline(always)]
pub(crate) fn copy_user<T>(address: u64) -> Option<T> {
    // SAFETY: the helper checks the address.
    unsafe { bpf_probe_read_user(address as *const T) }.ok()
}

/// The same; all zero if it is bad. Makes no copy of what may be large.
#[inline(always)]
pub(crate) fn copy_user_or_zero<T: Copy>(address: u64) -> T {
    let mut to = MaybeUninit::<T>::uninit();
    // SAFETY: the helper checks the address, and fills all of the destination: with zeros
    // where it cannot read (`bpf_probe_read_user_common`). Only used for plain integers.
    unsafe {
        generated::bpf_probe_read_user(
            to.as_mut_ptr().cast(),
            size_of::<T>() as u32,
            address as *const _,
        );
        to.assume_init()
    }
}

/// Copies a string, cut to fit, NUL padded as far as `to` was.
#[inline(always)]
pub(crate) fn copy_str(address: u64, to: &mut [u8]) {
    // SAFETY: the helper checks the address. A name that cannot be read stays empty.
    let _ = unsafe { bpf_probe_read_kernel_str_bytes(address as *const u8, to) };
}

#[inline(always)]
pub(crate) fn tid(task: *const u8) -> u32 {
    field(task, at!(task_pid))
}

#[inline(always)]
pub(crate) fn pid(task: *const u8) -> u32 {
    field(task, at!(task_tgid))
}

#[inline(always)]
pub(crate) fn comm(task: *const u8) -> [u8; 16] {
    let offset = at!(task_comm);
    let words: [u64; 2] = [field(task, offset), field(task, offset + 8)];
    // SAFETY: sixteen bytes either way.
    unsafe { core::mem::transmute(words) }
}

/// Is it a kernel thread (`PF_KTHREAD`)?
#[inline(always)]
pub(crate) fn is_kernel_thread(task: *const u8) -> bool {
    const PF_KTHREAD: u32 = 0x0020_0000;
    field::<u32>(task, at!(task_flags)) & PF_KTHREAD != 0
}

/// Page faults that the task has finished. It grows exactly when a fault is done
/// (`mm_account_fault`, not for a fault that is to be retried).
#[inline(always)]
pub(crate) fn faults_done(task: *const u8) -> u64 {
    field::<u64>(task, at!(task_min_flt)).wrapping_add(field(task, at!(task_maj_flt)))
}

/// How often the kernel has switched away from the task. It counts just before it tells
/// (`__schedule`), so this is the witness of what was told.
#[inline(always)]
pub(crate) fn switches(task: *const u8) -> u64 {
    field::<u64>(task, at!(task_nvcsw)).wrapping_add(field(task, at!(task_nivcsw)))
}

/// Reads that the kernel counts for the task, its own for exec among them.
#[inline(always)]
pub(crate) fn reads(task: *const u8) -> u64 {
    field_or(task, at!(task_syscr), 0)
}

/// Number of the system call that the task is in. Outside of one, it is no system call's
/// (on x86_64 the entry code stores -1, or the vector of the interrupt).
#[inline(always)]
pub(crate) fn number_in_progress(task: *const u8) -> u64 {
    field(registers(task), at!(regs_number))
}

/// The registers with which the task entered the kernel.
#[inline(always)]
pub(crate) fn registers(task: *const u8) -> *const u8 {
    // SAFETY: `task` is a task that the verifier trusts; it knows the result's type.
    unsafe { generated::bpf_task_pt_regs(task.cast_mut().cast()) as *const u8 }
}

/// Bytes that those returned.
#[inline(always)]
pub(crate) fn bytes_read(task: *const u8) -> u64 {
    field_or(task, at!(task_rchar), 0)
}

/// Was the task put to sleep waiting for I/O?
#[inline(always)]
pub(crate) fn in_iowait(task: *const u8) -> bool {
    let mask = at!(task_in_iowait_mask);
    field_or::<u8>(task, at!(task_in_iowait), 0) & mask as u8 != 0
}

/// Is this a 32-bit system call on a 64-bit kernel? Its numbers mean other calls.
#[inline(always)]
pub(crate) fn is_compat(task: *const u8) -> bool {
    const TS_COMPAT: u32 = 0x0002;
    field_or::<u32>(task, at!(task_status), 0) & TS_COMPAT != 0
}

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

/// The open file behind a descriptor of the current task.
pub(crate) enum File {
    /// Nothing is open there.
    None,
    /// A pointer that the verifier knows the type of.
    InPlace(*const u8),
    /// An address, to be copied from.
    Address(u64),
}

/// Finds the file behind a descriptor, as the kernel does when it looks one up without a
/// lock: another thread may close it meanwhile, but neither the table nor the file is freed
/// while a program runs.
#[inline(always)]
pub(crate) fn file_of(task: *const u8, fd: u32) -> File {
    let files: *const u8 = field(task, at!(task_files));
    let table: *const u8 = field(files, at!(files_fdt));
    let max: u32 = field(table, at!(fdt_max_fds));
    if fd >= max {
        return File::None;
    }
    // An array of pointers, of which the verifier does not know to what.
    let slots: u64 = field(table, at!(fdt_fd));
    match word(slots + u64::from(fd) * 8, 0) {
        0 => File::None,
        file if can_cast() => File::InPlace(cast(file, fixed!(type_file))),
        file => File::Address(file),
    }
}

/// The number of pages in a folio.
#[inline(always)]
pub(crate) fn folio_pages(folio: *const u8) -> u64 {
    let head = field::<u64>(folio, at!(folio_flags)) >> at!(folio_head_bit) & 1;
    if head == 0 {
        return 1;
    }
    1 << (field::<u8>(folio, at!(folio_order)) & 31)
}

/// `S_IFMT` part of a mode.
pub(crate) const FORMAT: u16 = 0o170_000;
pub(crate) const REGULAR: u16 = 0o100_000;
pub(crate) const BLOCK_DEVICE: u16 = 0o060_000;

/// Whose pages a bio fills, told by its first page.
pub(crate) struct Origin {
    /// The mapping that has the page; 0: anonymous memory (`O_DIRECT`).
    pub mapping: u64,
    /// Index of the page in it.
    pub index: u64,
}

impl Origin {
    /// The words looked at here carry marks in their low bits, or are masked, which the
    /// verifier does not allow with a pointer: so they are read as numbers.
    #[inline(always)]
    pub(crate) fn of(bio: *const u8) -> Self {
        let vec: *const u8 = field(bio, at!(bio_io_vec));
        let page = word(vec as u64, at!(bvec_page));
        let page = head_page(page, word(page, at!(page_compound_head)));
        let mapping = word(page, at!(page_mapping));
        // Anonymous memory has bits set that no address_space has.
        let mapping = if mapping & 3 == 0 { mapping } else { 0 };
        Self {
            mapping,
            index: word(page, at!(folio_index)),
        }
    }

    /// Is it a block device's own mapping? That is where file systems keep the blocks
    /// that describe files.
    #[inline(always)]
    pub(crate) fn is_block_device(&self) -> bool {
        if self.mapping == 0 {
            return false;
        }
        let host = word(self.mapping, at!(mapping_host));
        let mode = word(host, at!(inode_mode)) as u16;
        mode & FORMAT == BLOCK_DEVICE
    }
}

/// The page that has a folio's mapping: a tail page has something else in its place.
/// `link` is odd in a tail page and then says where the head is: by its address, or (in
/// 7.3, with `HUGETLB_PAGE_OPTIMIZE_VMEMMAP`) by the mask that rounds down to it. A
/// mask is the negative of a power of two. Were a head's address one too, the same mask
/// would lead to it.
#[inline(always)]
fn head_page(page: u64, link: u64) -> u64 {
    if link & 1 == 0 {
        return page;
    }
    let head = link & !1;
    let size = head.wrapping_neg();
    if size & size.wrapping_sub(1) == 0 {
        page & head
    } else {
        head
    }
}

/// Session constants by name: `fixed!(self_pid)`.
macro_rules! fixed {
    ($field:ident) => {
        $crate::maps::constant!(FIXED.$field)
    };
}
pub(crate) use fixed;
