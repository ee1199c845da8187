use super::*;
use crate::blame::Cause;
use crate::load::EntryKind;
use crate::report::assemble;
use crate::report::v1::{
    Blame, BpfUser, Hidden, Hook, HookMisses, Host, Io, Latency, MissedCalls, Quality, Relation,
    Residency, Scenario, Session, Severity, Tool, Unit, Witness, WitnessName, Word, Workload,
};
use crate::workload::State;

fn scenario(name: &str) -> Scenario {
    Scenario {
        name: name.to_owned(),
        calls: 1000,
        bytes: 4_096_000,
        duration_ns: 1_000_000,
        blocked_ns: 900_000,
        latency_ns: Some(Latency {
            p50: 900,
            mean: 1000,
            ..Latency::default()
        }),
        io: Some(Io::default()),
        workload: Workload {
            block_size: Some(4096),
            device: Some("vda".to_owned()),
            ..Workload::default()
        },
        ..Scenario::default()
    }
}

fn report(scenarios: Vec<Scenario>) -> Report {
    let host = Host {
        page_size: 4096,
        ..Host::default()
    };
    assemble(
        Tool::default(),
        host,
        Session::default(),
        scenarios,
        Quality::default(),
    )
}

fn ids(report: &Report) -> Vec<String> {
    findings(report)
        .into_iter()
        .map(|finding| finding.id)
        .collect()
}

#[test]
fn a_plain_report_has_no_findings() {
    assert_eq!(ids(&report(vec![scenario("anything")])), [""; 0]);
    assert_eq!(ids(&report(Vec::new())), [""; 0]);
}

#[test]
fn ids_are_unique() {
    let mut ids: Vec<_> = RULES.iter().map(|(id, _)| id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), RULES.len());
}

#[test]
fn each_doubt_has_its_finding() {
    let mut report = report(vec![scenario("cold-random")]);
    report.quality.lost = 3;
    report.quality.facts = 1000;
    report.quality.malformed = 1;
    report.quality.odd = 1;
    report.quality.no_state = 1;
    report.quality.recursion_misses = Some(2);
    report.quality.open_calls = 1;
    report.quality.unnamed_stacks = Some("/proc/kallsyms cannot be read".to_owned());
    report.scenarios[0].calls = 10_000;
    report.quality.own.bpf_ns = Some(10_000 * 300);
    report.session.hooks = vec![Hook {
        hook: "contention_begin".to_owned(),
        without_it: "waits for locks".to_owned(),
        reason: Some("the verifier says no".to_owned()),
        hides: vec![Hidden::Cause(Cause::Lock).into()],
        ..Hook::default()
    }];
    let scenario = &mut report.scenarios[0];
    scenario.blame_ns.set(Cause::Unexplained, Some(20_000));
    scenario.workload.iostats = Some(false);
    scenario.workload.state = Some(State::Cold.into());
    scenario.workload.witnessed = Some(Residency {
        resident_before: 1,
        ..Residency::default()
    });
    scenario.witness = vec![Witness {
        name: WitnessName::Syscr.into(),
        ours: 1,
        theirs: 2,
        agrees: false,
        void: false,
        relation: Relation::Equal,
        unit: Unit::Count,
        note: String::new(),
    }];
    assert_eq!(
        ids(&report),
        [
            "lost-facts",
            "malformed-records",
            "odd-facts",
            "unseen-threads",
            "witness-disagrees",
            "state-not-met",
            "skipped-probes",
            "unexplained",
            "hook-missing",
            "unnamed-stacks",
            "iostats-off",
            "open-calls",
            "probe-cost",
        ]
    );
}

#[test]
fn the_probes_cost_is_put_next_to_calls_only_where_there_is_one_kind_of_many() {
    let p50 = scenario("cold-random")
        .latency_ns
        .expect("it has calls")
        .p50;
    let costly_at = |scenarios: Vec<Scenario>, a_call: u64| {
        let mut report = report(scenarios);
        report.quality.own.bpf_ns = Some(10_000 * a_call);
        ids(&report).contains(&"probe-cost".to_owned())
    };
    let costly = |scenarios: Vec<Scenario>| costly_at(scenarios, p50 / 2);
    let with = |calls| Scenario {
        calls,
        ..scenario("cold-random")
    };
    assert!(costly(vec![with(10_000)]));
    assert!(!costly(vec![with(9_999)]));
    assert!(!costly(vec![with(10_000), with(10_000)]));
    // Other processes' share of it is larger than all that the calls took.
    assert!(!costly_at(vec![with(10_000)], p50 * 2));
}

#[test]
fn each_cause_that_stands_out_has_its_finding() {
    let mut slow = scenario("slow");
    slow.blame_share = Blame::from_fn(|cause| match cause {
        Cause::Preempted | Cause::Runqueue => Some(0.03),
        Cause::Device => Some(0.1),
        Cause::Queue => Some(0.2),
        Cause::Throttle | Cause::Reclaim => Some(0.02),
        Cause::Lock => Some(0.06),
        _ => None,
    });
    slow.outcomes.late.duration_ns = 100_000;
    let io = slow.io.as_mut().unwrap();
    io.foreign_ns = 9_000;
    io.waited_ns.metadata = 90_000;
    assert_eq!(
        ids(&report(vec![slow])),
        [
            "throttled",
            "reclaim",
            "queue-over-device",
            "runqueue-delay",
            "lock-contention",
            "foreign-requests",
            "metadata-reads",
            "readahead-late",
        ]
    );
}

#[test]
fn scenarios_are_compared_by_what_they_measured() {
    let with = |name: &str, mean: u64, rate: u64| {
        let mut scenario = scenario(name);
        scenario.latency_ns = Some(Latency {
            mean,
            p50: mean,
            ..Latency::default()
        });
        scenario.throughput_bytes_per_s = Some(rate);
        let device_ns = mean * 3 / 4 * scenario.calls;
        scenario.blame_ns.set(Cause::Device, Some(device_ns));
        scenario
    };
    let mut ahead = with("readahead", 4_000, 1 << 30);
    ahead.workload.read_ahead_kb = Some(8192);
    ahead.readahead.windows = Some(10);
    ahead.readahead.pages_filled = 10_000;
    let scenarios = vec![
        with("warm", 400, 8 << 30),
        with("cold-random", 100_000, 40 << 20),
        ahead,
        with("no-readahead", 92_000, 42 << 20),
        with("direct-sequential", 78_000, 50 << 20),
        with("direct-random", 80_000, 50 << 20),
    ];
    let findings = findings(&report(scenarios));
    let summaries: Vec<_> = findings
        .iter()
        .map(|finding| finding.summary.as_str())
        .collect();
    assert_eq!(
        summaries,
        [
            "A cold 4 KiB read at random takes 100 µs, of which the device works 75.0 µs",
            "Readahead makes sequential cold reads 23× faster per byte",
            "A readahead window is 3.91 MiB on average; vda allows 8 MiB",
            "A cold read through the page cache takes 25.0% longer than a direct one",
            "Direct reads of 4 KiB in sequence are 20× slower than readahead on the same file",
        ]
    );
    assert!(
        findings[0]
            .evidence
            .ends_with("from the page cache 400 ns, 250× less")
    );
}

#[test]
fn missed_calls_are_a_problem_and_void_witnesses_a_part_of_it() {
    let mut warm = scenario("warm");
    warm.calls = 55_669;
    warm.missed_calls = MissedCalls::of(12_010, 12_021, 300);
    let witness = |name: &str, ours, relation| Witness {
        name: Word::from_text(name),
        ours,
        theirs: 2,
        agrees: false,
        void: false,
        relation,
        unit: Unit::Count,
        note: String::new(),
    };
    warm.witness = vec![
        witness("sectors", 1, Relation::AtMost),
        witness("run_delay", 2, Relation::AtLeast),
        witness("rchar", 1, Relation::Equal),
        witness("requests", 3, Relation::AtMost),
    ];
    let mut report = report(vec![warm, scenario("cold-random")]);
    report.quality.recursion_misses = Some(26_017);
    let told = findings(&report);
    let told: Vec<_> = told
        .iter()
        .map(|finding| {
            (
                finding.id.as_str(),
                finding.severity,
                finding.summary.as_str(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (
                "missed-calls",
                Severity::Problem,
                "24,331 of 80,000 calls (30.4%) were missed: not in the shares, and their time is \
                 unknown"
            ),
            (
                "witness-disagrees",
                Severity::Problem,
                "A witness disagrees in warm: rchar"
            ),
            (
                "witness-disagrees",
                Severity::Problem,
                "A witness disagrees in warm: requests"
            ),
            (
                "skipped-probes",
                Severity::Warning,
                "The kernel skipped a probe 26,017 times"
            ),
        ]
    );
    let found = findings(&report);
    assert_eq!(
        found[0].evidence,
        "not seen: warm: the start of 12,010, the end of 12,021, both of 300; the kernel skipped \
         26,017 runs of the probes; witnesses that cannot be compared for it: sectors, run_delay"
    );
    assert!(found[0].advice.contains("docs/preemption.md"));
    assert!(found[3].advice.starts_with("Calls were missed for it"));

    report.scenarios.truncate(1);
    report.scenarios[0].missed_calls = MissedCalls::of(0, 1, 0);
    let found = findings(&report);
    assert!(
        found[0]
            .summary
            .starts_with("1 of 55,670 calls (<0.1%) was missed: "),
        "{}",
        found[0].summary
    );
    assert!(found[0].evidence.starts_with("not seen: the end of 1; "));
}

#[test]
fn skipped_runs_are_told_by_what_they_cost() {
    let hook = |hook: &str, misses| HookMisses {
        hook: hook.to_owned(),
        misses,
        costs: format!("what {hook} tells"),
    };
    let of = |by_hook: &[HookMisses], missed| {
        let mut warm = scenario("warm");
        warm.missed_calls = MissedCalls::of(missed, 0, 0);
        let mut report = report(vec![warm]);
        let all = by_hook.iter().map(|hook| hook.misses).sum();
        report.quality.recursion_misses = Some(all);
        report.quality.recursion_misses_by_hook = by_hook.to_vec();
        let mut told = findings(&report).into_iter();
        told.find(|finding| finding.id == "skipped-probes")
    };
    let calls = [hook("sys_enter", 7), hook("sys_exit", 5)];
    // Told as missed calls, each of them.
    assert_eq!(of(&calls, 12), None);
    let told = of(&calls, 0).expect("a finding");
    assert!(told.summary.contains("12 times"), "{told:?}");
    assert!(told.advice.contains("No call is known"), "{told:?}");
    let [enter, exit] = calls;
    let both = [hook("mm_filemap_fault", 1), enter, exit];
    for missed in [0, 12] {
        let told = of(&both, missed).expect("a finding");
        assert!(told.summary.ends_with("1 time"), "{told:?}");
        assert_eq!(
            told.evidence,
            "mm_filemap_fault 1 time: what mm_filemap_fault tells"
        );
    }
}

#[test]
fn impossible_times_are_told_from_skipped_probes() {
    let advice = |by_hook: &[(&str, u64)]| {
        let mut report = report(vec![scenario("warm")]);
        report.quality.odd = 3;
        report.quality.recursion_misses_by_hook = by_hook
            .iter()
            .map(|&(hook, misses)| HookMisses {
                hook: hook.to_owned(),
                misses,
                ..HookMisses::default()
            })
            .collect();
        let mut told = findings(&report).into_iter();
        let odd = told.find(|finding| finding.id == "odd-facts");
        odd.expect("a finding").advice
    };
    let clocks = "the machine's CPUs disagree about the time, or the recording is damaged";
    let alone = advice(&[("sys_enter", 7), ("mm_filemap_fault", 1)]);
    assert_eq!(alone.to_lowercase(), clocks.to_lowercase());
    let skipped = advice(&[("sched_switch", 2), ("sys_enter", 7), ("sched_waking", 1)]);
    let probes = "The kernel skipped probes that take these times: sched_switch 2 times, \
                  sched_waking 1 time. ";
    assert!(skipped.starts_with(probes), "{skipped}");
    assert!(skipped.ends_with(clocks), "{skipped}");
}

#[test]
fn what_follows_from_missed_calls_is_no_problem_of_its_own() {
    let mut warm = scenario("warm");
    warm.missed_calls = MissedCalls::of(3, 0, 0);
    warm.witness = ["op-bytes", "rchar", "nvcsw"]
        .map(|name| Witness {
            name: Word::from_text(name),
            ours: 1,
            theirs: 2,
            agrees: false,
            void: true,
            relation: Relation::Equal,
            unit: Unit::Count,
            note: String::new(),
        })
        .into();
    let found = findings(&report(vec![warm]));
    let [finding] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(finding.id, "missed-calls");
    let void = "witnesses that cannot be compared for it: op-bytes, rchar, nvcsw";
    assert!(finding.evidence.ends_with(void), "{finding:?}");
}

#[test]
fn another_user_of_maps_is_to_be_stopped() {
    let mut warm = scenario("warm");
    warm.missed_calls = MissedCalls::of(3, 0, 0);
    let mut report = report(vec![warm]);
    report.session.entry = EntryKind::Classic.into();
    report.quality.recursion_misses = Some(3);
    report.quality.recursion_misses_by_hook = vec![HookMisses {
        hook: "sys_enter".to_owned(),
        misses: 3,
        ..HookMisses::default()
    }];
    report.quality.bpf_users = vec![BpfUser {
        pid: 4711,
        comm: "maps".to_owned(),
        map_calls: 9,
    }];
    let found = findings(&report);
    assert!(found[0].evidence.contains("pid 4711"), "{found:?}");
    assert!(
        found[0].advice.contains("without the other user"),
        "{found:?}"
    );
}
