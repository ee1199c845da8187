use std::collections::BTreeMap;

use profiler_common::fact::{self, Ended, Head, RequestFacts};
use profiler_common::histogram::{self, BUCKETS};

use super::*;
use crate::blame::{Detail, IoKind, Owner, Span};
use crate::correlate::Completeness;
use crate::report::witness::Readings;

#[derive(Debug)]
struct Nameless;

impl Names for Nameless {
    fn frames(&self, stack: u32) -> Vec<String> {
        vec![format!("frame_{stack}")]
    }
    fn path(&self, _: u32, inode: u64, _: &[u8; 32]) -> Option<String> {
        (inode == 7).then(|| "/data.bin".to_owned())
    }
}

fn finish_with(tally: &Tally, hooks: &[v1::Hook]) -> v1::Scenario {
    let devices = BTreeMap::from([(254 << 20, "vda".to_owned())]);
    tally.finish(&Context {
        name: "test",
        workload: &v1::Workload::default(),
        wall_ns: Some(1_000_000_000),
        missed: v1::MissedCalls::default(),
        names: &Nameless,
        devices: &devices,
        hooks,
        readings: &Readings::default(),
    })
}

fn finish(tally: &Tally) -> v1::Scenario {
    finish_with(tally, &[])
}

fn on_disk(owner: Owner) -> Detail {
    Detail::Request {
        dev: 254 << 20,
        kind: IoKind::Data,
        owner,
    }
}

/// A call that began at `begin` and went through these stretches.
fn told(begin: u64, outcome: Outcome, stretches: &[(u64, Cause, Detail)]) -> (Call, Verdict) {
    let (mut at_ns, mut shares, mut spans) = (0, Shares::default(), Vec::new());
    for (ns, cause, detail) in stretches {
        let stack = cause.is_blocked().then_some(3);
        spans.push(Span {
            at_ns,
            ns: *ns,
            cause: *cause,
            detail: detail.clone(),
            stack,
        });
        shares[*cause] += ns;
        at_ns += ns;
    }
    let head = Head {
        tid: 5,
        pid: 5,
        call_ns: begin,
        at_ns: begin + at_ns,
        ..Head::default()
    };
    let ended = Ended {
        head,
        requested: 4096,
        returned: 4096,
        inode: 7,
        mode: 0o100_644,
        call: fact::CALL_PREAD,
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

fn blocked_read(begin: u64) -> (Call, Verdict) {
    let stretches = [
        (1_000, Cause::Cpu, Detail::None),
        (20_000, Cause::Queue, on_disk(Owner::Call)),
        (70_000, Cause::Device, on_disk(Owner::Call)),
        (3_000, Cause::Runqueue, Detail::None),
        (500, Cause::Cpu, Detail::None),
    ];
    told(begin, Outcome::Miss, &stretches)
}

#[test]
fn every_sum_adds_up() {
    let mut tally = Tally::default();
    for n in 0..100 {
        let (mut call, verdict) = blocked_read(n * 1_000_000);
        if n % 10 == 0 {
            call.completeness = Completeness::Lost(1);
        }
        tally.ended(&call, &verdict, &Nameless);
    }
    let mut buckets = vec![0; BUCKETS];
    buckets[histogram::bucket(500) as usize] = 1000;
    let sums = Settled {
        calls: 1000,
        ns: 500_123,
        bytes: 4_096_000,
    };
    tally.settled(histogram::CLASS_BUFFERED, &sums, &buckets);

    let scenario = finish(&tally);
    assert_eq!(scenario.calls, 1100);
    assert_eq!(scenario.incomplete_calls, 10);
    assert_eq!(scenario.blocked_calls, 90);
    assert_eq!(scenario.duration_ns, 90 * 94_500 + 500_123);
    assert_eq!(scenario.blame_ns.total(), scenario.duration_ns);
    assert_eq!(scenario.blocked_ns, 90 * 93_000);
    assert_eq!(scenario.throughput_bytes_per_s, Some(scenario.bytes));

    let outcomes = || scenario.outcomes.iter().map(|(_, sum)| sum);
    assert_eq!(outcomes().map(|sum| sum.calls).sum::<u64>(), scenario.calls);
    assert_eq!(
        outcomes().map(|sum| sum.duration_ns).sum::<u64>(),
        scenario.duration_ns + scenario.incomplete_ns
    );
    assert_eq!(scenario.outcomes.hit.calls, 1000);
    assert_eq!(scenario.outcomes.miss.calls, 100);

    let latency = scenario.latency_ns.as_ref().unwrap();
    let counted: u64 = latency.histogram.iter().map(|bucket| bucket.count).sum();
    assert_eq!(counted, scenario.calls);
    assert!(latency.p50 <= latency.p90 && latency.p99 <= latency.p999);
    assert_eq!(latency.max, 94_500);

    let shares: f64 = scenario
        .blame_share
        .iter()
        .filter_map(|(_, share)| share)
        .sum();
    assert!((shares - 1.0).abs() < 1e-9, "{shares}");
    waits_add_up(&scenario);
}

fn waits_add_up(scenario: &v1::Scenario) {
    for cause in Cause::ALL.into_iter().filter(|cause| cause.is_blocked()) {
        let waits = scenario.waits.iter().filter(|wait| wait.cause == cause);
        let sum: u64 = waits.map(|wait| wait.ns).sum();
        assert_eq!(Some(sum), scenario.blame_ns.get(cause), "{cause:?}");
    }
}

#[test]
fn an_empty_tally_is_a_scenario_without_calls() {
    let scenario = finish(&Tally::default());
    assert_eq!((scenario.calls, scenario.duration_ns), (0, 0));
    assert_eq!(scenario.latency_ns, None);
    assert_eq!(scenario.blocked_share, 0.0);
}

#[test]
fn memory_is_bounded_and_nothing_is_lost_by_it() {
    let mut tally = Tally::default();
    for n in 0..20_000_u64 {
        let lock = Detail::Lock {
            name: "",
            address: n,
        };
        let stretches = [(100, Cause::Cpu, Detail::None), (n + 1, Cause::Lock, lock)];
        let (call, verdict) = told(n * 100_000, Outcome::Miss, &stretches);
        tally.ended(&call, &verdict, &Nameless);
    }
    let scenario = finish(&tally);
    assert_eq!(scenario.waits.len(), 257);
    let others = scenario
        .waits
        .iter()
        .find(|wait| wait.folded.is_some())
        .unwrap();
    assert_eq!(others.folded, Some(20_000 - 256));
    assert_eq!(
        scenario.waits.iter().map(|wait| wait.count).sum::<u64>(),
        20_000
    );
    waits_add_up(&scenario);
}

#[test]
fn the_slowest_calls_are_told_in_full() {
    let mut tally = Tally::new(3);
    for n in [5_u64, 9, 1, 7, 3, 9] {
        let stretches = [(n * 1000, Cause::Device, on_disk(Owner::Call))];
        let (call, verdict) = told(n * 1_000_000, Outcome::Miss, &stretches);
        tally.ended(&call, &verdict, &Nameless);
    }
    let (call, verdict) = blocked_read(77);
    tally.ended(&call, &verdict, &Nameless);
    let slowest = finish(&tally).slowest;
    let latencies: Vec<_> = slowest.iter().map(|call| call.latency_ns).collect();
    assert_eq!(latencies, [94_500, 9_000, 9_000]);

    let slow = &slowest[0];
    assert_eq!(slow.blame_ns.total(), slow.latency_ns);
    assert_eq!(
        slow.timeline.iter().map(|span| span.ns).sum::<u64>(),
        slow.latency_ns
    );
    let parts: Vec<_> = slow
        .parts
        .iter()
        .map(|part| (part.cause.as_str(), part.ns))
        .collect();
    assert_eq!(
        parts,
        [
            ("device", 70_000),
            ("queue", 20_000),
            ("runqueue", 3_000),
            ("cpu", 1_500)
        ]
    );
    assert_eq!(slow.path.as_deref(), Some("/data.bin"));
    assert_eq!(slow.call.as_str(), "pread64");
}

#[test]
fn a_long_timeline_keeps_its_longest_stretches() {
    let stretches: Vec<_> = (1..=1000)
        .map(|ns| (ns, Cause::Device, Detail::None))
        .collect();
    let (call, verdict) = told(1, Outcome::Miss, &stretches);
    let mut tally = Tally::default();
    tally.ended(&call, &verdict, &Nameless);
    let slow = finish(&tally).slowest.remove(0);
    assert_eq!((slow.timeline.len(), slow.timeline_omitted), (256, 744));
    assert!(slow.timeline.is_sorted_by(|a, b| a.at_ns < b.at_ns));
    assert_eq!(slow.timeline[0].ns, 745);
    assert_eq!(slow.parts[0].ns, slow.latency_ns);
}

#[test]
fn a_wait_for_another_process_counts_once() {
    let other = || {
        on_disk(Owner::Foreign {
            pid: 9,
            comm: [0; 16],
        })
    };
    let stretches = [
        (10, Cause::Queue, other()),
        (20, Cause::Device, other()),
        (1, Cause::Completion, other()),
        (5, Cause::Runqueue, Detail::None),
        (30, Cause::Device, other()),
        (40, Cause::Device, on_disk(Owner::Call)),
    ];
    let (mut call, verdict) = told(1, Outcome::Late, &stretches);
    let request = |flags, bytes| fact::Request {
        request: RequestFacts {
            submitted_ns: 100,
            issued_ns: 150,
            completed_ns: 1150,
            flags,
            bytes,
            ..RequestFacts::default()
        },
        ..fact::Request::default()
    };
    call.requests = vec![
        request(0, 4096),
        request(fact::REQUEST_METADATA | fact::REQUEST_READAHEAD, 1024),
        request(fact::REQUEST_WRITE, 512),
    ];
    let mut tally = Tally::default();
    tally.ended(&call, &verdict, &Nameless);
    tally.request(&request(fact::REQUEST_READAHEAD, 8192).request);
    let io = finish(&tally).io.unwrap();
    assert_eq!((io.foreign, io.foreign_ns), (2, 61));
    assert_eq!(
        (io.requests, io.data, io.metadata, io.readahead),
        (3, 1, 1, 1)
    );
    assert_eq!(io.bytes, 4096 + 1024 + 8192);
    assert_eq!(io.waited_ns.data, 101);
    assert_eq!(io.device_ns.unwrap().max, 1000);
    assert_eq!(io.queue_ns.unwrap().max, 50);
}

#[test]
fn what_a_missing_hook_hides_is_null_and_not_zero() {
    let hook = |hides: &[&str]| v1::Hook {
        hook: "some".to_owned(),
        hides: hides.iter().map(|word| v1::Word::from_text(word)).collect(),
        ..v1::Hook::default()
    };
    let hooks = [hook(&["lock", "queue"]), hook(&["readahead", "io"])];
    let mut tally = Tally::default();
    let (call, verdict) = blocked_read(1);
    tally.ended(&call, &verdict, &Nameless);
    let scenario = finish_with(&tally, &hooks);
    assert_eq!(
        (
            scenario.blame_ns.get(Cause::Lock),
            scenario.blame_share.get(Cause::Lock)
        ),
        (None, None)
    );
    assert_eq!(
        scenario.blame_ns.get(Cause::Queue),
        Some(20_000),
        "what was seen all the same is shown"
    );
    assert_eq!(scenario.blame_ns.get(Cause::Reclaim), Some(0));
    assert_eq!(scenario.readahead.windows, None);
    assert_eq!(scenario.io, None);
    assert_eq!(scenario.blame_ns.total(), scenario.duration_ns);
}
