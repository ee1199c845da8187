//! The made-up machine: its names, its hooks, and what its witnesses say.

use profiler::blame::Cause;
use profiler::load::EntryKind;
use profiler::report::v1::Hidden;
use profiler::report::v1::Style;
use profiler::workload;
use profiler::workload::Pattern;
use profiler::workload::State;
use std::collections::BTreeMap;

use profiler::report::v1::{
    Hook, Host, MissedCalls, OpRecord, OwnCost, Residency, Scenario, Session, Workload,
};
use profiler::report::witness::Counts;
use profiler::report::{Context, Observed, Readings, Tally};
use profiler::sink::Names;
use profiler_common::fact::{KIND_ENDED, KIND_REQUEST, KIND_WAIT};

use crate::calls::{DATA, VDA};

pub(crate) const PATH: &str = "/var/tmp/profiler.data";
pub(crate) const READS: u64 = 4096;
pub(crate) const BUFFERED: u32 = 1;
pub(crate) const DIRECT: u32 = 2;
pub(crate) const MAPPED: u32 = 3;
pub(crate) const METADATA: u32 = 4;

#[derive(Debug)]
pub(crate) struct Known;

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

    fn path(&self, _: u32, _: u64, name: &[u8; 32]) -> Option<String> {
        name.starts_with(DATA).then(|| PATH.to_owned())
    }
}

pub(crate) fn workload(style: workload::Style, pattern: Pattern, state: State) -> Workload {
    Workload {
        style: Style::Reader(style).into(),
        pattern: Some(pattern.into()),
        block_size: Some(4096),
        threads: Some(1),
        path: Some(PATH.to_owned()),
        file_size: Some(256 << 20),
        filesystem: Some("ext4".to_owned()),
        device: Some("vda".to_owned()),
        read_ahead_kb: Some(8192),
        state: Some(state.into()),
        reads: Some(READS),
        iostats: Some(true),
        scheduler: Some("mq-deadline".to_owned()),
        ..Workload::default()
    }
}

/// What honest witnesses say of this scenario.
pub(crate) fn honest(scenario: &Scenario, before: u64) -> Readings {
    let faults = scenario.outcomes.fault.calls;
    let io = scenario.io.clone().unwrap_or_default();
    let latency = scenario.latency_ns.clone().unwrap_or_default();
    let delay =
        scenario.blame_ns.or_zero(Cause::Runqueue) + scenario.blame_ns.or_zero(Cause::Preempted);
    let count = if faults > 0 {
        READS
    } else {
        scenario.calls_made()
    };
    let missed = scenario.missed_calls.total;
    let calls = scenario.calls_made() - faults;
    let bytes = scenario.bytes + missed * 4096;
    let counts = |add: u64| Counts {
        syscr: Some(31 + add * calls),
        rchar: Some(9_000 + add * bytes),
        read_bytes: Some(add * io.bytes),
        majflt: Some(2 + add * faults),
        disk_sectors: Some(77 + add * (io.bytes / 512 + 16)),
        run_delay_ns: Some(add * (delay - delay / 9)),
        nvcsw: Some(40 + add * (scenario.switches.asleep + 3)),
        nivcsw: Some(5 + add * scenario.switches.preempted),
        ..Counts::default()
    };
    Readings {
        before: counts(0),
        after: counts(1),
        ops: Some(OpRecord {
            count,
            bytes: count * 4096,
            total_ns: scenario.duration_ns + count * 60,
            min_ns: latency.min + 55,
            p50_ns: latency.p50 + 58,
            p99_ns: latency.p99 + 61,
        }),
        residency: Some(Residency {
            resident_before: before,
            resident_after: before + scenario.readahead.pages_filled,
            pages: 65_536,
            evicted: Some(0),
        }),
        pages_used: None,
        elapsed_ns: scenario.wall_ns,
    }
}

/// The scenario of a tally, with witnesses that are made up from its numbers.
pub(crate) fn scenario(
    name: &str,
    workload: &Workload,
    tally: &Tally,
    hooks: &[Hook],
    readings: impl Fn(&Scenario) -> Readings,
) -> Scenario {
    let missed = MissedCalls::default();
    scenario_missing(name, workload, tally, hooks, missed, readings)
}

/// The same, of whose calls some were missed.
pub(crate) fn scenario_missing(
    name: &str,
    workload: &Workload,
    tally: &Tally,
    hooks: &[Hook],
    missed: MissedCalls,
    readings: impl Fn(&Scenario) -> Readings,
) -> Scenario {
    let devices = BTreeMap::from([(VDA, "vda".to_owned())]);
    let nobody = Readings::default();
    let context = Context {
        name,
        workload,
        wall_ns: None,
        missed,
        names: &Known,
        devices: &devices,
        hooks,
        readings: &nobody,
    };
    let bare = tally.finish(&context);
    let readings = readings(&bare);
    let wall_ns = Some(bare.duration_ns + READS * 150);
    tally.finish(&Context {
        wall_ns,
        readings: &readings,
        ..context
    })
}

pub(crate) fn host(kernel: &str) -> Host {
    Host {
        kernel: kernel.to_owned(),
        machine: "x86_64".to_owned(),
        cpus: 2,
        page_size: 4096,
        devices: BTreeMap::from([("254:0".to_owned(), "vda".to_owned())]),
    }
}

pub(crate) fn session(command: &[&str], target: &str, hooks: Vec<Hook>) -> Session {
    Session {
        command: command.iter().map(|word| (*word).to_owned()).collect(),
        started_at: "2026-01-02T03:04:05Z".to_owned(),
        duration_ns: 18_400_000_000,
        target: target.to_owned(),
        entry: EntryKind::TpBtf.into(),
        preemptible: Some(false),
        hooks,
    }
}

pub(crate) fn hook(name: &str, attached: bool, without_it: &str, hides: &[Hidden]) -> Hook {
    Hook {
        hook: name.to_owned(),
        attached,
        without_it: without_it.to_owned(),
        hides: hides.iter().map(|hidden| (*hidden).into()).collect(),
        reason: (!attached).then(|| format!("this kernel has no tracepoint {name}")),
    }
}

pub(crate) fn observed(scenarios: &[Scenario]) -> Observed {
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
    observed.arrived = observed.counters.made;
    observed.recursion_misses = Some(0);
    observed.own = OwnCost {
        bpf_ns: Some(12_345_678),
        cpu_ns: Some(84_000_000),
        max_rss_bytes: Some(25_270_000),
    };
    observed
}

/// What `/proc/PID/io` says, which may have seen more calls than we have.
pub(crate) fn counted_calls(scenario: &Scenario, more: u64) -> Readings {
    let zero = Some(0);
    let before = Counts {
        syscr: zero,
        rchar: zero,
        ..Counts::default()
    };
    let syscr = Some(scenario.calls + more);
    let after = Counts {
        syscr,
        rchar: Some(scenario.bytes),
        ..Counts::default()
    };
    Readings {
        before,
        after,
        ..Readings::default()
    }
}
