//! Requests, and waits for requests.

use profiler_common::fact::{REQUEST_METADATA, REQUEST_READAHEAD, REQUEST_WRITE, RequestFacts};

use super::latency::Durations;
use crate::blame::{Detail, IoKind, Owner, Span};
use crate::report::{sums::grow, v1};

#[derive(Debug)]
pub(super) struct Requests {
    count: v1::ByKind,
    bytes: v1::ByKind,
    waited_ns: v1::ByKind,
    foreign: u64,
    foreign_ns: u64,
    device: Durations,
    queue: Durations,
}

impl Requests {
    pub(super) fn new() -> Self {
        Self {
            count: v1::ByKind::default(),
            bytes: v1::ByKind::default(),
            waited_ns: v1::ByKind::default(),
            foreign: 0,
            foreign_ns: 0,
            device: Durations::new(2),
            queue: Durations::new(2),
        }
    }

    /// A request that completed. Writes (a read call may clean pages when it
    /// reclaims memory) are not counted.
    pub(super) fn add(&mut self, request: &RequestFacts) {
        if request.completed_ns == 0 || request.flags & REQUEST_WRITE != 0 {
            return;
        }
        let kind = if request.flags & REQUEST_METADATA != 0 {
            IoKind::Metadata
        } else if request.flags & REQUEST_READAHEAD != 0 {
            IoKind::Readahead
        } else {
            IoKind::Data
        };
        *slot(&mut self.count, kind) += 1;
        *slot(&mut self.bytes, kind) += u64::from(request.bytes);
        if request.issued_ns != 0 {
            self.device
                .add(request.completed_ns.saturating_sub(request.issued_ns));
            if request.submitted_ns != 0 {
                self.queue
                    .add(request.issued_ns.saturating_sub(request.submitted_ns));
            }
        }
    }

    /// The spans of a complete call. One wait for a request is up to three spans
    /// next to each other: queue, device, completion.
    pub(super) fn waited(&mut self, spans: &[Span]) {
        let mut before = &Detail::None;
        for span in spans {
            if let Detail::Request { kind, owner, .. } = &span.detail {
                grow(slot(&mut self.waited_ns, *kind), span.ns);
                if matches!(owner, Owner::Foreign { .. }) {
                    grow(&mut self.foreign_ns, span.ns);
                    self.foreign += u64::from(*before != span.detail);
                }
            }
            before = &span.detail;
        }
    }

    pub(super) fn finish(&self) -> v1::Io {
        v1::Io {
            requests: self.count.data + self.count.metadata + self.count.readahead,
            bytes: self.bytes.data + self.bytes.metadata + self.bytes.readahead,
            data: self.count.data,
            metadata: self.count.metadata,
            readahead: self.count.readahead,
            foreign: self.foreign,
            foreign_ns: self.foreign_ns,
            bytes_by_kind: self.bytes,
            waited_ns: self.waited_ns,
            device_ns: self.device.quantiles(),
            queue_ns: self.queue.quantiles(),
        }
    }
}

fn slot(sums: &mut v1::ByKind, kind: IoKind) -> &mut u64 {
    match kind {
        IoKind::Data => &mut sums.data,
        IoKind::Metadata => &mut sums.metadata,
        IoKind::Readahead => &mut sums.readahead,
    }
}
