//! What independent counters say of the same calls.
//!
//! A rule is exact where both sides must count the same, and one-sided where the
//! other side also counts what is not watched. A witness that disagrees is shown as
//! it is.
//!
//! Where calls were missed, ours is too small. A one-sided rule then holds for that, and an
//! exact one does not: such a witness proves nothing, neither for nor against.

#[cfg(test)]
mod tests;

use super::sums::sum;
use super::units::{count, counted};
use super::v1::{self, OpRecord, Relation, Residency, Scenario, Style, Unit, Witness, WitnessName};
use crate::blame::Cause;
pub use crate::recording::Counts;
use crate::workload::OpIs;

/// What others counted while a scenario ran; `None` where nobody did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
    pub elapsed_ns: Option<u64>,
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
    switches(scenario, readings, &mut witnesses);
    disk(scenario, readings, &mut witnesses);
    page_cache(scenario, readings, &mut witnesses);
    if scenario.missed_calls.total > 0 {
        for witness in &mut witnesses {
            doubt(witness, &scenario.missed_calls);
        }
    }
    witnesses
}

/// Says of a witness what missed calls do to it.
fn doubt(witness: &mut Witness, missed: &v1::MissedCalls) {
    let were_missed = counted(missed.total, "call was missed", "calls were missed");
    let Witness { ours, theirs, .. } = *witness;
    let Some(name) = witness.name.known() else {
        return;
    };
    let void = match name {
        // Faults have probes of their own.
        WitnessName::Majflt => return,
        // Both sides have the missed calls too.
        WitnessName::Ops => {
            witness.note += &format!("; of ours, {were_missed}");
            return;
        }
        WitnessName::Syscr => {
            witness.note += &format!("; of ours, {were_missed}");
            if missed.whole > 0 {
                let whole = count(missed.whole);
                witness.note += &format!(", {whole} of them known from this same count only");
            }
            // It would agree with itself.
            witness.void || missed.whole > 0 && witness.agrees
        }
        // Of some calls it can be more than of all, if the quick ones were missed.
        WitnessName::LatencyP50 | WitnessName::LatencyP99 => true,
        WitnessName::OpBytes
        | WitnessName::Latency
        | WitnessName::Rchar
        | WitnessName::ReadBytes
        | WitnessName::RunDelay
        | WitnessName::Nvcsw
        | WitnessName::Nivcsw
        | WitnessName::Requests
        | WitnessName::DiskReads
        | WitnessName::Sectors
        | WitnessName::Residency => match witness.relation {
            // More than theirs, though ours is too small.
            Relation::AtMost => witness.agrees,
            Relation::AtLeast => true,
            Relation::Equal if witness.agrees => {
                witness.note += &format!("; {were_missed}");
                return;
            }
            Relation::Equal => ours < theirs,
        },
    };
    if void {
        witness.agrees = false;
        witness.void = true;
    }
    witness.note += &match (name, void) {
        (WitnessName::Syscr, true) => ", so this proves nothing".to_owned(),
        (WitnessName::Syscr, false) => String::new(),
        (_, true) => format!("; {were_missed}, so this proves nothing"),
        (_, false) => format!("; {were_missed}"),
    };
}

/// The room that a rule leaves for what is no call. Missed calls could hide in it.
fn unless_missed(scenario: &Scenario, room: u64) -> u64 {
    match scenario.missed_calls.total {
        0 => room,
        _ => 0,
    }
}

/// What an op of the workload is to the kernel; `None`: not known.
fn op_is(scenario: &Scenario) -> Option<OpIs> {
    match scenario.workload.style.known() {
        Some(Style::Reader(style)) => Some(style.op_is()),
        Some(Style::Command | Style::Attached) | None => None,
    }
}

/// Whether each op of the workload is exactly one read call.
fn an_op_is_a_call(scenario: &Scenario) -> bool {
    op_is(scenario) == Some(OpIs::OneCall)
}

/// Whether it is a program that reads in ways that are not calls of the read family.
fn is_any_program(scenario: &Scenario) -> bool {
    match scenario.workload.style.known() {
        Some(Style::Command | Style::Attached) => true,
        Some(Style::Reader(_)) | None => false,
    }
}

fn ops(scenario: &Scenario, readings: &Readings, out: &mut Vec<Witness>) {
    let Some(ops) = readings.ops else { return };
    let ours_ns = sum([scenario.duration_ns, scenario.incomplete_ns]);
    if an_op_is_a_call(scenario) {
        let note = "calls seen, and ops that the workload recorded: each op is one call";
        let ours = scenario.calls_made();
        out.push(equal(WitnessName::Ops, Unit::Count, ours, ops.count, note));
        let note = "bytes that calls returned, and bytes that the workload got";
        out.push(equal(
            WitnessName::OpBytes,
            Unit::Bytes,
            scenario.bytes,
            ops.bytes,
            note,
        ));
    }
    let note = "time in all calls, and in all ops: a call lies within its op";
    out.push(at_most(
        WitnessName::Latency,
        Unit::Ns,
        ours_ns,
        ops.total_ns,
        0,
        note,
    ));
    if an_op_is_a_call(scenario)
        && let Some(latency) = &scenario.latency_ns
    {
        let note = "a call lies within its op; 2% of room, since histograms round";
        for (name, ours, theirs) in [
            (WitnessName::LatencyP50, latency.p50, ops.p50_ns),
            (WitnessName::LatencyP99, latency.p99, ops.p99_ns),
        ] {
            let room = (theirs as f64 * (QUANTILE_ROOM - 1.0)) as u64;
            out.push(at_most(name, Unit::Ns, ours, theirs, room, note));
        }
    }
}

fn process(scenario: &Scenario, readings: &Readings, out: &mut Vec<Witness>) {
    let faults = scenario.outcomes.fault.calls;
    if let Some(theirs) = readings.grown(|counts| counts.syscr) {
        let ours = scenario.calls_made().saturating_sub(faults);
        let errors = scenario.outcomes.error.calls;
        // Nothing may be beside calls where some of them were missed: it could be those.
        if is_any_program(scenario) && scenario.missed_calls.total == 0 {
            let note = "read calls, and syscr of /proc/PID/io, which may leave out calls that \
                        fail, and also counts sendfile, copy_file_range, and calls that were going \
                        on when watching began or ended";
            let witness = at_most(WitnessName::Syscr, Unit::Count, ours, theirs, errors, note);
            out.push(witness);
        } else {
            // A call that fails before it reaches a file (EBADF) is not counted there.
            let least = ours - errors.min(ours);
            out.push(Witness {
                agrees: (least..=ours).contains(&theirs),
                // More may be what other programs do besides: sendfile, or a call that was
                // going on when watching began or ended.
                void: is_any_program(scenario) && theirs > ours,
                ..equal(
                    WitnessName::Syscr,
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
            at_most(
                WitnessName::Rchar,
                Unit::Bytes,
                scenario.bytes,
                theirs,
                0,
                note,
            )
        } else {
            equal(
                WitnessName::Rchar,
                Unit::Bytes,
                scenario.bytes,
                theirs,
                note,
            )
        });
    }
    if let (Some(theirs), Some(io)) = (readings.grown(|counts| counts.read_bytes), &scenario.io) {
        let note = "bytes of requests that calls submitted, and read_bytes of /proc/PID/io, \
                    which also counts requests outside of read calls";
        out.push(at_most(
            WitnessName::ReadBytes,
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
        && (scenario.faults != v1::Faults::default() || op_is(scenario) == Some(OpIs::Faults))
    {
        let v1::Faults {
            fetched,
            joined,
            ahead,
        } = scenario.faults;
        let repeated = joined.saturating_add(ahead);
        let note = "faults that fetched their page, and major faults of /proc/PID/stat, which may also \
                    count faults that waited for a page on its way or read ahead of it: always \
                    before Linux 6.4, and since then where a mapping could not be locked by itself";
        out.push(Witness {
            // A fault that asks a device, for its page or ahead of it, or waits, lets go of
            // its lock and is begun anew; before 6.4 that run counts as major. Since 6.4 a
            // fault first runs under the lock of its mapping alone, and the second run counts
            // as major only if the first said that it fetched (FAULT_FLAG_TRIED, set for
            // VM_FAULT_MAJOR only, in the architecture's handler; mm_account_fault in
            // mm/memory.c).
            agrees: (fetched..=fetched.saturating_add(repeated)).contains(&theirs),
            ..equal(WitnessName::Majflt, Unit::Count, fetched, theirs, note)
        });
    }
    if let Some(theirs) = readings.grown(|counts| counts.run_delay_ns)
        && let Some(outside) = outside_ns(scenario, readings)
    {
        let ours = sum([Cause::Preempted, Cause::Runqueue].map(|it| scenario.blame_ns.or_zero(it)));
        // A sleep whose wake-up was not seen ends with a wait for a CPU that is not told.
        let room = sum([outside, scenario.blame_ns.or_zero(Cause::Unexplained)]);
        let note = "preempted and runqueue, and the run delay of /proc/PID/schedstat. Ours is \
                    from the wake-up to running; the scheduler's, from its queue to being picked, \
                    lies within it, but is also counted outside of calls: at most the time that \
                    the threads were not in calls; and where no wake-up was seen: at most what is \
                    unexplained";
        out.push(at_least(
            WitnessName::RunDelay,
            Unit::Ns,
            ours,
            theirs,
            room,
            note,
        ));
    }
}

/// Times that the threads left the CPU.
fn switches(scenario: &Scenario, readings: &Readings, out: &mut Vec<Witness>) {
    let v1::Switches { asleep, preempted } = scenario.switches;
    if let Some(theirs) = readings.grown(|counts| counts.nvcsw) {
        // At the beginning they wait for each other, and later, rarely, for a page of
        // their own that was taken from them.
        let room = asleep / 100 + 4 * u64::from(scenario.workload.threads.unwrap_or(1));
        let room = unless_missed(scenario, room);
        let note = "times that calls fell asleep, and voluntary switches of the reading threads \
                    (getrusage), which may have a hundredth and four a thread more, outside of \
                    calls. More than that: the kernel did not tell the probes of some, and \
                    their calls are incomplete";
        out.push(Witness {
            agrees: (asleep..=asleep.saturating_add(room)).contains(&theirs),
            ..equal(WitnessName::Nvcsw, Unit::Count, asleep, theirs, note)
        });
    }
    if let Some(theirs) = readings.grown(|counts| counts.nivcsw) {
        let note = "times that calls were preempted, and involuntary switches of the reading \
                    threads (getrusage), outside of calls too";
        out.push(at_most(
            WitnessName::Nivcsw,
            Unit::Count,
            preempted,
            theirs,
            0,
            note,
        ));
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
            WitnessName::Requests,
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
            WitnessName::DiskReads,
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
            WitnessName::Sectors,
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
    let again = unless_missed(scenario, again);
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
        ..equal(WitnessName::Residency, Unit::Count, filled, grown, note)
    });
}

fn equal(name: WitnessName, unit: Unit, ours: u64, theirs: u64, note: &str) -> Witness {
    let agrees = ours == theirs;
    Witness {
        name: name.into(),
        ours,
        theirs,
        agrees,
        void: false,
        relation: Relation::Equal,
        unit,
        note: note.to_owned(),
    }
}

fn at_most(
    name: WitnessName,
    unit: Unit,
    ours: u64,
    theirs: u64,
    room: u64,
    note: &str,
) -> Witness {
    Witness {
        agrees: ours <= theirs.saturating_add(room),
        relation: Relation::AtMost,
        ..equal(name, unit, ours, theirs, note)
    }
}

fn at_least(
    name: WitnessName,
    unit: Unit,
    ours: u64,
    theirs: u64,
    room: u64,
    note: &str,
) -> Witness {
    Witness {
        agrees: ours.saturating_add(room) >= theirs,
        relation: Relation::AtLeast,
        ..equal(name, unit, ours, theirs, note)
    }
}
