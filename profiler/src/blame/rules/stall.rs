//! `throttle` and `queue` before there is a request: the block layer puts the thread
//! to sleep until the cgroup's limit, the device's tags or the latency target allow it
//! to submit.

use super::super::{
    Cause, Detail,
    rule::{Piece, Sleep, is_in},
};

/// Functions that sleep for a cgroup's sake.
const LIMITS: [&str; 4] = [
    "blkcg_maybe_throttle_current",
    "ioc_rqos_throttle",
    "blkcg_iolatency_throttle",
    "__blk_throtl_bio",
];
/// Functions that sleep because the device has enough to do.
const FULL: [&str; 5] = [
    "wbt_wait",
    "rq_qos_wait",
    "blk_mq_get_tag",
    "__blk_mq_alloc_requests",
    "__bio_queue_enter",
];

/// Functions that let the next one in when a request's tag is given back.
const GIVEN_BACK: [&str; 4] = [
    "blk_mq_put_tag",
    "sbitmap_queue_clear",
    "sbitmap_queue_wake_up",
    "wbt_rqw_done",
];

/// The stack names the gate; or, of a sleep that has none, that of who opened it.
pub(super) fn before_the_device(sleep: &Sleep<'_>) -> Option<Vec<Piece>> {
    let cause = if sleep.slept_in(&LIMITS) {
        Cause::Throttle
    } else if sleep.slept_in(&FULL)
        || sleep.has_no_stack_for_io() && is_in(sleep.waker_frames(), &GIVEN_BACK)
    {
        Cause::Queue
    } else {
        return None;
    };
    sleep.whole(cause, Detail::None)
}
