//! Made-up reports: a machine without troubles, one command, and a machine with all
//! of them.

use std::collections::BTreeMap;

use profiler::blame::{Cause, Detail, IoKind, Outcome, Owner};
use profiler::correlate::Completeness;
use profiler::report::v1::{
    Hook, Host, OpRecord, OwnCost, Report, Residency, Scenario, Session, Tool, Workload,
};
use profiler::report::{Context, Names, Observed, Readings, Tally, assemble, quality, witness};
use profiler_common::fact::{KIND_ENDED, KIND_REQUEST, KIND_WAIT};
use profiler_common::histogram::{CLASS_BUFFERED, CLASS_END, CLASS_ERROR};

use crate::calls::{DATA, Fetch, Reader, VDA, on_vda, padded, quiet};

const PATH: &str = "/var/tmp/profiler.data";
const READS: u64 = 4096;
const BUFFERED: u32 = 1;
const DIRECT: u32 = 2;
const MAPPED: u32 = 3;
const METADATA: u32 = 4;

#[derive(Debug)]
struct Known;

impl Names for Known {
    fn frames(&self, stack: u32) -> Vec<String> {
        let frames: &[&str] = match stack {
            BUFFERED => &[
                "io_schedule",
                "folio_wait_bit_common",
                "filemap_get_pages",
                "filemap_read",
            ],
            DIRECT => &[
                "io_schedule_timeout",
                "blk_io_schedule",
                "__iomap_dio_rw",
                "iomap_dio_rw",
                "ext4_dio_read_iter",
                "ext4_file_read_iter",
                "vfs_read",
                "__x64_sys_read",
            ],
            MAPPED => &[
                "io_schedule",
                "folio_wait_bit_common",
                "filemap_fault",
                "__do_fault",
            ],
            METADATA => &["bit_wait_io", "ext4_read_bh", "__read_extent_tree_block"],
            _ => &[],
        };
        frames.iter().map(|frame| (*frame).to_owned()).collect()
    }

    fn path(&self, _: u32, _: u64, name: &[u8]) -> Option<String> {
        name.starts_with(DATA).then(|| PATH.to_owned())
    }
}

fn workload(style: &str, pattern: &str, state: &str) -> Workload {
    Workload {
        style: style.to_owned(),
        pattern: Some(pattern.to_owned()),
        block_size: Some(4096),
        threads: Some(1),
        path: Some(PATH.to_owned()),
        file_size: Some(256 << 20),
        filesystem: Some("ext4".to_owned()),
        device: Some("vda".to_owned()),
        read_ahead_kb: Some(8192),
        state: Some(state.to_owned()),
        reads: Some(READS),
        iostats: Some(true),
        scheduler: Some("mq-deadline".to_owned()),
        ..Workload::default()
    }
}

/// What honest witnesses say of this scenario.
fn witnessed(mut scenario: Scenario, before: u64) -> Scenario {
    let faults = scenario.outcomes.fault.calls;
    let io = scenario.io.clone().unwrap_or_default();
    let mut readings = Readings {
        residency: Some(Residency {
            resident_before: before,
            resident_after: before + scenario.readahead.pages_filled,
            pages: 65_536,
        }),
        ..Readings::default()
    };
    let latency = scenario.latency_ns.clone().unwrap_or_default();
    let count = if faults > 0 { READS } else { scenario.calls };
    readings.ops = Some(OpRecord {
        count,
        bytes: count * 4096,
        total_ns: scenario.duration_ns + count * 60,
        min_ns: latency.min + 55,
        p50_ns: latency.p50 + 58,
        p99_ns: latency.p99 + 61,
    });
    let (from, to) = (&mut readings.before, &mut readings.after);
    (from.syscr, to.syscr) = (Some(31), Some(31 + scenario.calls - faults));
    (from.rchar, to.rchar) = (Some(9_000), Some(9_000 + scenario.bytes));
    (from.read_bytes, to.read_bytes) = (Some(0), Some(io.bytes));
    (from.majflt, to.majflt) = (Some(2), Some(2 + faults));
    (from.disk_sectors, to.disk_sectors) = (Some(77), Some(77 + io.bytes / 512 + 16));
    let delay = scenario.blame_ns.runqueue + scenario.blame_ns.preempted;
    (from.run_delay_ns, to.run_delay_ns) = (Some(0), Some(delay + delay / 9));
    scenario.workload.witnessed = readings.residency;
    scenario.ops = readings.ops;
    scenario.witness = witness::compare(&scenario, &readings);
    if faults > 0 {
        let bytes = u128::from(count) * 4096 * 1_000_000_000;
        let wall_ns = u128::from(scenario.wall_ns.unwrap_or(1));
        scenario.throughput_bytes_per_s = u64::try_from(bytes / wall_ns).ok();
    }
    scenario
}

fn scenario(name: &str, workload: &Workload, tally: &Tally, hooks: &[Hook]) -> Scenario {
    let devices = BTreeMap::from([(VDA, "vda".to_owned())]);
    let nobody = Readings::default();
    let context = |wall_ns| Context {
        name,
        workload,
        wall_ns,
        names: &Known,
        devices: &devices,
        hooks,
        readings: &nobody,
    };
    let ns = tally.finish(&context(None)).duration_ns;
    tally.finish(&context(Some(ns + READS * 150)))
}

fn host(kernel: &str) -> Host {
    Host {
        kernel: kernel.to_owned(),
        machine: "x86_64".to_owned(),
        cpus: 2,
        page_size: 4096,
        devices: BTreeMap::from([("254:0".to_owned(), "vda".to_owned())]),
    }
}

fn session(command: &[&str], target: &str, hooks: Vec<Hook>) -> Session {
    Session {
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        started_at: "2026-01-02T03:04:05Z".to_owned(),
        duration_ns: 18_400_000_000,
        target: target.to_owned(),
        hooks,
    }
}

fn hook(name: &str, attached: bool, without_it: &str, hides: &[&str]) -> Hook {
    Hook {
        hook: name.to_owned(),
        attached,
        without_it: without_it.to_owned(),
        hides: hides.iter().map(|word| (*word).to_owned()).collect(),
    }
}

fn observed(scenarios: &[Scenario]) -> Observed {
    let mut observed = Observed::default();
    let waits: u64 = scenarios
        .iter()
        .flat_map(|s| &s.waits)
        .map(|wait| wait.count)
        .sum();
    let requests = scenarios
        .iter()
        .filter_map(|s| s.io.as_ref())
        .map(|io| io.requests)
        .sum();
    observed.counters.made[KIND_WAIT as usize] = waits / 3;
    observed.counters.made[KIND_REQUEST as usize] = requests;
    observed.counters.made[KIND_ENDED as usize] = waits / 3;
    observed.recursion_misses = Some(0);
    observed.own = OwnCost {
        bpf_ns: Some(12_345_678),
        cpu_ns: Some(84_000_000),
        max_rss_bytes: Some(25_270_000),
    };
    observed
}

/// `bench` with all its scenarios, where all is well.
pub fn bench() -> Report {
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
        scenarios.push(witnessed(scenario(name, &workload, &tally, &[]), before));
    };
    add(
        "warm",
        workload("buffered", "random", "warm"),
        65_536,
        &|tally| {
            quiet(tally, CLASS_BUFFERED, 65_535, 412, 4096);
            let preempted = [
                (Cause::Cpu, 300, Detail::None, None),
                (Cause::Preempted, 17_000, Detail::None, None),
                (Cause::Cpu, 900, Detail::None, None),
            ];
            let (call, verdict) = Reader::new().told(Outcome::Hit, &preempted);
            tally.call(&call, &verdict);
        },
    );
    add(
        "cold-random",
        workload("buffered", "random", "cold"),
        0,
        &|tally| {
            Reader::new().fetch(tally, READS, 1, miss);
        },
    );
    add(
        "readahead",
        workload("buffered", "sequential", "cold"),
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
                tally.call(&call, &verdict);
            }
        },
    );
    add(
        "no-readahead",
        workload("buffered", "sequential", "cold"),
        0,
        &|tally| {
            Reader::new().fetch(tally, READS, 1, miss);
        },
    );
    add(
        "direct-sequential",
        workload("direct", "sequential", "cold"),
        0,
        &|tally| {
            Reader::new().fetch(tally, READS, 1, direct);
        },
    );
    add(
        "direct-random",
        workload("direct", "random", "cold"),
        0,
        &|tally| {
            Reader::new().fetch(tally, READS, 1, direct);
        },
    );
    add(
        "mapped",
        workload("mapped", "sequential", "cold"),
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
pub fn run() -> Report {
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
        tally.call(&call, &verdict);
    }
    let workload = Workload {
        style: "command".to_owned(),
        ..Workload::default()
    };
    let name = "dd if=/var/tmp/profiler.data of=/dev/null bs=4k iflag=direct";
    let mut scenario = scenario(name, &workload, &tally, &[]);
    let mut readings = Readings::default();
    (readings.before.syscr, readings.after.syscr) = (Some(0), Some(scenario.calls));
    (readings.before.rchar, readings.after.rchar) = (Some(0), Some(scenario.bytes));
    scenario.witness = witness::compare(&scenario, &readings);
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

/// An old kernel, a ring that was too small, names that attack the terminal, and
/// witnesses that disagree.
pub fn troubled() -> Report {
    let hooks = vec![
        hook(
            "contention_begin",
            false,
            "waits for locks are unexplained",
            &["lock"],
        ),
        hook(
            "page_cache_sync_ra",
            false,
            "readahead windows are not counted",
            &["readahead"],
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
    tally.call(&call, &verdict);
    let (mut call, verdict) = reader.told(Outcome::Miss, &stretches);
    call.completeness = Completeness::Lost(2);
    call.ended.returned = -5;
    tally.call(&call, &verdict);

    let workload = Workload {
        style: "attach".to_owned(),
        ..Workload::default()
    };
    let mut scenario = scenario("pid 4242 (e\u{1b}]0;vil)", &workload, &tally, &hooks);
    let mut readings = Readings::default();
    (readings.before.syscr, readings.after.syscr) = (Some(0), Some(scenario.calls + 3));
    (readings.before.rchar, readings.after.rchar) = (Some(0), Some(scenario.bytes));
    scenario.witness = witness::compare(&scenario, &readings);
    let scenarios = vec![scenario];
    let mut observed = observed(&scenarios);
    observed.counters.lost[KIND_WAIT as usize] = 2;
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
