//! The clock of all facts.

use aya_ebpf::helpers::generated::bpf_ktime_get_ns;

/// `CLOCK_MONOTONIC`, in nanoseconds.
#[inline(always)]
pub(crate) fn now() -> u64 {
    // SAFETY: has no preconditions.
    unsafe { bpf_ktime_get_ns() }
}
