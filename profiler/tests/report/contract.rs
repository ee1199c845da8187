//! The contract, declared a second time: a field that is renamed, dropped or added
//! without a word here fails.

use std::collections::BTreeMap;

use profiler::blame::Cause;
use profiler::export::{JSON, Look};
use profiler::report::v1::Report;
use profiler::report::{docs_markdown, schema};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    golden::assert_same,
    sample::{self, samples},
};

macro_rules! contract {
    ($($name:ident { $($field:ident: $type:ty),* $(,)? })*) => {$(
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        #[allow(dead_code, reason = "only that it can be read matters")]
        struct $name { $($field: $type),* }
    )*};
}

/// A field that has to be there, even if it is null.
#[derive(Deserialize)]
#[serde(untagged)]
#[allow(dead_code, reason = "only that it can be read matters")]
enum OrNull<T> {
    Value(T),
    Null(()),
}

contract! {
    R { schema: String, tool: ToolR, host: HostR, session: SessionR, scenarios: Vec<ScenarioR>,
        quality: QualityR, findings: Vec<FindingR> }
    ToolR { version: String }
    HostR { kernel: String, machine: String, cpus: u32, page_size: u64,
        devices: BTreeMap<String, String> }
    SessionR { command: Vec<String>, started_at: String, duration_ns: u64, target: String,
        entry: String, preemptible: OrNull<bool>, hooks: Vec<HookR> }
    HookR { hook: String, attached: bool, without_it: String, hides: Vec<String>,
        reason: OrNull<String> }
    ScenarioR { name: String, workload: WorkloadR, calls: u64, missed_calls: MissedCallsR,
        bytes: u64, blocked_calls: u64, duration_ns: u64, blocked_ns: u64, blocked_share: f64, incomplete_calls: u64,
        incomplete_ns: u64, wall_ns: OrNull<u64>, throughput_bytes_per_s: OrNull<u64>,
        latency_ns: OrNull<LatencyR>, blame_ns: BlameR<u64>, blame_share: BlameR<f64>,
        outcomes: OutcomesR, io: OrNull<IoR>, readahead: ReadaheadR, faults: FaultsR,
        switches: SwitchesR, waits: Vec<WaitR>,
        slowest: Vec<SlowR>, ops: OrNull<OpsR>, witness: Vec<WitnessR> }
    MissedCallsR { begins: u64, ends: u64, whole: u64, total: u64 }
    WorkloadR { style: String, pattern: OrNull<String>, block_size: OrNull<u64>,
        threads: OrNull<u32>, path: OrNull<String>, file_size: OrNull<u64>,
        filesystem: OrNull<String>, device: OrNull<String>, read_ahead_kb: OrNull<u64>,
        advice: OrNull<String>, state: OrNull<String>, reads: OrNull<u64>,
        witnessed: OrNull<ResidencyR>, iostats: OrNull<bool>, scheduler: OrNull<String> }
    ResidencyR { resident_before: u64, resident_after: u64, pages: u64, evicted: OrNull<u64> }
    FaultsR { fetched: u64, joined: u64, ahead: u64 }
    SwitchesR { asleep: u64, preempted: u64 }
    LatencyR { min: u64, p50: u64, p90: u64, p99: u64, p999: u64, max: u64, mean: u64,
        histogram: Vec<BucketR> }
    BucketR { le: u64, count: u64 }
    OutcomesR { hit: SumR, late: SumR, miss: SumR, hole: SumR, direct: SumR, eof: SumR,
        error: SumR, fault: SumR, other: SumR }
    SumR { calls: u64, duration_ns: u64 }
    IoR { requests: u64, bytes: u64, data: u64, metadata: u64, readahead: u64, foreign: u64,
        foreign_ns: u64, bytes_by_kind: KindsR, waited_ns: KindsR,
        device_ns: OrNull<QuantilesR>, queue_ns: OrNull<QuantilesR> }
    KindsR { data: u64, metadata: u64, readahead: u64 }
    QuantilesR { count: u64, p50: u64, p99: u64, max: u64 }
    ReadaheadR { windows: OrNull<u64>, windows_sync: OrNull<u64>, windows_async: OrNull<u64>,
        pages_filled: u64, pages_filled_asked: u64, pages_used: OrNull<u64> }
    OpsR { count: u64, bytes: u64, total_ns: u64, min_ns: u64, p50_ns: u64, p99_ns: u64 }
    WaitR { cause: String, detail: String, stack: Vec<String>, count: u64, ns: u64, max_ns: u64,
        request: OrNull<RequestR>, folded: OrNull<u64> }
    RequestR { device: String, kind: String, owner: String, pid: OrNull<u32>, tid: OrNull<u32>,
        comm: OrNull<String> }
    SlowR { tid: u32, comm: String, path: OrNull<String>, offset: OrNull<u64>,
        requested: OrNull<u64>, returned: i64, latency_ns: u64, outcome: String, complete: bool,
        blame_ns: BlameR<u64>, timeline: Vec<SpanR>, pid: u32, call: String, began_ns: u64,
        file: OrNull<FileR>, parts: Vec<PartR>, timeline_omitted: u64 }
    FileR { dev: String, inode: u64 }
    SpanR { at_ns: u64, ns: u64, cause: String, detail: String }
    PartR { cause: String, detail: String, ns: u64, count: u64 }
    WitnessR { name: String, ours: u64, theirs: u64, agrees: bool, void: bool, relation: String,
        unit: String, note: String }
    FindingR { id: String, severity: String, summary: String, evidence: String, advice: String }
    HookMissesR { hook: String, misses: u64, costs: String }
    BpfUserR { pid: u32, comm: String, map_calls: u64 }
    CountsR { wait: u64, reclaim: u64, request: u64, ended: u64 }
    OwnR { bpf_ns: OrNull<u64>, cpu_ns: OrNull<u64>, max_rss_bytes: OrNull<u64> }
}

/// A field for each cause; which of them there are, [`the_causes_are_fields`] says.
type BlameR<T> = BTreeMap<String, OrNull<T>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "only that it can be read matters")]
struct QualityR {
    facts: u64,
    lost: u64,
    incomplete_calls: u64,
    open_calls: u64,
    recursion_misses: OrNull<u64>,
    recursion_misses_by_hook: Vec<HookMissesR>,
    bpf_users: Vec<BpfUserR>,
    unexplained_share: f64,
    #[serde(rename = "self")]
    own: OwnR,
    facts_by_kind: CountsR,
    lost_by_kind: CountsR,
    arrived_by_kind: CountsR,
    blocked_ns: u64,
    unexplained_ns: u64,
    malformed: u64,
    odd: u64,
    no_state: u64,
    no_owner: u64,
    no_stack: u64,
    no_completion: u64,
    cut_off: bool,
    unnamed_stacks: OrNull<String>,
    hooks_missing: Vec<String>,
    notes: Vec<String>,
}

fn written(report: &Report) -> String {
    let mut out = Vec::new();
    JSON.write(report, &Look::default(), &mut out)
        .expect("memory can be written to");
    String::from_utf8(out).expect("JSON is UTF-8")
}

#[test]
fn the_contract_holds_what_it_says() {
    for report in samples() {
        let report: R = serde_json::from_str(&written(&report)).unwrap();
        assert_eq!(report.schema, "profiler.report/1");
    }
}

/// Those that reports have had from the first, and which of them are never null.
#[test]
fn the_causes_are_fields() {
    let always = [
        "cpu",
        "preempted",
        "runqueue",
        "server",
        "peer",
        "unexplained",
    ];
    let or_null = [
        "device",
        "queue",
        "throttle",
        "completion",
        "lock",
        "reclaim",
    ];
    let mut slowest = 0;
    for report in samples() {
        let report: Value = serde_json::from_str(&written(&report)).unwrap();
        for scenario in report["scenarios"].as_array().unwrap() {
            let calls = scenario["slowest"].as_array().unwrap();
            slowest += calls.len();
            let calls = calls.iter().map(|call| &call["blame_ns"]);
            for fields in calls.chain([&scenario["blame_ns"], &scenario["blame_share"]]) {
                let fields = fields.as_object().unwrap();
                let names = Cause::ALL.map(Cause::name);
                assert!(fields.keys().eq(names.iter()), "{fields:?}");
                assert!(always.iter().all(|it| fields[*it].is_number()));
                let or_null = or_null.iter().map(|it| &fields[*it]);
                assert!(or_null.clone().all(|it| it.is_number() || it.is_null()));
            }
        }
    }
    assert!(slowest > 0, "the samples have no call to look at");
}

#[test]
fn a_report_survives_its_own_json() {
    for report in samples() {
        let json = written(&report);
        let read: Report = serde_json::from_str(&json).unwrap();
        assert_eq!(written(&read), json);
        // Shares are rounded nowhere on the way.
        assert_eq!(read, report);
    }
}

#[test]
fn a_reader_of_today_takes_a_report_of_tomorrow() {
    let mut value: Value = serde_json::from_str(&written(&sample::run())).unwrap();
    value["scenarios"][0]["new_field"] = Value::from(1);
    value["new_block"] = Value::from("text");
    assert!(validator().is_valid(&value));
    serde_json::from_value::<Report>(value).unwrap();
}

fn validator() -> jsonschema::Validator {
    jsonschema::draft202012::new(&schema()).expect("the schema is one")
}

#[test]
fn reports_are_as_the_schema_says() {
    let validator = validator();
    for report in samples() {
        let value: Value = serde_json::from_str(&written(&report)).unwrap();
        let errors: Vec<_> = validator
            .iter_errors(&value)
            .map(|error| error.to_string())
            .collect();
        assert_eq!(errors, [""; 0]);
    }
}

#[test]
fn the_schema_refuses_what_is_wrong() {
    let validator = validator();
    let good: Value = serde_json::from_str(&written(&sample::run())).unwrap();
    let breaks: [fn(&mut Value); 4] = [
        |report| report["scenarios"][0]["calls"] = Value::from("many"),
        |report| report["scenarios"][0]["waits"][0]["cause"] = Value::from("weather"),
        |report| report["quality"]["lost"] = Value::Null,
        |report| {
            report["scenarios"][0]
                .as_object_mut()
                .unwrap()
                .remove("blame_ns");
        },
    ];
    for (index, break_it) in breaks.iter().enumerate() {
        let mut bad = good.clone();
        break_it(&mut bad);
        assert!(!validator.is_valid(&bad), "case {index}");
    }
}

#[test]
fn every_field_is_described() {
    fn check(name: &str, schema: &Value) {
        assert!(
            schema["description"].is_string() || schema["const"].is_string(),
            "{name}"
        );
        for (field, schema) in schema["properties"].as_object().into_iter().flatten() {
            assert!(
                schema["description"].is_string(),
                "{name}.{field} has no description"
            );
        }
    }
    let schema = schema();
    check("Report", &schema);
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        check(name, definition);
    }
}

#[test]
fn the_docs_are_those_of_the_schema() {
    assert_same(&docs_markdown(), "../docs/report.md", "UPDATE_DOCS");
}
