//! Made-up calls: a thread that reads, with a clock and dice of its own.

use crate::world::Known;
use profiler::blame::{Cause, Detail, IoKind, Outcome, Owner, Shares, Span, Verdict};
use profiler::correlate::{Call, Completeness};
use profiler::report::Tally;
use profiler::sink::Sink as _;
use profiler_common::fact::{CALL_FAULT, CALL_PREAD, Ended, Head, Request, RequestFacts};
use profiler_common::histogram::{BUCKETS, Settled, bucket};

pub(crate) const VDA: u32 = 254 << 20;
pub(crate) const DATA: &[u8] = b"profiler.data";

pub(crate) fn padded<const N: usize>(text: &[u8]) -> [u8; N] {
    let mut array = [0; N];
    array[..text.len()].copy_from_slice(text);
    array
}

pub(crate) fn on_vda(kind: IoKind, owner: Owner) -> Detail {
    Detail::Request {
        dev: VDA,
        kind,
        owner,
    }
}

/// Makes calls that follow each other.
pub(crate) struct Reader {
    now: u64,
    dice: u64,
    device_ns: u64,
    pub(crate) name: Vec<u8>,
    pub(crate) inode: u64,
    pub(crate) call: u32,
}

/// One stretch of a call: cause, about how long in nanoseconds, detail, stack.
pub(crate) type Stretch = (Cause, u64, Detail, Option<u32>);

impl Reader {
    pub(crate) fn new() -> Self {
        Self::seeded(42, 62_000)
    }

    /// A reader with dice of its own, whose device takes about `device_ns` a request.
    pub(crate) fn seeded(dice: u64, device_ns: u64) -> Self {
        Self {
            now: 1_000_000_000,
            dice,
            device_ns,
            name: DATA.to_vec(),
            inode: 12,
            call: CALL_PREAD,
        }
    }

    pub(crate) fn faults() -> Self {
        Self {
            call: CALL_FAULT,
            ..Self::seeded(7, 65_000)
        }
    }

    /// About `ns`: up to a quarter less or more, and now and then a lot more.
    fn about(&mut self, ns: u64) -> u64 {
        self.dice = self
            .dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let roll = self.dice >> 33;
        let ns = ns * 3 / 4 + ns * (roll % 1000) / 2000;
        if roll.is_multiple_of(997) {
            ns * 12
        } else {
            ns.max(1)
        }
    }

    /// One told call that goes through these stretches.
    pub(crate) fn told(&mut self, outcome: Outcome, stretches: &[Stretch]) -> (Call, Verdict) {
        let (mut at_ns, mut shares, mut spans) = (0, Shares::default(), Vec::new());
        for (cause, ns, detail, stack) in stretches {
            let ns = self.about(*ns);
            let (cause, detail, stack) = (*cause, detail.clone(), *stack);
            spans.push(Span {
                at_ns,
                ns,
                cause,
                detail,
                stack,
            });
            shares[cause] += ns;
            at_ns += ns;
        }
        let call_ns = self.now;
        self.now += at_ns + 400;
        self.dice += 1;
        let head = Head {
            tid: 4242,
            pid: 4242,
            call_ns,
            at_ns: call_ns + at_ns,
            ..Head::default()
        };
        let fault = self.call == CALL_FAULT;
        let ended = Ended {
            head,
            requested: if fault { 0 } else { 4096 },
            returned: if fault { 0 } else { 4096 },
            offset: (self.dice >> 40 & 0xffff) as i64 * 4096,
            inode: self.inode,
            file_size: 256 << 20,
            mode: 0o100_644,
            dev: VDA,
            call: self.call,
            comm: padded(b"reader"),
            name: padded(&self.name),
            ..Ended::default()
        };
        let call = Call {
            ended,
            waits: Vec::new(),
            reclaims: Vec::new(),
            requests: Vec::new(),
            completeness: Completeness::Complete,
        };
        (
            call,
            Verdict {
                outcome,
                spans,
                shares,
            },
        )
    }

    /// So many calls that each fetch `pages` pages from the device.
    pub(crate) fn fetch(&mut self, tally: &mut Tally, calls: u64, pages: u32, kind: Fetch) {
        for _ in 0..calls {
            let request = on_vda(IoKind::Data, Owner::Call);
            let stretches = [
                (Cause::Cpu, 4_000, Detail::None, None),
                (Cause::Queue, 5_000, request.clone(), Some(kind.stack)),
                (
                    Cause::Device,
                    self.device_ns + u64::from(pages) * 300,
                    request.clone(),
                    Some(kind.stack),
                ),
                (Cause::Completion, 900, request, Some(kind.stack)),
                (Cause::Runqueue, 2_400, Detail::None, None),
                (Cause::Cpu, 2_100, Detail::None, None),
            ];
            let (mut call, verdict) = self.told(kind.outcome, &stretches);
            if kind.outcome != Outcome::Direct {
                call.ended.filled = pages;
                call.ended.filled_asked = 1;
                call.ended.readahead_sync = u32::from(pages > 1);
            }
            let times = |cause| verdict.spans.iter().find(|span| span.cause == cause);
            let begin = call.ended.head.call_ns;
            let queue = times(Cause::Queue).map_or(0, |span| begin + span.at_ns);
            let device = times(Cause::Device).map_or(0, |span| begin + span.at_ns);
            let completion = times(Cause::Completion).map_or(0, |span| begin + span.at_ns);
            call.requests.push(Request {
                head: call.ended.head,
                request: RequestFacts {
                    submitted_ns: queue,
                    issued_ns: device,
                    completed_ns: completion,
                    bytes: pages * 4096,
                    dev: VDA,
                    ..RequestFacts::default()
                },
            });
            tally.ended(&call, &verdict, &Known);
        }
    }
}

/// How a call fetches.
#[derive(Clone, Copy)]
pub(crate) struct Fetch {
    pub(crate) outcome: Outcome,
    pub(crate) stack: u32,
}

/// Quiet calls of about `ns` each.
pub(crate) fn quiet(tally: &mut Tally, class: u32, calls: u64, ns: u64, bytes: u64) {
    let mut buckets = vec![0; BUCKETS];
    buckets[bucket(ns) as usize] = calls - calls / 50;
    buckets[bucket(ns * 2) as usize] += calls / 50;
    let sums = Settled {
        calls,
        ns: (calls + calls / 50) * ns,
        bytes: calls * bytes,
    };
    tally.settled(class, &sums, &buckets);
}
