//! What the page cache did for a call.

use profiler_common::fact::{CALL_FAULT, ENDED_BY_EXIT};

use super::{Cause, Detail, IoKind, Outcome, Span};
use crate::correlate::Call;

/// The outcome, from what the call returned, what it brought into the cache and what
/// it waited for.
pub(super) fn of(call: &Call, spans: &[Span]) -> Outcome {
    let ended = &call.ended;
    let format = ended.mode & libc::S_IFMT;
    if ended.call == CALL_FAULT {
        return Outcome::Fault;
    }
    if ended.returned < 0 || ended.flags & ENDED_BY_EXIT != 0 {
        return Outcome::Error;
    }
    if format != libc::S_IFREG && format != libc::S_IFBLK {
        return Outcome::Other;
    }
    if ended.returned == 0 {
        return if ended.requested == 0 {
            Outcome::Other
        } else {
            Outcome::Eof
        };
    }
    if ended.file_flags & libc::O_DIRECT as u32 != 0 {
        return Outcome::Direct;
    }
    let waited = spans.iter().any(waited_for_pages);
    let asked = ended.bios[0] > 0 || ended.bios[2] > 0;
    match (ended.filled_asked > 0, waited || asked) {
        (true, true) => Outcome::Miss,
        // Pages were added and nobody was asked for their bytes.
        (true, false) => Outcome::Hole,
        (false, _) if waited => Outcome::Late,
        (false, _) => Outcome::Hit,
    }
}

/// Did the call sleep here for the bytes of a file?
fn waited_for_pages(span: &Span) -> bool {
    match (&span.detail, span.cause) {
        (Detail::Request { kind, .. }, _) => *kind != IoKind::Metadata,
        (Detail::Lock { name, .. }, _) => *name == "folio lock",
        (Detail::Waker { .. }, Cause::Device) | (_, Cause::Server) => true,
        _ => false,
    }
}
