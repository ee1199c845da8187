//! What bears on how far the report can be trusted.

use super::said::{Said, about_shares, reaching, share};
use crate::blame::Cause;
use crate::report::missed::why_missed;
use crate::report::sums::sum;
use crate::report::units::{count, counted, percent, time};
use crate::report::v1::{
    HookMisses, KindCounts, MissedCalls, Relation, Report, Scenario, Severity, Unit, Witness,
};
use crate::workload::State;

/// Unexplained time that is worth a word, of blocked time.
const UNEXPLAINED: f64 = 0.01;
/// Cost of the probes that is worth a word, of a scenario's median call.
const COST: f64 = 0.1;
/// Calls below which a mean of it says little.
const MANY: u64 = 10_000;

pub(super) fn missed_calls(report: &Report) -> Vec<Said> {
    let missing = || {
        let all = report.scenarios.iter();
        all.filter(|scenario| scenario.missed_calls.total > 0)
    };
    let missed = sum(missing().map(|scenario| scenario.missed_calls.total));
    if missed == 0 {
        return Vec::new();
    }
    let made = sum(missing().map(Scenario::calls_made));
    let of_each = missing().map(|scenario| {
        let MissedCalls {
            begins,
            ends,
            whole,
            ..
        } = scenario.missed_calls;
        let words = [("the start", begins), ("the end", ends), ("both", whole)];
        let words = words.iter().filter(|(_, calls)| *calls > 0);
        let words: Vec<_> = words
            .map(|(what, calls)| format!("{what} of {}", count(*calls)))
            .collect();
        match report.scenarios.len() {
            1 => words.join(", "),
            _ => format!("{}: {}", scenario.name, words.join(", ")),
        }
    });
    let mut evidence = vec![
        format!("not seen: {}", of_each.collect::<Vec<_>>().join("; ")),
        why_missed(report),
    ];
    let mut void: Vec<&str> = Vec::new();
    for witness in missing().flat_map(|scenario| &scenario.witness) {
        if witness.proves_nothing() && !void.contains(&witness.name.as_str()) {
            void.push(witness.name.as_str());
        }
    }
    if !void.is_empty() {
        evidence.push(format!(
            "witnesses that cannot be compared for it: {}",
            void.join(", ")
        ));
    }
    vec![Said {
        severity: Severity::Problem,
        summary: format!(
            "{} of {} ({}) {} missed: not in the shares, and their time is unknown",
            count(missed),
            counted(made, "call", "calls"),
            percent(share(missed, made)),
            if missed == 1 { "was" } else { "were" },
        ),
        evidence: evidence.join("; "),
        advice: match report.quality.bpf_users.is_empty() {
            true => "docs/preemption.md says why the kernel skips probes, and what to do about it",
            false => {
                "Watch again without the other user of BPF maps; docs/preemption.md says why the \
                 kernel skips probes"
            }
        }
        .to_owned(),
    }]
}

pub(super) fn lost_facts(report: &Report) -> Vec<Said> {
    let quality = &report.quality;
    if quality.lost == 0 {
        return Vec::new();
    }
    let KindCounts {
        wait,
        reclaim,
        request,
        ended,
    } = quality.lost_by_kind;
    let kinds = [
        ("waits", wait),
        ("reclaims", reclaim),
        ("requests", request),
        ("ends", ended),
    ];
    let kinds = kinds.iter().filter(|(_, lost)| *lost > 0);
    let kinds: Vec<_> = kinds
        .map(|(kind, lost)| format!("{} {kind}", count(*lost)))
        .collect();
    vec![Said {
        severity: Severity::Problem,
        summary: format!(
            "{} of {} facts ({}) were lost: {} kept out of the shares",
            count(quality.lost),
            count(quality.facts),
            percent(share(quality.lost, quality.facts)),
            counted(quality.incomplete_calls, "call is", "calls are"),
        ),
        evidence: match ended {
            0 => format!("lost: {}", kinds.join(", ")),
            _ => format!(
                "lost: {}; a lost end is a call that is not counted",
                kinds.join(", ")
            ),
        },

        advice: "The collector could not keep up. Watch fewer threads, or a shorter time, and \
                 do not ask for every call"
            .to_owned(),
    }]
}

pub(super) fn malformed_records(report: &Report) -> Vec<Said> {
    if report.quality.malformed == 0 {
        return Vec::new();
    }
    let records = counted(report.quality.malformed, "record", "records");
    vec![Said {
        severity: Severity::Problem,
        summary: format!("{records} could not be decoded"),
        evidence: String::new(),
        advice: "The kernel side and this program are of different versions, or the recording \
                 is damaged. Build both anew"
            .to_owned(),
    }]
}

pub(super) fn odd_facts(report: &Report) -> Vec<Said> {
    if report.quality.odd == 0 {
        return Vec::new();
    }
    let facts = counted(report.quality.odd, "fact has", "facts have");
    let by_hook = report.quality.recursion_misses_by_hook.iter();
    let skipped: Vec<_> = by_hook
        .filter(|hook| hook.sees_sleeps())
        .map(times_skipped)
        .collect();
    vec![Said {
        severity: Severity::Problem,
        summary: format!("{facts} impossible times"),
        evidence: "They end before they begin, or overlap; their calls are kept out of the shares"
            .to_owned(),
        advice: match skipped.is_empty() {
            true => {
                "The machine's CPUs disagree about the time, or the recording is damaged".into()
            }
            false => format!(
                "The kernel skipped probes that take these times: {}. docs/preemption.md says why \
                 it does. If no such run was a watched thread's, the machine's CPUs disagree about \
                 the time, or the recording is damaged",
                skipped.join(", ")
            ),
        },
    }]
}

pub(super) fn unseen_threads(report: &Report) -> Vec<Said> {
    if report.quality.no_state == 0 {
        return Vec::new();
    }
    vec![Said {
        severity: Severity::Problem,
        summary: format!(
            "Calls were not seen: a thread's state could not be had {}",
            counted(report.quality.no_state, "time", "times"),
        ),
        evidence: String::new(),
        advice: "The kernel was out of memory for it. Run again with more memory free".to_owned(),
    }]
}

pub(super) fn witness_disagrees(report: &Report) -> Vec<Said> {
    let mut said = Vec::new();
    for scenario in &report.scenarios {
        for witness in scenario.witness.iter().filter(|it| it.disagrees()) {
            said.push(Said {
                severity: Severity::Problem,
                summary: match report.scenarios.len() {
                    1 => format!("A witness disagrees: {}", witness.name),
                    _ => format!("A witness disagrees in {}: {}", scenario.name, witness.name),
                },
                evidence: versus(witness),
                advice: "Do not trust the numbers that rest on it before it is explained"
                    .to_owned(),
            });
        }
    }
    said
}

fn versus(witness: &Witness) -> String {
    let number = |number| match witness.unit {
        Unit::Count | Unit::Bytes => count(number),
        Unit::Ns => time(number),
    };
    let relation = match witness.relation {
        Relation::Equal => "not equal to",
        Relation::AtMost => "more than",
        Relation::AtLeast => "less than",
    };
    let (ours, theirs) = (number(witness.ours), number(witness.theirs));
    format!(
        "ours, {ours}, is {relation} theirs, {theirs} ({})",
        witness.note
    )
}

pub(super) fn state_not_met(report: &Report) -> Vec<Said> {
    let mut said = Vec::new();
    for scenario in &report.scenarios {
        let workload = &scenario.workload;
        let (Some(state), Some(residency)) = (workload.state.as_ref(), workload.witnessed) else {
            continue;
        };
        let met = match state.known() {
            Some(State::Cold) => residency.resident_before == 0,
            Some(State::Warm) => residency.resident_before == residency.pages,
            None => true,
        };
        if !met {
            said.push(Said {
                severity: Severity::Problem,
                summary: format!("{} did not start {state}", scenario.name),
                evidence: format!(
                    "{} of {} pages were in the page cache before the first op",
                    count(residency.resident_before),
                    count(residency.pages),
                ),
                advice: "Somebody else reads or maps the file, or memory is short".to_owned(),
            });
        }
    }
    said
}

/// Runs that the kernel skipped. Where they cost calls, and nothing but calls, that is told as
/// missed calls.
pub(super) fn skipped_probes(report: &Report) -> Vec<Said> {
    let misses = report.quality.recursion_misses.unwrap_or(0);
    if misses == 0 {
        return Vec::new();
    }
    let by_hook = &report.quality.recursion_misses_by_hook;
    let calls_were_missed = report
        .scenarios
        .iter()
        .any(|scenario| scenario.missed_calls.total > 0);
    let facts = || by_hook.iter().filter(|hook| !hook.sees_calls());
    let told = sum(facts().map(|hook| hook.misses));
    let evidence = "It does so when the probe is running already on that CPU".to_owned();
    let (skipped, evidence, advice) = match (by_hook.is_empty(), told, calls_were_missed) {
        (false, 0, true) => return Vec::new(),
        (false, 0, false) => (
            misses,
            evidence,
            "No call is known to be missed for it: those runs were other programs'",
        ),
        (false, ..) => {
            let costs = facts().map(|hook| format!("{}: {}", times_skipped(hook), hook.costs));
            let all = costs.collect::<Vec<_>>().join("; ");
            (
                told,
                all,
                "Of calls that were seen, facts may be missing, as far as the skipped runs were \
                 the watched threads': they are counted for the whole machine. \
                 docs/preemption.md says why the kernel skips probes",
            )
        }
        (true, _, false) => (
            misses,
            evidence,
            "Some time may be in `unexplained` or in the wrong cause",
        ),
        (true, _, true) => (
            misses,
            evidence,
            "Calls were missed for it; of the time of the others, some may be in `unexplained` \
             or in the wrong cause",
        ),
    };
    vec![Said {
        severity: Severity::Warning,
        summary: format!(
            "The kernel skipped a probe {}",
            counted(skipped, "time", "times")
        ),
        evidence,
        advice: advice.to_owned(),
    }]
}

/// "sched_switch 3 times".
fn times_skipped(hook: &HookMisses) -> String {
    let times = counted(hook.misses, "time", "times");
    format!("{} {times}", hook.hook)
}

pub(super) fn unexplained(report: &Report) -> Vec<Said> {
    let scenarios = reaching(report, UNEXPLAINED, |scenario| {
        Some(share(
            scenario.blame_ns.or_zero(Cause::Unexplained),
            scenario.blocked_ns,
        ))
    });
    let longest = scenarios
        .iter()
        .flat_map(|(scenario, _)| &scenario.waits)
        .filter(|wait| wait.cause == Cause::Unexplained && !wait.stack.is_empty())
        .max_by_key(|wait| wait.ns);
    let mut said = about_shares(
        report,
        &scenarios,
        Severity::Warning,
        "Some blocked time could not be explained",
        "unexplained, of blocked time",
        "The stacks of these waits are in the report",
    );
    if let (Some(said), Some(wait)) = (said.first_mut(), longest) {
        let frames: Vec<_> = wait.stack.iter().take(4).map(String::as_str).collect();
        said.evidence += &format!("; most of it in {}", frames.join(" ← "));
    }
    said
}

pub(super) fn hook_missing(report: &Report) -> Vec<Said> {
    let missing = report.session.hooks.iter().filter(|hook| !hook.attached);
    let missing: Vec<_> = missing.filter(|hook| !hook.hides.is_empty()).collect();
    if missing.is_empty() {
        return Vec::new();
    }
    let names: Vec<_> = missing.iter().map(|hook| hook.hook.as_str()).collect();
    let without: Vec<_> = missing
        .iter()
        .map(|hook| match &hook.reason {
            Some(reason) => format!("{}: {} ({reason})", hook.hook, hook.without_it),
            None => format!("{}: {}", hook.hook, hook.without_it),
        })
        .collect();
    vec![Said {
        severity: Severity::Warning,
        summary: format!("Hooks are missing: {}", names.join(", ")),
        evidence: without.join("; "),
        advice: "What they would report is null. A newer kernel may have them".to_owned(),
    }]
}

pub(super) fn unnamed_stacks(report: &Report) -> Vec<Said> {
    let Some(why) = &report.quality.unnamed_stacks else {
        return Vec::new();
    };
    vec![Said {
        severity: Severity::Warning,
        summary: "Kernel stacks show addresses in place of function names".to_owned(),
        evidence: format!(
            "{why}. Waits that only a stack explains (locks of folios, limits and full queues \
             before a request is made, stacked file systems) are unexplained or blamed on what \
             else is known, and locks have no names"
        ),
        advice:
            "As root, look at /proc/kallsyms: it shows addresses where kernel.kptr_restrict is 0 \
                 or 1 and nothing is mounted over it"
                .to_owned(),
    }]
}

pub(super) fn iostats_off(report: &Report) -> Vec<Said> {
    let mut workloads = report.scenarios.iter().map(|scenario| &scenario.workload);
    let Some(workload) = workloads.find(|workload| workload.iostats == Some(false)) else {
        return Vec::new();
    };
    let device = workload.device.as_deref().unwrap_or("DEVICE");
    vec![Said {
        severity: Severity::Warning,
        summary: format!("{device} has I/O statistics off, so its requests are only partly seen"),
        evidence: format!("/sys/block/{device}/queue/iostats is 0"),
        advice: format!("echo 1 > /sys/block/{device}/queue/iostats, and run again"),
    }]
}

pub(super) fn open_calls(report: &Report) -> Vec<Said> {
    if report.quality.open_calls == 0 {
        return Vec::new();
    }
    let calls = counted(report.quality.open_calls, "call was", "calls were");
    vec![Said {
        severity: Severity::Info,
        summary: format!("{calls} unfinished when the session ended"),
        evidence: "Such calls are in no other number of this report".to_owned(),
        advice: String::new(),
    }]
}

/// The time in the probes is one sum for the session and the whole machine, other processes'
/// events in it: it bounds what a call pays, where there is one kind of call, and many of
/// them. A bound above the median call says nothing of it.
pub(super) fn probe_cost(report: &Report) -> Vec<Said> {
    let [
        Scenario {
            calls: calls @ MANY..,
            ..
        },
    ] = report.scenarios.as_slice()
    else {
        return Vec::new();
    };
    let Some(bpf_ns) = report.quality.own.bpf_ns else {
        return Vec::new();
    };
    let a_call = bpf_ns / calls;
    let scenarios = reaching(report, COST, |scenario| {
        let p50 = scenario.latency_ns.as_ref()?.p50;
        (a_call <= p50).then(|| share(a_call, p50))
    });
    about_shares(
        report,
        &scenarios,
        Severity::Info,
        format!(
            "The probes take at most {} per call, and latencies include it",
            time(a_call)
        ),
        "next to the median call",
        "",
    )
}
