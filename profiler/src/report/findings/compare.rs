//! What the bundled scenarios say next to each other.

use super::said::{Said, share};
use crate::blame::Cause;
use crate::report::sums::sum;
use crate::report::units::{counted, percent, ratio, round_size, size, time};
use crate::report::v1::{Latency, Report, Scenario, Severity};

/// A difference that is worth a word.
const NOTABLE: f64 = 0.05;
/// Direct reads below this size are small: each pays the whole way to the device.
const SMALL: u64 = 64 << 10;

/// A scenario by name, if calls of it were seen.
fn scenario<'a>(report: &'a Report, name: &str) -> Option<(&'a Scenario, &'a Latency)> {
    let scenario = report
        .scenarios
        .iter()
        .find(|scenario| scenario.name == name)?;
    Some((scenario, scenario.latency_ns.as_ref()?))
}

fn same_blocks(one: &Scenario, other: &Scenario) -> bool {
    one.workload.block_size.is_some() && one.workload.block_size == other.workload.block_size
}

fn block(scenario: &Scenario) -> String {
    scenario
        .workload
        .block_size
        .map(round_size)
        .unwrap_or_default()
}

pub(super) fn cold_read(report: &Report) -> Vec<Said> {
    let Some((cold, latency)) = scenario(report, "cold-random") else {
        return Vec::new();
    };
    let complete = cold.calls - cold.incomplete_calls.min(cold.calls);
    let device_ns = cold
        .blame_ns
        .get(Cause::Device)
        .and_then(|ns| ns.checked_div(complete));
    let (Some(device_ns), Some(_)) = (device_ns, cold.workload.block_size) else {
        return Vec::new();
    };
    let device = share(device_ns, latency.mean);
    let mut evidence = format!(
        "means of {}; device {} of their time",
        counted(cold.calls, "call", "calls"),
        percent(device),
    );
    if let Some((warm, from_cache)) = scenario(report, "warm")
        && same_blocks(cold, warm)
        && from_cache.mean > 0
    {
        evidence += &format!(
            "; from the page cache {}, {} less",
            time(from_cache.mean),
            ratio(latency.mean as f64 / from_cache.mean as f64),
        );
    }
    vec![Said {
        severity: Severity::Info,
        summary: format!(
            "A cold {} read at random takes {}, of which the device works {}",
            block(cold),
            time(latency.mean),
            time(device_ns),
        ),
        evidence,
        advice: String::new(),
    }]
}

pub(super) fn readahead_gain(report: &Report) -> Vec<Said> {
    let (Some((with, with_ns)), Some((without, without_ns))) = (
        scenario(report, "readahead"),
        scenario(report, "no-readahead"),
    ) else {
        return Vec::new();
    };
    if !same_blocks(with, without) || with_ns.mean == 0 {
        return Vec::new();
    }
    let gain = without_ns.mean as f64 / with_ns.mean as f64;
    let (severity, verdict, advice) = if gain >= 1.0 {
        (Severity::Info, format!("{} faster", ratio(gain)), "")
    } else {
        let advice = "Fetching ahead costs more than it saves here: compare with a smaller \
                      read_ahead_kb";
        (
            Severity::Warning,
            format!("{} slower", ratio(1.0 / gain)),
            advice,
        )
    };
    let outcomes = with.outcomes;
    vec![Said {
        severity,
        summary: format!("Readahead makes sequential cold reads {verdict} per byte"),
        evidence: format!(
            "a {} read takes {} with it and {} without, on average; with it {} hit, {} late, {} miss",
            block(with),
            time(with_ns.mean),
            time(without_ns.mean),
            percent(share(outcomes.hit.calls, with.calls)),
            percent(share(outcomes.late.calls, with.calls)),
            percent(share(outcomes.miss.calls, with.calls)),
        ),
        advice: advice.to_owned(),
    }]
}

pub(super) fn readahead_window(report: &Report) -> Vec<Said> {
    let Some((scenario, _)) = scenario(report, "readahead") else {
        return Vec::new();
    };
    let windows = scenario.readahead.windows.filter(|windows| *windows > 0);
    let (Some(windows), Some(limit_kb)) = (windows, scenario.workload.read_ahead_kb) else {
        return Vec::new();
    };
    let limit = limit_kb.saturating_mul(1024);
    let filled = scenario.readahead.pages_filled;
    let window = filled.saturating_mul(report.host.page_size) / windows;
    if limit == 0 {
        return Vec::new();
    }
    let outcomes = &scenario.outcomes;
    let waiting = sum([outcomes.late.duration_ns, outcomes.miss.duration_ns]);
    let at_limit = share(window, limit) >= 0.8 && share(waiting, scenario.duration_ns) >= 0.5;
    let device = scenario.workload.device.as_deref().unwrap_or("the device");
    vec![Said {
        severity: Severity::Info,
        summary: format!(
            "A readahead window is {} on average; {device} allows {}",
            size(window),
            round_size(limit),
        ),
        evidence: format!(
            "{} filled {} pages",
            counted(windows, "window", "windows"),
            crate::report::units::count(scenario.readahead.pages_filled),
        ),
        advice: if at_limit {
            "Windows reach the limit and calls still wait: try a larger read_ahead_kb".to_owned()
        } else {
            String::new()
        },
    }]
}

pub(super) fn page_cache_cost(report: &Report) -> Vec<Said> {
    let (Some((cached, cached_ns)), Some((direct, direct_ns))) = (
        scenario(report, "cold-random"),
        scenario(report, "direct-random"),
    ) else {
        return Vec::new();
    };
    if !same_blocks(cached, direct) || direct_ns.mean == 0 {
        return Vec::new();
    }
    let difference = cached_ns.mean as f64 / direct_ns.mean as f64 - 1.0;
    if difference.abs() < NOTABLE {
        return Vec::new();
    }
    let word = if difference > 0.0 {
        "longer"
    } else {
        "shorter"
    };
    vec![Said {
        severity: Severity::Info,
        summary: format!(
            "A cold read through the page cache takes {} {word} than a direct one",
            percent(difference.abs()),
        ),
        evidence: format!(
            "{} at random, means: {} through the cache, {} direct",
            block(cached),
            time(cached_ns.mean),
            time(direct_ns.mean),
        ),
        advice: String::new(),
    }]
}

pub(super) fn small_direct(report: &Report) -> Vec<Said> {
    let (Some((direct, _)), Some((ahead, _))) = (
        scenario(report, "direct-sequential"),
        scenario(report, "readahead"),
    ) else {
        return Vec::new();
    };
    let small = direct
        .workload
        .block_size
        .is_some_and(|bytes| bytes < SMALL);
    let (Some(direct_rate), Some(ahead_rate)) =
        (direct.throughput_bytes_per_s, ahead.throughput_bytes_per_s)
    else {
        return Vec::new();
    };
    if !small || direct_rate == 0 || ahead_rate <= direct_rate {
        return Vec::new();
    }
    vec![Said {
        severity: Severity::Info,
        summary: format!(
            "Direct reads of {} in sequence are {} slower than readahead on the same file",
            block(direct),
            ratio(ahead_rate as f64 / direct_rate as f64),
        ),
        evidence: format!(
            "{}/s direct, {}/s with readahead",
            size(direct_rate),
            size(ahead_rate)
        ),
        advice: "With O_DIRECT there is no readahead: use larger blocks, or more reads at a time"
            .to_owned(),
    }]
}
