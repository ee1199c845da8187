//! Made-up reports: a machine without troubles, one command, and a machine with all
//! of them.

use profiler::blame::{Cause, Detail, IoKind, Outcome, Owner};
use profiler::correlate::Completeness;
use profiler::load::EntryKind;
use profiler::report::v1::{
    self, BpfUser, Hidden, HookMisses, MissedCalls, OwnCost, Report, Session, Tool, Workload,
};
use profiler::report::{Tally, assemble, quality};
use profiler::sink::Sink as _;
use profiler::workload::{Pattern, State, Style};
use profiler_common::fact::KIND_WAIT;
use profiler_common::histogram::{CLASS_BUFFERED, CLASS_END, CLASS_ERROR};

use crate::calls::{Fetch, Reader, on_vda, padded, quiet};
use crate::world::{
    BUFFERED, DIRECT, Known, MAPPED, METADATA, READS, counted_calls, honest, hook, host, observed,
    scenario, scenario_missing, session, workload,
};

/// All of them.
pub(crate) fn samples() -> [Report; 5] {
    [bench(), run(), troubled(), missed(), disturbed()]
}

/// `bench` with all its scenarios, where all is well.
pub(crate) fn bench() -> Report {
    let miss = Fetch {
        outcome: Outcome::Miss,
        stack: BUFFERED,
    };
    let direct = Fetch {
        outcome: Outcome::Direct,
        stack: DIRECT,
    };
    let mut scenarios = Vec::new();
    let mut add = |name: &str, workload: Workload, before: u64, fill: &dyn Fn(&mut Tally)| {
        let mut tally = Tally::default();
        fill(&mut tally);
        scenarios.push(scenario(name, &workload, &tally, &[], |bare| {
            honest(bare, before)
        }));
    };
    add(
        "warm",
        workload(Style::Buffered, Pattern::Random, State::Warm),
        65_536,
        &|tally| {
            quiet(tally, CLASS_BUFFERED, 65_535, 412, 4096);
            let preempted = [
                (Cause::Cpu, 300, Detail::None, None),
                (Cause::Preempted, 17_000, Detail::None, None),
                (Cause::Cpu, 900, Detail::None, None),
            ];
            let (call, verdict) = Reader::new().told(Outcome::Hit, &preempted);
            tally.ended(&call, &verdict, &Known);
        },
    );
    add(
        "cold-random",
        workload(Style::Buffered, Pattern::Random, State::Cold),
        0,
        &|tally| {
            Reader::seeded(1, 66_000).fetch(tally, READS, 1, miss);
        },
    );
    add(
        "readahead",
        workload(Style::Buffered, Pattern::Sequential, State::Cold),
        0,
        &|tally| {
            quiet(tally, CLASS_BUFFERED, READS - 60, 520, 4096);
            let mut reader = Reader::new();
            reader.fetch(tally, 8, 512, miss);
            for _ in 0..52 {
                let request = on_vda(IoKind::Readahead, Owner::Thread);
                let stretches = [
                    (Cause::Cpu, 800, Detail::None, None),
                    (Cause::Device, 31_000, request, Some(BUFFERED)),
                    (Cause::Runqueue, 2_200, Detail::None, None),
                    (Cause::Cpu, 700, Detail::None, None),
                ];
                let (call, verdict) = reader.told(Outcome::Late, &stretches);
                tally.ended(&call, &verdict, &Known);
            }
        },
    );
    add(
        "no-readahead",
        workload(Style::Buffered, Pattern::Sequential, State::Cold),
        0,
        &|tally| {
            Reader::seeded(3, 58_000).fetch(tally, READS, 1, miss);
        },
    );
    add(
        "direct-sequential",
        workload(Style::Direct, Pattern::Sequential, State::Cold),
        0,
        &|tally| {
            Reader::seeded(4, 51_000).fetch(tally, READS, 1, direct);
        },
    );
    add(
        "direct-random",
        workload(Style::Direct, Pattern::Random, State::Cold),
        0,
        &|tally| {
            Reader::seeded(5, 57_000).fetch(tally, READS, 1, direct);
        },
    );
    add(
        "mapped",
        workload(Style::Mapped, Pattern::Sequential, State::Cold),
        0,
        &|tally| {
            let fault = Fetch {
                outcome: Outcome::Fault,
                stack: MAPPED,
            };
            Reader::faults().fetch(tally, READS / 16, 16, fault);
        },
    );
    let observed = observed(&scenarios);
    let quality = quality(&observed, &scenarios, &[]);
    let target = "the bundled reader";
    let hooks = vec![hook("sys_enter", true, "everything", &[])];
    let session = session(&["profiler", "bench"], target, hooks);
    let tool = Tool {
        version: "0.1.0".to_owned(),
    };
    assemble(tool, host("6.18.5"), session, scenarios, quality)
}

/// `run` of one command, where somebody else reads the same file.
pub(crate) fn run() -> Report {
    let mut tally = Tally::default();
    let mut reader = Reader::new();
    reader.fetch(
        &mut tally,
        900,
        1,
        Fetch {
            outcome: Outcome::Direct,
            stack: DIRECT,
        },
    );
    quiet(&mut tally, CLASS_END, 3, 300, 0);
    let foreign = Owner::Foreign {
        pid: 4711,
        comm: padded(b"fio"),
    };
    let behind = on_vda(IoKind::Readahead, foreign);
    reader.name = b"config.toml".to_vec();
    for _ in 0..40 {
        let stretches = [
            (Cause::Cpu, 9_000, Detail::None, None),
            (Cause::Queue, 1_600_000, behind.clone(), Some(BUFFERED)),
            (Cause::Device, 610_000, behind.clone(), Some(BUFFERED)),
            (Cause::Runqueue, 80_000, Detail::None, None),
            (
                Cause::Device,
                71_000,
                on_vda(IoKind::Metadata, Owner::Call),
                Some(METADATA),
            ),
            (Cause::Cpu, 11_000, Detail::None, None),
        ];
        let (call, verdict) = reader.told(Outcome::Late, &stretches);
        tally.ended(&call, &verdict, &Known);
    }
    let workload = Workload {
        style: v1::Style::Command.into(),
        ..Workload::default()
    };
    let name = "dd if=/var/tmp/profiler.data of=/dev/null bs=4k iflag=direct";
    let scenario = scenario(name, &workload, &tally, &[], |bare| counted_calls(bare, 0));
    let scenarios = vec![scenario];
    let quality = quality(&observed(&scenarios), &scenarios, &[]);
    let session = session(&["profiler", "run", "--", "dd"], name, Vec::new());
    assemble(
        Tool {
            version: "0.1.0".to_owned(),
        },
        host("6.18.5"),
        session,
        scenarios,
        quality,
    )
}

/// `bench` on a kernel that skips probes.
pub(crate) fn missed() -> Report {
    let mut warm = Tally::default();
    quiet(&mut warm, CLASS_BUFFERED, 55_669, 412, 4096);
    let mut cold = Tally::default();
    let miss = Fetch {
        outcome: Outcome::Miss,
        stack: BUFFERED,
    };
    Reader::seeded(1, 66_000).fetch(&mut cold, 4_000, 1, miss);
    let of = |name, state, before, tally, missed| {
        let workload = workload(Style::Buffered, Pattern::Random, state);
        scenario_missing(name, &workload, tally, &[], missed, |bare| {
            honest(bare, before)
        })
    };
    let scenarios = vec![
        of(
            "warm",
            State::Warm,
            65_536,
            &warm,
            MissedCalls::of(12_010, 12_021, 300),
        ),
        of(
            "cold-random",
            State::Cold,
            0,
            &cold,
            MissedCalls::of(90, 0, 6),
        ),
    ];
    let mut observed = observed(&scenarios);
    observed.recursion_misses = Some(26_017);
    observed.recursion_misses_by_hook = vec![
        skipped("block_bio_queue", 12, "bios are not counted"),
        skipped("sys_enter", 12_995, "a call's begin is missed"),
        skipped("sys_exit", 13_010, "a call's end is missed"),
    ];
    let quality = quality(&observed, &scenarios, &[]);
    let session = Session {
        preemptible: Some(true),
        ..session(&["profiler", "bench"], "the bundled reader", Vec::new())
    };
    let tool = Tool {
        version: "0.1.0".to_owned(),
    };
    assemble(tool, host("7.3.4"), session, scenarios, quality)
}

/// `attach` beside programs that use BPF maps all the time, one of them with a name that
/// attacks the terminal.
pub(crate) fn disturbed() -> Report {
    let mut tally = Tally::default();
    quiet(&mut tally, CLASS_BUFFERED, 9_000, 412, 4096);
    let workload = Workload {
        style: v1::Style::Attached.into(),
        ..Workload::default()
    };
    let missed = MissedCalls::of(0, 0, 1_000);
    let scenario = scenario_missing("sqld", &workload, &tally, &[], missed, |bare| {
        counted_calls(bare, 1_000)
    });
    let scenarios = vec![scenario];
    let mut observed = observed(&scenarios);
    observed.recursion_misses = Some(1_000);
    let costs = "a call's begin or end is missed";
    observed.recursion_misses_by_hook = vec![skipped("kprobe.session", 1_000, costs)];
    observed.bpf_users = [(4711, "e\u{202e}vil\x07", 120_331), (4712, "bpftool", 12)]
        .map(|(pid, comm, map_calls)| BpfUser {
            pid,
            comm: comm.to_owned(),
            map_calls,
        })
        .into();
    let quality = quality(&observed, &scenarios, &[]);
    let command = ["profiler", "attach", "--pid", "4242"];
    let session = Session {
        entry: EntryKind::Session.into(),
        preemptible: Some(true),
        ..session(&command, "process 4242 (sqld)", Vec::new())
    };
    let tool = Tool {
        version: "0.1.0".to_owned(),
    };
    assemble(tool, host("7.3.4"), session, scenarios, quality)
}

fn skipped(hook: &str, misses: u64, costs: &str) -> HookMisses {
    HookMisses {
        hook: hook.to_owned(),
        misses,
        costs: costs.to_owned(),
    }
}

/// An old kernel, a ring that was too small, names that attack the terminal, and
/// witnesses that disagree.
pub(crate) fn troubled() -> Report {
    let hooks = vec![
        hook(
            "contention_begin",
            false,
            "waits for locks are unexplained",
            &[Hidden::Cause(Cause::Lock)],
        ),
        hook(
            "page_cache_sync_ra",
            false,
            "readahead windows are not counted",
            &[Hidden::Readahead],
        ),
    ];
    let mut tally = Tally::default();
    let mut reader = Reader::new();
    quiet(&mut tally, CLASS_ERROR, 7, 250, 0);
    reader.fetch(
        &mut tally,
        200,
        1,
        Fetch {
            outcome: Outcome::Miss,
            stack: BUFFERED,
        },
    );
    reader.name = b"\x1b[31mred\xff".to_vec();
    let evil = Owner::Process {
        tid: 666,
        comm: padded("e\u{202e}vil\x07".as_bytes()),
    };
    let stretches = [
        (Cause::Cpu, 20_000, Detail::None, None),
        (
            Cause::Throttle,
            208_000_000,
            on_vda(IoKind::Data, evil),
            Some(BUFFERED),
        ),
        (Cause::Unexplained, 15_000_000, Detail::None, Some(METADATA)),
        (Cause::Reclaim, 4_000_000, Detail::None, None),
        (Cause::Peer, 3_000_000, waker("pipe"), None),
        (Cause::Server, 2_000_000, server(), None),
    ];
    let (call, verdict) = reader.told(Outcome::Miss, &stretches);
    tally.ended(&call, &verdict, &Known);
    let (mut call, verdict) = reader.told(Outcome::Miss, &stretches);
    call.completeness = Completeness::Lost(2);
    call.ended.returned = -5;
    tally.ended(&call, &verdict, &Known);

    let workload = Workload {
        style: v1::Word::from_text("attach"),
        ..Workload::default()
    };
    let scenario = scenario(
        "pid 4242 (e\u{1b}]0;vil)",
        &workload,
        &tally,
        &hooks,
        |bare| counted_calls(bare, 3),
    );
    let scenarios = vec![scenario];
    let mut observed = observed(&scenarios);
    observed.counters.lost[KIND_WAIT as usize] = 2;
    observed.arrived[KIND_WAIT as usize] -= 2;
    observed.open_calls = 1;
    observed.own = OwnCost::default();
    observed.notes = vec!["replayed from a recording".to_owned()];
    let quality = quality(&observed, &scenarios, &hooks);
    let target = "pid 4242 (e\u{1b}]0;vil)";
    let session = session(&["profiler", "attach", "--pid", "4242"], target, hooks);
    assemble(
        Tool {
            version: "0.1.0".to_owned(),
        },
        host("6.1.0"),
        session,
        scenarios,
        quality,
    )
}

fn waker(through: &'static str) -> Detail {
    Detail::Waker {
        tid: 12,
        comm: padded(b"cat"),
        through,
    }
}

fn server() -> Detail {
    Detail::Server {
        name: "fuse",
        tid: 13,
        comm: padded(b"nbdfuse"),
    }
}
