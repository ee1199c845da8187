//! `completion` by a worker: some file systems (btrfs) check what came from the device
//! in a worker, and the worker wakes the reader. Then no request is being completed
//! where the wake-up happens; the call's own requests tell.

use profiler_common::fact::WAIT_IOWAIT;

use super::{
    request,
    rule::{Piece, Sleep},
};

/// The sleep was for I/O, and the last of the call's own requests that completed
/// during it is what it was for.
pub(super) fn handed_to_a_worker(sleep: &Sleep<'_>) -> Option<Vec<Piece>> {
    if sleep.wait.flags & WAIT_IOWAIT == 0 {
        return None;
    }
    let last = sleep
        .call
        .requests
        .iter()
        .map(|fact| &fact.request)
        .filter(|request| (sleep.from..=sleep.to).contains(&request.completed_ns))
        .max_by_key(|request| request.completed_ns)?;
    Some(request::stages(sleep.call, last))
}
