//! Facts as the kernel side sends them, of several threads at once, and then as it never
//! would: in another order, some of them gone, twice, or with another's times.

use std::collections::HashMap;

use fastrand::Rng;
use profiler::{
    blame::{Shares, Stacks, blame},
    correlate::{Correlator, MAX_FACTS_PER_CALL},
    recording::{Entry, Stack},
    report::v1::{Report, SlowCall},
    ring::{Fact, decode, encode},
    session::Assembly,
};
use profiler_common::fact::{
    CALL_FAULT, Ended, Head, KIND_ENDED, KIND_RECLAIM, KIND_REQUEST, KIND_WAIT, NO_STAY, Reclaim,
    Request, RequestFacts, WAIT_IN_RECLAIM, WAIT_PREEMPTED, Wait, stay,
};

use super::{
    Ending, Target, for_a_second, for_long,
    payload::{self, records},
    recordings::like,
};
use crate::{
    frames::{FACTS, as_json, bytes, frames},
    invariants::{adds_up, fits_its_schema},
};

/// Functions that rules look for, by the ids of their stacks.
const STACKS: [&str; 6] = [
    "io_schedule,folio_wait_bit_common,filemap_read",
    "folio_unlock",
    "blk_mq_get_tag",
    "request_wait_answer,fuse_simple_request",
    "pipe_read",
    ",.,..cold",
];

struct Known;

impl Stacks for Known {
    fn frames(&self, id: u32) -> Option<&[String]> {
        use std::sync::OnceLock;
        static FRAMES: OnceLock<Vec<Vec<String>>> = OnceLock::new();
        let all = FRAMES.get_or_init(|| {
            let frames = |stack: &&str| stack.split(',').map(String::from).collect();
            STACKS.iter().map(frames).collect()
        });
        all.get(id as usize).map(Vec::as_slice)
    }
}

struct Facts;

impl Target for Facts {
    const NAME: &str = "facts at random";
    type Input = Vec<u8>;

    fn seeds(&self) -> Vec<Vec<u8>> {
        (0..8)
            .map(|seed| session(&mut Rng::with_seed(seed)))
            .collect()
    }

    fn step(&self, facts: &mut Vec<u8>, other: &Vec<u8>, random: &mut Rng) {
        match random.u8(..12) {
            0 => facts.extend(session(random)),
            1 => *facts = shuffled(facts, random),
            _ => payload::step(facts, other, random),
        }
        // Well-formed: what a step has made malformed is left out.
        *facts = records(facts)
            .into_iter()
            .map(|at| &facts[at])
            .filter(|record| decode(record).is_ok())
            .collect::<Vec<_>>()
            .concat();
    }

    fn bytes(&self, facts: &Vec<u8>) -> Vec<u8> {
        facts.clone()
    }

    fn check(&self, bytes: &[u8]) -> Ending {
        let facts: Vec<Fact> = records(bytes)
            .into_iter()
            .map(|at| decode(&bytes[at]).expect("they are well-formed"))
            .collect();
        correlated(&facts);
        let report = reported(&facts);
        adds_up(&report);
        fits_its_schema(&report);
        crate::frames::shown(&report);
        // Threads have nothing to do with each other.
        let mut apart = facts;
        apart.sort_by_key(|fact| fact.head().tid);
        let apart = reported(&apart);
        let (apart, together) = (without_ties(apart), without_ties(report.clone()));
        for (line, (apart, together)) in (1..).zip(apart.lines().zip(together.lines())) {
            assert_eq!(apart, together, "threads one by one, line {line}");
        }
        assert_eq!(apart.len(), together.len(), "threads one by one");
        Ending::said(report.scenarios[0].calls > 0, &like(&report))
    }
}

/// Of calls that are equally slow (one whose end came twice), any may be told.
fn without_ties(mut report: Report) -> String {
    for scenario in &mut report.scenarios {
        for call in &mut scenario.slowest {
            *call = SlowCall {
                latency_ns: call.latency_ns,
                ..SlowCall::default()
            };
        }
    }
    as_json(&report)
}

/// Every end is a call, every call a partition of its time.
fn correlated(facts: &[Fact]) {
    let mut correlator = Correlator::default();
    // A stay's facts come from its thread, those of another operation from any.
    let of = |head: &Head| {
        let thread = (head.op & NO_STAY == 0).then_some(head.tid);
        (thread, head.op)
    };
    let mut told = HashMap::<(Option<u32>, u64), usize>::new();
    for fact in facts {
        let is_end = matches!(fact, Fact::Ended(_));
        let call = correlator.fact(fact.clone()).call();
        assert_eq!(call.is_some(), is_end, "{fact:?}");
        assert!(correlator.kept() <= facts.len());
        let Some(call) = call else {
            *told.entry(of(fact.head())).or_default() += 1;
            continue;
        };
        let head = call.ended.head;
        let kept = call.waits.len() + call.reclaims.len();
        assert!(kept + call.requests.len() <= MAX_FACTS_PER_CALL);
        let told = told.get(&of(&head)).copied().unwrap_or(0);
        assert!(kept <= told, "facts of another call");
        if kept != call.ended.facts as usize {
            assert!(!call.is_complete(), "{call:#?}");
        }
        let verdict = blame(&call, &Known);
        let mut shares = Shares::default();
        let mut at = 0;
        for span in &verdict.spans {
            assert_eq!(span.at_ns, at, "a gap: {verdict:#?}");
            assert!(span.ns > 0, "{verdict:#?}");
            at += span.ns;
            shares[span.cause] += span.ns;
        }
        assert_eq!(at, call.ns(), "{verdict:#?}");
        assert_eq!(shares, verdict.shares);
    }
}

/// Through the stages, as a session would.
fn reported(facts: &[Fact]) -> Report {
    let mut assembly = Assembly::default();
    let whole = frames(&bytes("run"));
    let stacks = |assembly: &mut Assembly| {
        for (id, frames) in (0..).zip(STACKS) {
            let frames = frames.split(',').map(String::from).collect();
            let stack = Stack { id, frames };
            assembly.take(Entry::Stack(stack)).unwrap();
        }
    };
    for (tag, payload) in &whole {
        if *tag == FACTS {
            stacks(&mut assembly);
            let bytes: Vec<u8> = facts.iter().flat_map(encode).copied().collect();
            assembly.take(Entry::Facts(&bytes)).unwrap();
        } else {
            assembly.take(Entry::read(*tag, payload).unwrap()).unwrap();
        }
    }
    assembly.finish().unwrap().0
}

/// Whole calls of some threads, their facts in between each other.
fn session(random: &mut Rng) -> Vec<u8> {
    let mut facts: Vec<Fact> = Vec::new();
    for tid in 100..100 + random.u32(1..4) {
        let mut now = 1_000_000 + random.u64(..1000);
        for _ in 0..random.usize(1..6) {
            call(tid, &mut now, &mut facts, random);
            now += random.u64(..5_000);
        }
    }
    facts.sort_by_key(|fact| fact.head().at_ns);
    facts.iter().flat_map(encode).copied().collect()
}

fn call(tid: u32, now: &mut u64, facts: &mut Vec<Fact>, random: &mut Rng) {
    let call_ns = *now;
    let head = |kind: u32, size: usize, at_ns: u64| Head {
        kind,
        size: size as u32,
        tid,
        pid: 100,
        at_ns,
        call_ns,
        op: stay(tid, call_ns),
    };
    let mut told = 0;
    for _ in 0..random.usize(..5) {
        let out_ns = *now + random.u64(..3_000);
        let woken_ns = out_ns + random.u64(..500_000);
        let back = woken_ns + random.u64(..20_000);
        let submitted_ns = out_ns.saturating_sub(random.u64(..3_000));
        let issued_ns = submitted_ns + random.u64(..9_000);
        let request = RequestFacts {
            submitted_ns,
            issued_ns,
            completed_ns: issued_ns.max(woken_ns.saturating_sub(random.u64(..4_000))),
            bytes: 4096 << random.u32(..6),
            dev: 0x0fd0_0000,
            owner_tid: tid + random.u32(..2),
            owner_pid: 100 + random.u32(..2),
            owner_op: if random.bool() { stay(tid, call_ns) } else { 7 },
            flags: random.u32(..32),
            owner_comm: *b"fio\0\0\0\0\0\0\0\0\0\0\0\0\0",
            ..RequestFacts::default()
        };
        *now = back;
        match random.u8(..8) {
            0 => facts.push(Fact::Reclaim(Reclaim {
                head: head(KIND_RECLAIM, size_of::<Reclaim>(), back),
                begin_ns: out_ns,
                pages: random.u64(..100),
            })),
            1 => {
                facts.push(Fact::Request(Request {
                    head: head(KIND_REQUEST, size_of::<Request>(), back),
                    request,
                }));
                continue;
            }
            _ => facts.push(Fact::Wait(Wait {
                head: head(KIND_WAIT, size_of::<Wait>(), back),
                out_ns,
                woken_ns: if random.u8(..6) == 0 { 0 } else { woken_ns },
                lock: if random.u8(..6) == 0 { 0xffff } else { 0 },
                lock_ns: random.u64(..2) * out_ns,
                lock_flags: random.u32(..64),
                flags: [0, 0, 0, WAIT_PREEMPTED, WAIT_IN_RECLAIM, random.u32(..16)]
                    [random.usize(..6)],
                stack: random.i32(-1..6),
                waker_stack: random.i32(-1..6),
                waker_tid: random.u32(..300),
                request: if random.bool() {
                    request
                } else {
                    RequestFacts::default()
                },
                ..Wait::default()
            })),
        }
        told += 1;
    }
    *now += random.u64(..2_000);
    let kinds = [libc::S_IFREG, libc::S_IFIFO, libc::S_IFSOCK, libc::S_IFBLK];
    facts.push(Fact::Ended(Ended {
        head: head(KIND_ENDED, size_of::<Ended>(), *now),
        requested: 4096,
        returned: [4096, 0, -4][random.usize(..3)],
        offset: random.i64(..1 << 30),
        file_size: 1 << 30,
        bio_bytes: [random.u64(..2) * 4096, 0, 0],
        bios: [random.u32(..2), 0, 0],
        facts: told,
        filled: random.u32(..3),
        filled_asked: random.u32(..2),
        mode: kinds[random.usize(..4)],
        file_flags: random.u32(..2) * libc::O_DIRECT as u32,
        call: random.u32(1..=CALL_FAULT),
        flags: random.u32(..8),
        comm: *b"reader\0\0\0\0\0\0\0\0\0\0",
        ..Ended::default()
    }));
}

fn shuffled(facts: &[u8], random: &mut Rng) -> Vec<u8> {
    let mut list: Vec<&[u8]> = records(facts).into_iter().map(|at| &facts[at]).collect();
    random.shuffle(&mut list);
    list.concat()
}

/// What a session here has is what rules look for.
#[test]
fn sessions_are_whole_and_meet_most_causes() {
    let mut causes = std::collections::BTreeSet::new();
    for seed in 0..200 {
        let bytes = session(&mut Rng::with_seed(seed));
        let facts: Vec<Fact> = records(&bytes)
            .into_iter()
            .map(|at| decode(&bytes[at]).unwrap())
            .collect();
        let report = reported(&facts);
        let scenario = &report.scenarios[0];
        assert_eq!(scenario.incomplete_calls, 0, "seed {seed}");
        let seen = scenario
            .blame_ns
            .iter()
            .filter(|(_, ns)| ns.unwrap_or(0) > 0);
        causes.extend(seen.map(|(cause, _)| cause));
    }
    assert!(causes.len() >= 10, "{causes:?}");
}

#[test]
fn facts_for_a_second() {
    for_a_second(&Facts);
}

#[test]
#[ignore = "long: a minute"]
fn facts_for_a_minute() {
    for_long(&Facts);
}
