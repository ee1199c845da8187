//! What independent counters say of the same calls.
//!
//! A rule is exact where both sides must count the same, and one-sided where the
//! other side also counts what is not watched. A witness that disagrees is shown as
//! it is.

use serde::{Deserialize, Serialize};

use super::sums::sum;
use super::v1::{self, OpRecord, Relation, Residency, Scenario, Unit, Witness};

/// What others counted while a scenario ran; `None` where nobody did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readings {
    /// Counters before the first op.
    pub before: Counts,
    /// The same counters after the last op.
    pub after: Counts,
    /// The workload's own record of its ops.
    pub ops: Option<OpRecord>,
    /// Pages of the file in the page cache, before and after.
    pub residency: Option<Residency>,
    /// Different pages that the ops touched.
    pub pages_used: Option<u64>,
    /// Time between the two, in nanoseconds.
    #[serde(default)]
    pub elapsed_ns: Option<u64>,
}

/// Counters that only grow, of the watched process and its disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Major faults (`/proc/PID/stat`).
    pub majflt: Option<u64>,
    /// Read calls (`/proc/PID/io`).
    pub syscr: Option<u64>,
    /// Bytes that read calls returned (`/proc/PID/io`).
    pub rchar: Option<u64>,
    /// Bytes asked of block devices (`/proc/PID/io`).
    pub read_bytes: Option<u64>,
    /// Time runnable and not running, in nanoseconds (`/proc/PID/schedstat`).
    pub run_delay_ns: Option<u64>,
    /// Reads that the disk completed (`/sys/block/*/stat`).
    pub disk_reads: Option<u64>,
    /// Sectors of 512 bytes that it read (`/sys/block/*/stat`).
    pub disk_sectors: Option<u64>,
    /// Pages of files that were fetched again after they had been reclaimed, on the whole
    /// machine (`/proc/vmstat`).
    #[serde(default)]
    pub refaults: Option<u64>,
    /// Read requests that the kernel side counted for watched processes.
    pub requests: Option<u64>,
}

/// Room for quantiles: the histograms of both sides round.
const QUANTILE_ROOM: f64 = 1.02;

impl Readings {
    fn grown(&self, counter: impl Fn(&Counts) -> Option<u64>) -> Option<u64> {
        Some(counter(&self.after)?.saturating_sub(counter(&self.before)?))
    }
}

/// Compares a scenario with what others counted. One line for each witness there is.
pub fn compare(scenario: &Scenario, readings: &Readings) -> Vec<Witness> {
    let mut witnesses = Vec::new();
    ops(scenario, readings, &mut witnesses);
    process(scenario, readings, &mut witnesses);
    disk(scenario, readings, &mut witnesses);
    page_cache(scenario, readings, &mut witnesses);
    witnesses
}

/// Whether each op of the workload is exactly one read call.
fn an_op_is_a_call(scenario: &Scenario) -> bool {
    matches!(scenario.workload.style.as_str(), "buffered" | "direct")
}

/// Whether it is a program that reads in ways that are not calls of the read family.
fn is_any_program(scenario: &Scenario) -> bool {
    matches!(scenario.workload.style.as_str(), "command" | "attached")
}

fn ops(scenario: &Scenario, readings: &Readings, out: &mut Vec<Witness>) {
    let Some(ops) = readings.ops else { return };
    let ours_ns = sum([scenario.duration_ns, scenario.incomplete_ns]);
    if an_op_is_a_call(scenario) {
        let note = "calls seen, and ops that the workload recorded: each op is one call";
        out.push(equal("ops", Unit::Count, scenario.calls, ops.count, note));
        let note = "bytes that calls returned, and bytes that the workload got";
        out.push(equal(
            "op-bytes",
            Unit::Bytes,
            scenario.bytes,
            ops.bytes,
            note,
        ));
    }
    let note = "time in all calls, and in all ops: a call lies within its op";
    out.push(at_most("latency", Unit::Ns, ours_ns, ops.total_ns, 0, note));
    if an_op_is_a_call(scenario)
        && let Some(latency) = &scenario.latency_ns
    {
        let note = "a call lies within its op; 2% of room, since histograms round";
        for (name, ours, theirs) in [
            ("latency-p50", latency.p50, ops.p50_ns),
            ("latency-p99", latency.p99, ops.p99_ns),
        ] {
            let room = (theirs as f64 * (QUANTILE_ROOM - 1.0)) as u64;
            out.push(at_most(name, Unit::Ns, ours, theirs, room, note));
        }
    }
}

fn process(scenario: &Scenario, readings: &Readings, out: &mut Vec<Witness>) {
    let faults = scenario.outcomes.fault.calls;
    if let Some(theirs) = readings.grown(|counts| counts.syscr) {
        let ours = scenario.calls - faults.min(scenario.calls);
        let errors = scenario.outcomes.error.calls;
        if is_any_program(scenario) {
            let note = "read calls, and syscr of /proc/PID/io, which may leave out calls that \
                        fail, and also counts sendfile, copy_file_range, and calls that were going \
                        on when watching began or ended";
            let witness = at_most("syscr", Unit::Count, ours, theirs, errors, note);
            out.push(witness);
        } else {
            out.push(Witness {
                // A call that fails before it reaches a file (EBADF) is not counted there.
                agrees: (ours - errors.min(ours)..=ours).contains(&theirs),
                ..equal(
                    "syscr",
                    Unit::Count,
                    ours,
                    theirs,
                    "read calls, and syscr of /proc/PID/io, which may leave out calls that fail",
                )
            });
        }
    }
    if let Some(theirs) = readings.grown(|counts| counts.rchar) {
        let note = "bytes that calls returned, and rchar of /proc/PID/io";
        out.push(if is_any_program(scenario) {
            at_most("rchar", Unit::Bytes, scenario.bytes, theirs, 0, note)
        } else {
            equal("rchar", Unit::Bytes, scenario.bytes, theirs, note)
        });
    }
    if let (Some(theirs), Some(io)) = (readings.grown(|counts| counts.read_bytes), &scenario.io) {
        let note = "bytes of requests that calls submitted, and read_bytes of /proc/PID/io, \
                    which also counts requests outside of read calls";
        out.push(at_most(
            "read_bytes",
            Unit::Bytes,
            io.bytes,
            theirs,
            0,
            note,
        ));
    }
    // Any program may also fault inside a read, which is then a part of that call.
    if let Some(theirs) = readings.grown(|counts| counts.majflt)
        && !is_any_program(scenario)
        && (scenario.faults != v1::Faults::default() || scenario.workload.style == "mapped")
    {
        let v1::Faults { fetched, joined } = scenario.faults;
        let note = "faults that fetched their page, and major faults of /proc/PID/stat, which may also \
                    count faults that waited for a page on its way: always before Linux 6.4, and \
                    since then where a mapping could not be locked by itself";
        out.push(Witness {
            // Since 6.4 a fault first runs under the lock of its mapping alone, and is begun
            // anew when it had to wait. The second run counts as major only if the first
            // said that it fetched (FAULT_FLAG_TRIED, set for VM_FAULT_MAJOR only, in the
            // architecture's handler; mm_account_fault in mm/memory.c).
            agrees: (fetched..=fetched.saturating_add(joined)).contains(&theirs),
            ..equal("majflt", Unit::Count, fetched, theirs, note)
        });
    }
    if let Some(theirs) = readings.grown(|counts| counts.run_delay_ns)
        && let Some(outside) = outside_ns(scenario, readings)
    {
        let ours = sum([scenario.blame_ns.preempted, scenario.blame_ns.runqueue]);
        let note = "preempted and runqueue, and the run delay of /proc/PID/schedstat. Ours is \
                    from the wake-up to running; the scheduler's, from its queue to being picked, \
                    lies within it, but is also counted outside of calls: at most the time that \
                    the threads were not in calls";
        out.push(at_least("run_delay", Unit::Ns, ours, theirs, outside, note));
    }
}

/// Time between the readings in which the workload's threads were not in calls; `None`
/// if nobody counted.
fn outside_ns(scenario: &Scenario, readings: &Readings) -> Option<u64> {
    let threads = u64::from(scenario.workload.threads?);
    let inside = sum([scenario.duration_ns, scenario.incomplete_ns]);
    let elapsed = readings.elapsed_ns?;
    Some(elapsed.saturating_mul(threads).saturating_sub(inside))
}

fn disk(scenario: &Scenario, readings: &Readings, out: &mut Vec<Witness>) {
    let Some(io) = &scenario.io else { return };
    if let Some(theirs) = readings.grown(|counts| counts.requests) {
        let note = "requests told with their calls, and requests that the kernel side counted for \
                    watched processes, outside of calls too";
        out.push(at_most(
            "requests",
            Unit::Count,
            io.requests,
            theirs,
            0,
            note,
        ));
    }
    if let Some(theirs) = readings.grown(|counts| counts.disk_reads) {
        let note = "requests that calls submitted, and reads that the disk completed for everybody";
        out.push(at_most(
            "disk-reads",
            Unit::Count,
            io.requests,
            theirs,
            0,
            note,
        ));
    }
    if let Some(theirs) = readings.grown(|counts| counts.disk_sectors) {
        let note = "bytes of requests that calls submitted, and bytes that the disk read for \
                    everybody (sectors of /sys/block/*/stat)";
        out.push(at_most(
            "sectors",
            Unit::Bytes,
            io.bytes,
            theirs.saturating_mul(512),
            0,
            note,
        ));
    }
}

fn page_cache(scenario: &Scenario, readings: &Readings, out: &mut Vec<Witness>) {
    let Some(residency) = readings.residency else {
        return;
    };
    // What was reclaimed in between had been brought all the same.
    let grown = sum([residency.resident_after, residency.evicted.unwrap_or(0)])
        .saturating_sub(residency.resident_before);
    // What was reclaimed and fetched again, we counted twice.
    let again = readings.grown(|counts| counts.refaults).unwrap_or(0);
    let note = match residency.evicted {
        Some(_) => {
            "pages that calls added to the file's cache, and pages that became resident, with \
             those that were reclaimed since (more if others read the file); ours may have more \
             by as many as were fetched again after that, by anybody (/proc/vmstat)"
        }
        None => {
            "pages that calls added to the file's cache, and pages that became resident (fewer if \
             memory was short, more if others read the file)"
        }
    };
    let filled = scenario.readahead.pages_filled;
    out.push(Witness {
        agrees: (grown..=grown.saturating_add(again)).contains(&filled),
        ..equal("residency", Unit::Count, filled, grown, note)
    });
}

fn equal(name: &str, unit: Unit, ours: u64, theirs: u64, note: &str) -> Witness {
    let agrees = ours == theirs;
    let (name, note) = (name.to_owned(), note.to_owned());
    Witness {
        name,
        ours,
        theirs,
        agrees,
        relation: Relation::Equal,
        unit,
        note,
    }
}

fn at_most(name: &str, unit: Unit, ours: u64, theirs: u64, room: u64, note: &str) -> Witness {
    let agrees = ours <= theirs.saturating_add(room);
    let (name, note) = (name.to_owned(), note.to_owned());
    Witness {
        name,
        ours,
        theirs,
        agrees,
        relation: Relation::AtMost,
        unit,
        note,
    }
}

fn at_least(name: &str, unit: Unit, ours: u64, theirs: u64, room: u64, note: &str) -> Witness {
    Witness {
        agrees: ours.saturating_add(room) >= theirs,
        relation: Relation::AtLeast,
        ..at_most(name, unit, ours, theirs, room, note)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::v1::{Io, Workload};

    fn scenario(style: &str, calls: u64) -> Scenario {
        Scenario {
            workload: Workload {
                style: style.to_owned(),
                ..Workload::default()
            },
            calls,
            bytes: calls * 4096,
            duration_ns: calls * 1000,
            io: Some(Io {
                bytes: calls * 4096,
                requests: calls,
                ..Io::default()
            }),
            ..Scenario::default()
        }
    }

    fn after(after: Counts) -> Readings {
        let zero = Some(0);
        let before = Counts {
            majflt: zero,
            syscr: zero,
            rchar: zero,
            read_bytes: zero,
            run_delay_ns: zero,
            disk_sectors: zero,
            ..Counts::default()
        };
        Readings {
            before,
            after,
            ..Readings::default()
        }
    }

    fn agrees(witnesses: &[Witness], name: &str) -> Option<bool> {
        witnesses
            .iter()
            .find(|witness| witness.name == name)
            .map(|witness| witness.agrees)
    }

    #[test]
    fn nobody_looked_nobody_is_quoted() {
        assert_eq!(compare(&scenario("buffered", 10), &Readings::default()), []);
    }

    #[test]
    fn counts_must_be_exact() {
        for (syscr, verdict) in [(9, false), (10, true), (11, false)] {
            let readings = after(Counts {
                syscr: Some(syscr),
                ..Counts::default()
            });
            let witnesses = compare(&scenario("buffered", 10), &readings);
            assert_eq!(agrees(&witnesses, "syscr"), Some(verdict), "{syscr}");
        }
        let ops = OpRecord {
            count: 11,
            bytes: 40960,
            total_ns: 1,
            ..OpRecord::default()
        };
        let readings = Readings {
            ops: Some(ops),
            ..Readings::default()
        };
        let witnesses = compare(&scenario("buffered", 10), &readings);
        assert_eq!(agrees(&witnesses, "ops"), Some(false));
        assert_eq!(agrees(&witnesses, "op-bytes"), Some(true));
        assert_eq!(
            agrees(&witnesses, "latency"),
            Some(false),
            "calls longer than their ops"
        );
    }

    #[test]
    fn calls_that_fail_may_be_missing_from_syscr() {
        // A program that is not ours also reads in ways that are no calls (sendfile).
        for (style, more_is_fine) in [("buffered", false), ("command", true)] {
            let mut scenario = scenario(style, 10);
            scenario.outcomes.error.calls = 2;
            for (syscr, verdict) in [(7, false), (8, true), (10, true), (11, more_is_fine)] {
                let readings = after(Counts {
                    syscr: Some(syscr),
                    ..Counts::default()
                });
                assert_eq!(
                    agrees(&compare(&scenario, &readings), "syscr"),
                    Some(verdict),
                    "{style} {syscr}"
                );
            }
        }
    }

    #[test]
    fn the_disk_may_serve_others_but_not_less_than_us() {
        for (sectors, verdict) in [(79, false), (80, true), (1000, true)] {
            let readings = after(Counts {
                disk_sectors: Some(sectors),
                ..Counts::default()
            });
            let witnesses = compare(&scenario("buffered", 10), &readings);
            assert_eq!(agrees(&witnesses, "sectors"), Some(verdict), "{sectors}");
        }
    }

    #[test]
    fn the_schedulers_delay_in_calls_lies_within_ours() {
        let mut scenario = scenario("buffered", 10);
        scenario.workload.threads = Some(2);
        let after = |counts| Readings {
            elapsed_ns: Some(1_000),
            ..after(counts)
        };
        scenario.duration_ns = 1_900;
        scenario.blame_ns.runqueue = 300;
        // 100 ns of the two threads' time are outside of calls.
        for (theirs, verdict) in [(0, true), (400, true), (401, false)] {
            let counts = Counts {
                run_delay_ns: Some(theirs),
                ..Counts::default()
            };
            let witnesses = compare(&scenario, &after(counts));
            let told = witnesses.iter().find(|w| w.name == "run_delay").unwrap();
            assert_eq!((told.ours, told.agrees), (300, verdict), "{theirs}");
        }
        scenario.workload.threads = None;
        let counts = Counts {
            run_delay_ns: Some(1),
            ..Counts::default()
        };
        let witnesses = compare(&scenario, &after(counts));
        assert!(witnesses.iter().all(|w| w.name != "run_delay"));
    }

    #[test]
    fn a_mapping_makes_faults_and_no_calls() {
        let mut scenario = scenario("mapped", 10);
        scenario.outcomes.fault.calls = 10;
        scenario.faults = v1::Faults {
            fetched: 4,
            joined: 7,
        };
        for (majflt, verdict) in [(3, false), (4, true), (11, true), (12, false)] {
            let counts = Counts {
                majflt: Some(majflt),
                syscr: Some(0),
                ..Counts::default()
            };
            let witnesses = compare(&scenario, &after(counts));
            assert_eq!(agrees(&witnesses, "majflt"), Some(verdict), "{majflt}");
            assert_eq!(agrees(&witnesses, "syscr"), Some(true));
            assert_eq!(agrees(&witnesses, "ops"), None);
        }
    }

    #[test]
    fn what_was_reclaimed_had_been_brought() {
        let mut scenario = scenario("buffered", 10);
        scenario.readahead.pages_filled = 100;
        for (evicted, verdict) in [(None, false), (Some(9), false), (Some(10), true)] {
            let readings = Readings {
                residency: Some(Residency {
                    resident_before: 5,
                    resident_after: 95,
                    pages: 200,
                    evicted,
                }),
                ..Readings::default()
            };
            let witnesses = compare(&scenario, &readings);
            assert_eq!(
                agrees(&witnesses, "residency"),
                Some(verdict),
                "{evicted:?}"
            );
        }
    }
}
