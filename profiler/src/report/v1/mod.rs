//! The contract `profiler.report/1`: what the JSON holds.
//!
//! It grows: fields are added, never renamed, and never change their meaning.
//! Times are nanoseconds, sizes bytes, shares fractions from 0 to 1, unless a field
//! says otherwise. `null` means that it is not known (the kernel lacks the hook, or
//! nobody recorded it); 0 means that it was looked for and there was none.
//!
//! The doc comments of these types are the field descriptions of the JSON Schema
//! and of docs/report.md.

mod blame;
mod call;
mod environment;
mod scenario;
mod set;
mod trust;
mod word;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use blame::Blame;
pub use call::{FileId, Part, RequestWords, SlowCall, Span, Wait};
pub use environment::{Hook, Host, Session, Tool};
pub use scenario::{
    Bucket, ByKind, Faults, Io, Latency, MissedCalls, OpRecord, OutcomeSum, Outcomes, Quantiles,
    Readahead, Residency, Scenario, Switches, Workload,
};
pub use set::{CallKind, Hidden, OwnerKind, Style, WitnessName};
pub use trust::{
    BpfUser, Finding, HookMisses, KindCounts, OwnCost, Quality, Relation, Severity, Unit, Witness,
};
pub use word::Word;

/// The value of [`Report::schema`].
pub const SCHEMA: &str = "profiler.report/1";

/// One session: where every nanosecond of its read calls went, and how far to trust that.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// Name and version of this contract: `profiler.report/1`.
    pub schema: String,
    /// What made the report.
    pub tool: Tool,
    /// The machine that it was made on.
    pub host: Host,
    /// What was run and watched, and with which hooks.
    pub session: Session,
    /// One entry a workload and starting state; `run` and `attach` have one.
    pub scenarios: Vec<Scenario>,
    /// How far the numbers can be trusted.
    pub quality: Quality,
    /// What the numbers prove, in words.
    pub findings: Vec<Finding>,
}
