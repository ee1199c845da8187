//! What calls waited for.

use super::said::{Said, about_shares, reaching, share, shares_of};
use crate::blame::Cause;
use crate::report::sums::sum;
use crate::report::units::{counted, percent, time};
use crate::report::v1::{OwnerKind, Report, Severity};

/// A cause that is worth a word, of a scenario's time.
const NOTABLE: f64 = 0.05;
/// The same for causes that a healthy machine does not have at all.
const RARE: f64 = 0.01;

pub(super) fn throttled(report: &Report) -> Vec<Said> {
    let scenarios = reaching(report, RARE, |scenario| {
        scenario.blame_share.get(Cause::Throttle)
    });
    about_shares(
        report,
        &scenarios,
        Severity::Warning,
        "A cgroup's I/O limit held requests back",
        "throttle, of the time in calls",
        "Look at io.max (cgroup v2) or blkio.throttle.* (v1) of the process's cgroup and of \
         those above it",
    )
}

pub(super) fn reclaim(report: &Report) -> Vec<Said> {
    let scenarios = reaching(report, RARE, |scenario| {
        scenario.blame_share.get(Cause::Reclaim)
    });
    about_shares(
        report,
        &scenarios,
        Severity::Warning,
        "Reads had to free memory before they could continue",
        "reclaim, of the time in calls",
        "Memory of the machine or of the cgroup is short: look at memory.max and memory.pressure",
    )
}

pub(super) fn queue_over_device(report: &Report) -> Vec<Said> {
    let scenarios: Vec<_> = reaching(report, NOTABLE, |scenario| {
        scenario.blame_share.get(Cause::Queue)
    })
    .into_iter()
    .filter(|(scenario, queue)| {
        scenario
            .blame_share
            .get(Cause::Device)
            .is_some_and(|device| *queue > device)
    })
    .collect();
    about_shares(
        report,
        &scenarios,
        Severity::Warning,
        "Requests waited longer to be issued than the device worked on them",
        "queue, of the time in calls",
        "More requests were in flight than the device accepts: try fewer reads at a time, less load by \
         others, or another I/O scheduler",
    )
}

pub(super) fn runqueue_delay(report: &Report) -> Vec<Said> {
    let scenarios = reaching(report, NOTABLE, |scenario| {
        let share = &scenario.blame_share;
        Some(share.or_zero(Cause::Runqueue) + share.or_zero(Cause::Preempted))
    });
    about_shares(
        report,
        &scenarios,
        Severity::Warning,
        "Threads were ready to run but waited for a CPU",
        "runqueue and preempted, of the time in calls",
        "CPUs are busy with other threads, or are slow to leave deep idle states; storage is not \
         to blame for this part",
    )
}

pub(super) fn lock_contention(report: &Report) -> Vec<Said> {
    let scenarios = reaching(report, NOTABLE, |scenario| {
        scenario.blame_share.get(Cause::Lock)
    });
    let longest = scenarios
        .iter()
        .flat_map(|(scenario, _)| &scenario.waits)
        .filter(|wait| wait.cause == Cause::Lock)
        .max_by_key(|wait| wait.ns);
    let mut said = about_shares(
        report,
        &scenarios,
        Severity::Warning,
        "Reads waited for locks in the kernel",
        "lock, of the time in calls",
        "Who holds it is not known, but the stacks of these waits in the report name the place",
    );
    if let (Some(said), Some(wait)) = (said.first_mut(), longest) {
        said.evidence += &format!("; longest in all: {} {}", time(wait.ns), wait.detail);
    }
    said
}

pub(super) fn foreign_requests(report: &Report) -> Vec<Said> {
    let scenarios = reaching(report, RARE, |scenario| {
        Some(share(scenario.io.as_ref()?.foreign_ns, scenario.blocked_ns))
    });
    let waits = sum(scenarios
        .iter()
        .filter_map(|(scenario, _)| scenario.io.as_ref().map(|io| io.foreign)));
    let longest = scenarios
        .iter()
        .flat_map(|(scenario, _)| &scenario.waits)
        .filter(|wait| {
            wait.request
                .as_ref()
                .is_some_and(|request| request.owner == OwnerKind::Foreign)
        })
        .max_by_key(|wait| wait.ns);
    let mut said = about_shares(
        report,
        &scenarios,
        Severity::Info,
        format!(
            "Reads waited {} for requests of other processes",
            counted(waits, "time", "times"),
        ),
        "of blocked time",
        "Others read the same pages, or pages close by, at the same time",
    );
    if let (Some(said), Some(wait)) = (said.first_mut(), longest) {
        said.evidence += &format!(
            "; most of it: {} {} {}",
            time(wait.ns),
            wait.cause,
            wait.detail
        );
    }
    said
}

pub(super) fn metadata_reads(report: &Report) -> Vec<Said> {
    let scenarios = reaching(report, NOTABLE, |scenario| {
        Some(share(
            scenario.io.as_ref()?.waited_ns.metadata,
            scenario.blocked_ns,
        ))
    });
    about_shares(
        report,
        &scenarios,
        Severity::Info,
        "Part of the waiting is for the file system's metadata, not for the file's data",
        "metadata, of blocked time",
        "A fragmented file needs more of it; a second run finds it in memory",
    )
}

pub(super) fn readahead_late(report: &Report) -> Vec<Said> {
    let scenarios = reaching(report, NOTABLE, |scenario| {
        Some(share(
            scenario.outcomes.late.duration_ns,
            scenario.duration_ns,
        ))
    });
    if scenarios.is_empty() {
        return Vec::new();
    }
    let calls = scenarios.iter().map(|(scenario, _)| scenario.calls);
    let late = scenarios
        .iter()
        .map(|(scenario, _)| scenario.outcomes.late.calls);
    let (late, all) = (sum(late), sum(calls));
    vec![Said {
        severity: Severity::Info,
        summary: format!(
            "{} waited for pages that were already being read",
            counted(late, "call", "calls"),
        ),
        evidence: format!(
            "{} of the calls; of the time: {}",
            percent(share(late, all)),
            shares_of(report, &scenarios),
        ),
        advice: String::new(),
    }]
}
