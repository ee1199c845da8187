//! `completion` by a worker: some file systems (btrfs) check what came from the device
//! in a worker, and the worker wakes the reader. Then no request is being completed
//! where the wake-up happens; the call's own requests tell, or at least the worker's
//! stack does.

use profiler_common::fact::{REQUEST_METADATA, WAIT_IOWAIT};

use super::super::{
    Cause, Detail,
    rule::{Piece, Sleep, is_in},
};
use super::request;

/// The sleep was for I/O, and the last of the call's own requests that completed
/// during it is what it was for. If all had completed before, and a worker ended the
/// sleep, then the worker had what was waited for all along.
pub(super) fn handed_to_a_worker(sleep: &Sleep<'_>) -> Option<Vec<Piece>> {
    if sleep.wait.flags & WAIT_IOWAIT == 0 {
        return None;
    }
    let own = || sleep.call.requests.iter().map(|fact| &fact.request);
    let meanwhile = own()
        .filter(|request| (sleep.from..=sleep.to).contains(&request.completed_ns))
        .max_by_key(|request| request.completed_ns);
    if let Some(last) = meanwhile {
        return Some(request::stages(sleep.call, last));
    }
    if !a_worker_ended_a_read(sleep) {
        return None;
    }
    let last = own()
        .filter(|request| request.flags & REQUEST_METADATA == 0)
        .filter(|request| request.completed_ns < sleep.from)
        .max_by_key(|request| request.completed_ns)?;
    sleep.whole(Cause::Completion, request::detail(sleep.call, last))
}

/// The sleep was for bytes of which no request was seen: mostly another call, or another
/// process, had asked for them. It was a read, so all is the device's.
pub(super) fn of_an_unseen_request(sleep: &Sleep<'_>) -> Option<Vec<Piece>> {
    if sleep.wait.flags & WAIT_IOWAIT == 0 || !a_worker_ended_a_read(sleep) {
        return None;
    }
    let waker = Detail::Waker {
        tid: sleep.wait.waker_tid,
        comm: sleep.wait.waker_comm,
        through: "a read, ended",
    };
    sleep.whole(Cause::Device, waker)
}

/// A worker of the kernel's that ends a read woke the sleeper, whoever asked for it.
fn a_worker_ended_a_read(sleep: &Sleep<'_>) -> bool {
    // What bios name as their end (`bi_end_io`). `bio_endio` itself mostly jumps there
    // and leaves no frame.
    const ENDS: [&str; 7] = [
        "bio_endio",
        "end_bbio_data_read",
        "iomap_dio_bio_end_io",
        "iomap_read_end_io",
        "mpage_end_io",
        "mpage_read_end_io",
        "btrfs_bio_end_io",
    ];
    let frames = sleep.waker_frames();
    is_in(frames, &["process_one_work"]) && is_in(frames, &ENDS)
}
