//! `throttle`, `queue`, `device`, `completion`: a request's life, seen from the sleep
//! that its completion ended.

use profiler_common::fact::{
    REQUEST_BY_WORKER, REQUEST_METADATA, REQUEST_READAHEAD, REQUEST_THROTTLED, RequestFacts,
};

use super::super::{
    Cause, Detail, IoKind, Owner,
    rule::{Piece, Sleep},
};
use crate::correlate::Call;

/// The wake-up came from within a request's completion: it is the one waited for,
/// whoever submitted it.
pub(super) fn whose_completion_woke(sleep: &Sleep<'_>) -> Option<Vec<Piece>> {
    let request = &sleep.wait.request;
    (request.completed_ns != 0).then(|| stages(sleep.call, request))
}

/// A request's stages, by the moments at which they end.
pub(super) fn stages(call: &Call, request: &RequestFacts) -> Vec<Piece> {
    let detail = detail(call, request);
    let stage = |to: u64, cause: Cause| Piece {
        to,
        cause,
        detail: detail.clone(),
    };
    // Before it was submitted somebody held it: the cgroup's limit, or whoever has the
    // folio and has not asked for it yet. What is not known ends at 0: no time at all.
    let held = if is_throttled(request) {
        Cause::Throttle
    } else {
        Cause::Lock
    };
    let before = match (held, owner(call, request)) {
        // Our own submission comes before our own sleep.
        (Cause::Lock, Owner::Call | Owner::Unknown) => Vec::new(),
        (Cause::Lock, _) => {
            let lock = Detail::Lock {
                name: "folio lock",
                address: 0,
            };
            vec![Piece {
                to: request.submitted_ns,
                cause: Cause::Lock,
                detail: lock,
            }]
        }
        (held, _) => vec![stage(request.submitted_ns, held)],
    };
    let mut pieces = before;
    pieces.push(stage(request.issued_ns, Cause::Queue));
    pieces.push(stage(request.completed_ns, Cause::Device));
    pieces.push(stage(u64::MAX, Cause::Completion));
    pieces
}

/// The limit of a cgroup held the bio back, and a worker submitted it in the end.
fn is_throttled(request: &RequestFacts) -> bool {
    request.flags & REQUEST_THROTTLED != 0 && request.flags & REQUEST_BY_WORKER != 0
}

pub(super) fn detail(call: &Call, request: &RequestFacts) -> Detail {
    let owner = owner(call, request);
    let kind = if request.flags & REQUEST_METADATA != 0 {
        IoKind::Metadata
    } else if request.flags & (REQUEST_READAHEAD | REQUEST_BY_WORKER) == REQUEST_READAHEAD
        && !matches!(owner, Owner::Unknown)
    {
        IoKind::Readahead
    } else {
        IoKind::Data
    };
    Detail::Request {
        dev: request.dev,
        kind,
        owner,
    }
}

/// Whoever submitted it, this call had asked for it: one that goes past the page cache
/// waits for nobody else's data, and one that added the pages which it asked for is the
/// one that fetches them.
fn asked_itself(call: &Call, request: &RequestFacts) -> bool {
    let direct = call.ended.file_flags & libc::O_DIRECT as u32 != 0;
    request.flags & REQUEST_METADATA == 0 && (direct || call.ended.filled_asked > 0)
}

fn owner(call: &Call, request: &RequestFacts) -> Owner {
    let me = &call.ended.head;
    let comm = request.owner_comm;
    if is_throttled(request) && asked_itself(call, request) {
        Owner::Call
    } else if request.owner_tid == 0 || request.flags & REQUEST_BY_WORKER != 0 {
        Owner::Unknown
    } else if request.owner_op != 0 && request.owner_op == me.op {
        Owner::Call
    } else if request.owner_tid == me.tid {
        Owner::Thread
    } else if request.owner_pid == me.pid {
        Owner::Process {
            tid: request.owner_tid,
            comm,
        }
    } else {
        Owner::Foreign {
            pid: request.owner_pid,
            comm,
        }
    }
}
