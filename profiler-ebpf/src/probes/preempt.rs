//! Can a tracepoint's programs be preempted here?
//!
//! Hook: `sys_enter`, while the collector starts and for its own calls only. Since Linux 7.0
//! they can, and while one is, the kernel skips all its other runs on that CPU. Neither the
//! version nor the preemption mode tells it (both can be changed), so the program looks.

use aya_ebpf::{macros::btf_tracepoint, programs::BtfTracePointContext};

use crate::{
    emit::add,
    kernel::{self, current_task, fixed},
    maps::PREEMPTIBLE,
};

#[btf_tracepoint(function = "sys_enter")]
fn can_be_preempted(_ctx: BtfTracePointContext) -> i32 {
    if current_task().pid() != fixed!(self_pid) {
        return 0;
    }
    let count = kernel::preempt_count();
    if let Some(runs) = PREEMPTIBLE.get_ptr_mut(0) {
        // SAFETY: a live slot.
        let [all, preemptible] = unsafe { &mut *runs };
        add(all, 1);
        if count == 0 {
            add(preemptible, 1);
        }
    }
    0
}
