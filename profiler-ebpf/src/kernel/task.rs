//! Tasks, and the registers with which they enter the kernel.

use aya_ebpf::helpers::{bpf_get_current_task_btf, generated::bpf_task_pt_regs};

use profiler_common::fields::ABSENT;

use super::{Regs, Task, at, bit, field};

/// The current task.
#[inline(always)]
pub(crate) fn current_task() -> Task {
    // SAFETY: has no preconditions; the verifier trusts the result.
    unsafe { Task::new(bpf_get_current_task_btf().cast_const().cast()) }
}

impl Task {
    /// The pointer, for helpers that take a task.
    #[inline(always)]
    pub(crate) fn as_ptr(self) -> *const u8 {
        self.0
    }

    #[inline(always)]
    pub(crate) fn comm(self) -> [u8; 16] {
        let offset = at!(task.comm);
        // SAFETY: `comm` is sixteen bytes of a task, by the list of fields.
        let words: [u64; 2] = unsafe { [field(self.0, offset), field(self.0, offset + 8)] };
        // SAFETY: sixteen bytes either way.
        unsafe { core::mem::transmute(words) }
    }

    /// Is it a kernel thread (`PF_KTHREAD`)?
    #[inline(always)]
    pub(crate) fn is_kernel_thread(self) -> bool {
        const PF_KTHREAD: u32 = 0x0020_0000;
        self.flags() & PF_KTHREAD != 0
    }

    /// Page faults that the task has finished. It grows exactly when a fault is done
    /// (`mm_account_fault`, not for a fault that is to be retried).
    #[inline(always)]
    pub(crate) fn faults_done(self) -> u64 {
        self.min_flt().wrapping_add(self.maj_flt())
    }

    /// How often the kernel has switched away from the task. It counts just before it tells
    /// (`__schedule`), so this is the witness of what was told.
    #[inline(always)]
    pub(crate) fn switches(self) -> u64 {
        self.nvcsw().wrapping_add(self.nivcsw())
    }

    /// Reads that the kernel counts for the task, its own for exec among them.
    #[inline(always)]
    pub(crate) fn reads(self) -> u64 {
        self.syscr().unwrap_or(0)
    }

    /// Does the kernel count reads (`CONFIG_TASK_XACCT`)?
    #[inline(always)]
    pub(crate) fn counts_reads(self) -> bool {
        self.syscr().is_some()
    }

    /// Bytes that those returned.
    #[inline(always)]
    pub(crate) fn bytes_read(self) -> u64 {
        self.rchar().unwrap_or(0)
    }

    /// The registers with which the task entered the kernel.
    #[inline(always)]
    pub(crate) fn registers(self) -> Regs {
        // SAFETY: a task that the verifier trusts; it knows the result's type.
        unsafe { Regs::new(bpf_task_pt_regs(self.0.cast_mut().cast()) as *const u8) }
    }

    /// Number of the system call that the task is in. Outside of one, it is no system call's
    /// (on x86_64 the entry code stores -1, or the vector of the interrupt).
    #[inline(always)]
    pub(crate) fn number_in_progress(self) -> u64 {
        self.registers().number().into()
    }

    /// Was the task put to sleep waiting for I/O?
    #[inline(always)]
    pub(crate) fn in_iowait(self) -> bool {
        let (offset, mask) = (bit!(in_iowait), bit!(in_iowait_mask));
        if offset == ABSENT {
            return false;
        }
        // SAFETY: the byte of a task that holds the bit.
        let byte: u8 = unsafe { field(self.0, offset) };
        byte & mask as u8 != 0
    }

    /// Is this a 32-bit system call on a 64-bit kernel? Its numbers mean other calls.
    #[inline(always)]
    pub(crate) fn is_compat(self) -> bool {
        const TS_COMPAT: u32 = 0x0002;
        self.status().unwrap_or(0) & TS_COMPAT != 0
    }
}
