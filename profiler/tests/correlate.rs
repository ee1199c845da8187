//! The correlator against any order and any loss of facts.

#![allow(
    clippy::unwrap_used,
    reason = "all of it is tests, also what is no #[test] itself"
)]

use std::collections::BTreeMap;

use fastrand::Rng;
use profiler::{
    correlate::{Came, Completeness, Correlator, MAX_FACTS, MAX_FACTS_PER_CALL, MAX_LANES},
    ring::Fact,
};
use profiler_common::fact::{self, Ended, Head, Reclaim, Request, RequestFacts, Wait};

fn head(tid: u32, call_ns: u64, at_ns: u64) -> Head {
    Head {
        tid,
        pid: 1,
        call_ns,
        at_ns,
        op: fact::stay(tid, call_ns),
        ..Head::default()
    }
}

fn wait(tid: u32, call_ns: u64, at_ns: u64) -> Fact {
    Fact::Wait(Wait {
        head: head(tid, call_ns, at_ns),
        out_ns: at_ns,
        ..Wait::default()
    })
}

fn reclaim(tid: u32, call_ns: u64, at_ns: u64) -> Fact {
    Fact::Reclaim(Reclaim {
        head: head(tid, call_ns, at_ns),
        ..Reclaim::default()
    })
}

fn request(tid: u32, call_ns: u64, at_ns: u64) -> Fact {
    Fact::Request(Request {
        head: head(tid, call_ns, at_ns),
        ..Request::default()
    })
}

fn ended(tid: u32, call_ns: u64, at_ns: u64, facts: u32) -> Fact {
    Fact::Ended(Ended {
        head: head(tid, call_ns, at_ns),
        facts,
        ..Ended::default()
    })
}

/// What became of a call on its way.
#[derive(Debug, Default)]
struct Fate {
    waits: usize,
    reclaims: usize,
    lost: u32,
    end_lost: bool,
    open: bool,
}

/// Facts of some threads, each thread's in order, with some lost on the way; what should
/// be made of them by thread and beginning.
fn story(random: &mut Rng) -> (Vec<Fact>, BTreeMap<(u32, u64), Fate>) {
    let mut threads = Vec::new();
    let mut fates = BTreeMap::new();
    let loss = [0, 0, 3, 20][random.usize(..4)];
    for tid in 1..=random.u32(1..6) {
        let mut facts = Vec::new();
        let mut now = 10;
        let calls = random.u8(0..8);
        for n in 0..calls {
            now += random.u64(1..50);
            let begin = now;
            let mut fate = Fate::default();
            let mut made = 0;
            for _ in 0..random.u8(..5) {
                now += random.u64(1..20);
                let lost = random.u8(..100) < loss;
                match random.u8(..3) {
                    0 if !lost => facts.push(request(tid, begin, now)),
                    0 => {}
                    1 => {
                        made += 1;
                        fate.lost += u32::from(lost);
                        if !lost {
                            fate.reclaims += 1;
                            facts.push(reclaim(tid, begin, now));
                        }
                    }
                    _ => {
                        made += 1;
                        fate.lost += u32::from(lost);
                        if !lost {
                            fate.waits += 1;
                            facts.push(wait(tid, begin, now));
                        }
                    }
                }
            }
            now += random.u64(1..20);
            fate.open = n + 1 == calls && random.bool();
            fate.end_lost = !fate.open && random.u8(..100) < loss;
            if !fate.open && !fate.end_lost {
                facts.push(ended(tid, begin, now, made));
            }
            fates.insert((tid, begin), fate);
        }
        threads.push(facts.into_iter());
    }
    // One stream, in which every thread's facts keep their order.
    let mut all = Vec::new();
    while !threads.is_empty() {
        let n = random.usize(..threads.len());
        match threads[n].next() {
            Some(fact) => all.push(fact),
            None => drop(threads.swap_remove(n)),
        }
    }
    (all, fates)
}

#[test]
fn every_end_gives_its_call_with_what_arrived_and_says_what_did_not() {
    let (mut complete, mut incomplete, mut open) = (0, 0, 0);
    for seed in 0..5_000 {
        let (facts, mut fates) = story(&mut Rng::with_seed(seed));
        let mut correlator = Correlator::default();
        for fact in facts {
            let Some(call) = correlator.fact(fact).call() else {
                continue;
            };
            let key = (call.ended.head.tid, call.ended.head.call_ns);
            let fate = fates.remove(&key).unwrap();
            assert!(
                !fate.end_lost && !fate.open,
                "seed {seed}: {key:?} has no end"
            );
            assert_eq!(call.waits.len(), fate.waits, "seed {seed}: {key:?}");
            assert_eq!(call.reclaims.len(), fate.reclaims, "seed {seed}: {key:?}");
            for wait in &call.waits {
                assert_eq!((wait.head.tid, wait.head.call_ns), key, "seed {seed}");
            }
            for request in &call.requests {
                assert_eq!((request.head.tid, request.head.call_ns), key, "seed {seed}");
            }
            if fate.lost == 0 {
                complete += 1;
                assert!(call.is_complete(), "seed {seed}: {key:?}");
            } else {
                incomplete += 1;
                let lost = Completeness::Lost(fate.lost);
                assert_eq!(call.completeness, lost, "seed {seed}: {key:?}");
            }
        }
        // What is left had no end; where it had waits, that is known.
        assert!(fates.values().all(|fate| fate.end_lost || fate.open));
        let told = fates.values().filter(|fate| fate.waits > 0).count() as u64;
        let orphans = correlator.orphans();
        let left = correlator.finish();
        assert_eq!(orphans + left.len() as u64, told, "seed {seed}");
        for call in &left {
            let fate = &fates[&(call.tid, call.call_ns)];
            assert_eq!(call.facts, fate.waits + fate.reclaims, "seed {seed}");
            open += 1;
        }
    }
    // The stories have everything in them that is asserted about.
    assert!(complete > 1_000 && incomplete > 1_000 && open > 1_000);
}

#[test]
fn no_order_of_facts_is_too_absurd() {
    for seed in 0..5_000 {
        let mut random = Rng::with_seed(seed);
        let mut correlator = Correlator::default();
        let (mut taken, mut given) = (0, 0);
        for _ in 0..random.u8(..200) {
            let time = |random: &mut Rng| match random.u8(..8) {
                0 => 0,
                1 => u64::MAX,
                _ => random.u64(..6),
            };
            let (tid, begin, at) = (random.u32(..3), time(&mut random), time(&mut random));
            let fact = match random.u8(..4) {
                0 => wait(tid, begin, at),
                1 => reclaim(tid, begin, at),
                2 => request(tid, begin, at),
                _ => ended(tid, begin, at, [0, 1, 2, u32::MAX][random.usize(..4)]),
            };
            let ends = matches!(fact, Fact::Ended(_));
            taken += 1;
            let odd = correlator.odd();
            let call = correlator.fact(fact).call();
            assert_eq!(call.is_some(), ends, "seed {seed}");
            if let Some(call) = call {
                let arrived = (call.waits.len() + call.reclaims.len()) as u32;
                let possible = correlator.odd() == odd;
                assert_eq!(call.is_complete(), possible && arrived == call.ended.facts);
                given += 1 + call.waits.len() + call.reclaims.len() + call.requests.len();
            }
            assert!(given + correlator.kept() <= taken, "seed {seed}");
        }
    }
}

/// A thread whose end is lost would stay for ever; new ids come as long as the session
/// lasts.
#[test]
fn threads_that_never_end_are_bounded() {
    let mut correlator = Correlator::default();
    let threads = MAX_LANES as u32 * 3;
    for tid in 0..threads {
        correlator.fact(wait(tid, 10, 10 + u64::from(tid)));
        assert!(correlator.lanes() <= MAX_LANES && correlator.kept() <= MAX_LANES);
    }
    // Those heard of last are the ones that are kept, and no one goes uncounted.
    let call = correlator.fact(ended(threads - 1, 10, 10 + u64::from(threads), 1));
    assert!(call.call().unwrap().is_complete());
    let orphans = correlator.orphans();
    let left = correlator.finish().len() as u64;
    assert_eq!(orphans + left + 1, u64::from(threads));
    // The same with requests, which open calls too, and with equal times.
    let mut correlator = Correlator::default();
    for tid in 0..threads {
        correlator.fact(request(tid, 10, 20));
        assert!(correlator.lanes() <= MAX_LANES && correlator.kept() <= MAX_LANES);
    }
}

/// What is forgotten makes room: a thread that loses every end keeps one call's facts.
#[test]
fn facts_of_lost_ends_are_given_back() {
    let mut correlator = Correlator::default();
    for call in 1..1_000 {
        correlator.fact(wait(1, call * 10, call * 10 + 1));
        correlator.fact(request(1, call * 10, call * 10 + 2));
        assert_eq!(correlator.kept(), 2);
    }
    assert_eq!(correlator.orphans(), 998);
}

#[test]
fn facts_of_calls_that_never_end_are_bounded() {
    let mut correlator = Correlator::default();
    let threads = (MAX_FACTS / MAX_FACTS_PER_CALL) as u32 + 2;
    for tid in 0..threads {
        for n in 0..MAX_FACTS_PER_CALL as u64 {
            correlator.fact(reclaim(tid, 10, 20 + n));
        }
        assert!(correlator.kept() <= MAX_FACTS);
    }
    assert_eq!(correlator.kept(), MAX_FACTS);
    // Whoever got no room is incomplete, not silently short; an end makes room.
    let facts = MAX_FACTS_PER_CALL as u32;
    let last = correlator
        .fact(ended(threads - 1, 10, 1 << 40, facts))
        .call()
        .unwrap();
    assert_eq!(last.completeness, Completeness::Lost(facts));
    let first = correlator
        .fact(ended(0, 10, 1 << 40, facts))
        .call()
        .unwrap();
    assert!(first.is_complete());
    correlator.fact(wait(0, 1 << 41, 1 << 42));
    assert_eq!(correlator.kept(), MAX_FACTS - MAX_FACTS_PER_CALL + 1);
}

/// A wait of thread 1 in the call that began at 100.
fn stay(out_ns: u64, woken_ns: u64, at_ns: u64) -> Wait {
    Wait {
        head: head(1, 100, at_ns),
        out_ns,
        woken_ns,
        ..Wait::default()
    }
}

fn finished(submitted_ns: u64, issued_ns: u64, completed_ns: u64) -> RequestFacts {
    RequestFacts {
        submitted_ns,
        issued_ns,
        completed_ns,
        ..RequestFacts::default()
    }
}

/// Clocks that run backwards, stand still, or overflow: what cannot have been is left
/// out and counted, and its call is marked.
#[test]
fn times_that_cannot_be_mark_their_call() {
    const MAX: u64 = u64::MAX;
    let reclaim = |begin_ns, at_ns| {
        Fact::Reclaim(Reclaim {
            head: head(1, 100, at_ns),
            begin_ns,
            ..Reclaim::default()
        })
    };
    let woken_by = |request| {
        Fact::Wait(Wait {
            request,
            ..stay(110, 150, 160)
        })
    };
    let odd = [
        ("ends before it begins", Fact::Wait(stay(120, 0, 110))),
        ("begins at no time", Fact::Wait(stay(0, 0, 110))),
        ("begins before its call", Fact::Wait(stay(99, 0, 110))),
        ("woken before it slept", Fact::Wait(stay(120, 110, 130))),
        ("woken after it was back", Fact::Wait(stay(120, 140, 130))),
        ("woken at the end of time", Fact::Wait(stay(120, MAX, 130))),
        ("slept at the end of time", Fact::Wait(stay(MAX, 0, 130))),
        ("back before its call", Fact::Wait(stay(10, 20, 30))),
        ("frees before it begins", reclaim(120, 110)),
        (
            "completes before it is issued",
            woken_by(finished(110, 130, 120)),
        ),
        (
            "is issued before it is submitted",
            woken_by(finished(120, 110, 130)),
        ),
        (
            "completes before it is submitted",
            woken_by(finished(120, 0, 110)),
        ),
        (
            "is submitted at the end of time",
            woken_by(finished(MAX, 120, 130)),
        ),
    ];
    for (what, fact) in odd {
        let mut correlator = Correlator::default();
        assert!(matches!(correlator.fact(fact), Came::LeftOut), "{what}");
        let call = correlator.fact(ended(1, 100, 200, 1)).call().unwrap();
        assert_eq!(call.completeness, Completeness::Lost(1), "{what}");
        assert_eq!((correlator.odd(), call.ns()), (1, 100), "{what}");
        // The next call has nothing to do with it.
        assert!(
            correlator
                .fact(ended(1, 300, 310, 0))
                .call()
                .unwrap()
                .is_complete()
        );
    }
}

#[test]
fn an_end_that_cannot_be_marks_its_call() {
    for (what, end_ns) in [
        ("before the beginning", 90),
        ("in the middle of a wait", 150),
    ] {
        let mut correlator = Correlator::default();
        correlator.fact(Fact::Wait(stay(110, 150, 160)));
        let call = correlator.fact(ended(1, 100, end_ns, 1)).call().unwrap();
        assert_eq!(call.completeness, Completeness::Odd, "{what}");
        assert_eq!(correlator.odd(), 1, "{what}");
    }
    // One that begins in the future ends before it begins.
    let mut correlator = Correlator::default();
    let call = correlator.fact(ended(1, u64::MAX, 200, 0)).call().unwrap();
    assert_eq!((call.ns(), call.is_complete()), (0, false));
}

#[test]
fn waits_that_overlap_cannot_both_have_been() {
    let mut correlator = Correlator::default();
    correlator.fact(Fact::Wait(stay(110, 0, 150)));
    correlator.fact(Fact::Wait(stay(149, 0, 160)));
    correlator.fact(Fact::Wait(stay(120, 0, 130)));
    assert_eq!((correlator.odd(), correlator.kept()), (2, 1));
    let call = correlator.fact(ended(1, 100, 200, 3)).call().unwrap();
    assert_eq!(call.completeness, Completeness::Lost(2));
}

/// A clock that stands still is no contradiction.
#[test]
fn equal_times_are_possible() {
    for time in [100, u64::MAX] {
        let mut correlator = Correlator::default();
        for _ in 0..3 {
            correlator.fact(Fact::Wait(Wait {
                head: head(1, time, time),
                request: finished(time, time, time),
                ..stay(time, time, time)
            }));
            correlator.fact(reclaim(1, time, time));
        }
        let call = correlator.fact(ended(1, time, time, 6)).call().unwrap();
        assert_eq!((correlator.odd(), call.ns()), (0, 0));
        assert!(call.is_complete());
    }
}

/// A request that cannot have been is in no sum; no call depends on it.
#[test]
fn an_odd_request_is_left_out() {
    let of = |call_ns, request: RequestFacts| {
        Fact::Request(Request {
            head: head(1, call_ns, request.completed_ns),
            request,
        })
    };
    let mut correlator = Correlator::default();
    let left_out = |came| matches!(came, Came::LeftOut);
    assert!(left_out(correlator.fact(of(100, finished(120, 110, 130)))));
    assert!(left_out(correlator.fact(of(500, finished(0, 0, 130)))));
    assert_eq!(correlator.odd(), 2);
    let call = correlator.fact(ended(1, 100, 200, 0)).call().unwrap();
    assert!(call.requests.is_empty() && call.is_complete());
    // After the call as in it.
    assert!(left_out(correlator.fact(of(100, finished(120, 110, 130)))));
    assert_eq!(correlator.odd(), 3);
}
