//! Whatever the facts say, the verdict is a partition. Facts come from the kernel, but
//! also from recordings, which anybody may have written.

use std::ops::RangeInclusive;

use fastrand::Rng;
use profiler::{
    blame::{Stacks, blame},
    correlate::{Call, Completeness},
};
use profiler_common::fact::{Ended, Head, Reclaim, Request, RequestFacts, Wait};

use crate::table::{BEGIN, TID, assert_partition};

const ROUNDS: u64 = 30_000;

/// Times near each other, so that they meet and overlap, and absurd ones.
fn time(random: &mut Rng) -> u64 {
    match random.u8(..16) {
        0 => 0,
        1 => u64::MAX,
        2 => u64::MAX - random.u64(..100),
        3 => i64::MAX as u64 + random.u64(..3),
        4 => random.u64(..),
        _ => BEGIN + random.u64(..200) - 50,
    }
}

fn head(random: &mut Rng) -> Head {
    Head {
        kind: random.u32(..),
        size: random.u32(..),
        tid: TID + random.u32(..2),
        pid: random.u32(..3),
        at_ns: time(random),
        call_ns: time(random),
        op: if random.bool() { BEGIN } else { time(random) },
    }
}

fn request(random: &mut Rng) -> RequestFacts {
    RequestFacts {
        submitted_ns: time(random),
        issued_ns: time(random),
        completed_ns: time(random),
        sector: random.u64(..),
        owner_op: if random.bool() { BEGIN } else { time(random) },
        bytes: random.u32(..),
        dev: random.u32(..),
        owner_tid: random.u32(TID - 1..TID + 2),
        owner_pid: random.u32(..3),
        flags: flags(random, 0..=5),
        unused: random.u32(..),
        owner_comm: [random.u8(..); 16],
    }
}

/// Few bits, so that every one of them is often alone.
fn flags(random: &mut Rng, bits: RangeInclusive<u32>) -> u32 {
    let some = random.u32(..4);
    (0..some).fold(0, |flags, _| flags | 1 << random.u32(bits.clone()))
}

fn wait(random: &mut Rng) -> Wait {
    Wait {
        head: head(random),
        out_ns: time(random),
        woken_ns: if random.bool() { 0 } else { time(random) },
        lock: if random.u8(..4) == 0 {
            random.u64(..)
        } else {
            0
        },
        lock_ns: time(random),
        lock_flags: random.u32(..),
        state: random.u32(..),
        flags: flags(random, 0..=4),
        stack: random.i32(-2..6),
        waker_stack: random.i32(-2..6),
        waker_tid: random.u32(..),
        waker_pid: random.u32(..),
        unused: random.u32(..),
        waker_comm: [random.u8(..); 16],
        request: if random.bool() {
            request(random)
        } else {
            RequestFacts::default()
        },
    }
}

fn call(random: &mut Rng) -> Call {
    let some = |random: &mut Rng| 0..random.u8(..6);
    let modes = [
        0,
        libc::S_IFREG,
        libc::S_IFBLK,
        libc::S_IFIFO,
        libc::S_IFCHR,
        libc::S_IFSOCK,
    ];
    let magics = [0, 0xef53, 0x6969, 0x6573_5546];
    let mut ended = Ended {
        head: head(random),
        requested: time(random),
        returned: random.i64(..),
        offset: random.i64(..),
        inode: random.u64(..2),
        facts: random.u32(..),
        filled_asked: random.u32(..2),
        bios: [random.u32(..2), random.u32(..2), u32::MAX],
        magic: magics[random.usize(..magics.len())],
        mode: modes[random.usize(..modes.len())] | 0o644,
        file_flags: random.u32(..),
        call: random.u32(..8),
        flags: flags(random, 0..=3),
        ..Ended::default()
    };
    if random.bool() {
        ended.head.call_ns = BEGIN;
    }
    Call {
        ended,
        waits: some(random).map(|_| wait(random)).collect(),
        reclaims: some(random)
            .map(|_| Reclaim {
                head: head(random),
                begin_ns: time(random),
                pages: random.u64(..),
            })
            .collect(),
        requests: some(random)
            .map(|_| Request {
                head: head(random),
                request: request(random),
            })
            .collect(),
        completeness: Completeness::Complete,
    }
}

/// Stacks of functions that rules look for.
struct Loaded([Vec<String>; 5]);

impl Loaded {
    fn new() -> Self {
        Self(
            [
                "io_schedule,folio_wait_bit_common,filemap_read",
                "folio_unlock",
                "blk_mq_get_tag",
                "request_wait_answer",
                ",.,..cold",
            ]
            .map(|frames| frames.split(',').map(String::from).collect()),
        )
    }
}

impl Stacks for Loaded {
    fn frames(&self, id: u32) -> Option<&[String]> {
        self.0.get(id as usize).map(Vec::as_slice)
    }
}

#[test]
fn any_facts_make_a_partition() {
    let stacks = Loaded::new();
    let mut long = 0;
    for seed in 0..ROUNDS {
        let call = call(&mut Rng::with_seed(seed));
        let verdict = std::panic::catch_unwind(|| blame(&call, &stacks));
        let verdict = verdict.unwrap_or_else(|_| panic!("seed {seed}: {call:?}"));
        assert_partition(&call, &verdict);
        long += u64::from(verdict.spans.len() > 2);
    }
    // The facts do meet: else nothing was tried.
    assert!(long > ROUNDS / 10, "{long} of {ROUNDS} calls have a story");
}
