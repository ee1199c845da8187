//! The JSON Schema of the report.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::v1::Report;

/// The JSON Schema (draft 2020-12) of `profiler.report/1`. It allows fields that it
/// does not know, since the contract grows.
pub fn schema() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    settings
        .into_generator()
        .into_root_schema_for::<Report>()
        .to_value()
}
