//! How quiet calls end: in a histogram of their class.

use profiler_common::histogram::{
    BUCKETS, CLASS_BUFFERED, CLASS_DIRECT, CLASS_EMPTY, CLASS_END, CLASS_ERROR, CLASS_OTHER, bucket,
};

use crate::{
    kernel::{BLOCK_DEVICE, FORMAT, REGULAR, fixed},
    maps::{HISTOGRAM, SETTLED},
    thread::Open,
};

/// Settles a quiet call. Only `sys_exit` does, and that is why the additions need not be
/// atomic: the kernel lets a program of a tracepoint run once at a time on a CPU and skips
/// (and counts) it otherwise (`__bpf_trace_run` since 6.1), and it does not move meanwhile.
#[inline(always)]
pub(crate) fn settle(open: &Open, returned: i64, ns: u64) {
    let class = class(open, returned);
    if let Some(sums) = SETTLED.get_ptr_mut(class) {
        // SAFETY: a live slot of this CPU.
        let sums = unsafe { &mut *sums };
        sums.calls += 1;
        sums.ns += ns;
        if returned > 0 {
            sums.bytes += returned as u64;
        }
    }
    if let Some(slot) = HISTOGRAM.get_ptr_mut(class * BUCKETS as u32 + bucket(ns)) {
        // SAFETY: a live slot of this CPU.
        unsafe { *slot += 1 };
    }
}

#[inline(always)]
fn class(open: &Open, returned: i64) -> u32 {
    if returned < 0 {
        return CLASS_ERROR;
    }
    let format = open.mode & FORMAT;
    if format != REGULAR && format != BLOCK_DEVICE {
        return CLASS_OTHER;
    }
    if returned == 0 {
        return if open.requested == 0 {
            CLASS_EMPTY
        } else {
            CLASS_END
        };
    }
    if open.file_flags & fixed!(o_direct) != 0 {
        CLASS_DIRECT
    } else {
        CLASS_BUFFERED
    }
}
