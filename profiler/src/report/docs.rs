//! docs/report.md, from the schema.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::schema;

const HEAD: &str = "\
# The report, field by field

What `--json FILE` writes: the contract `profiler.report/1`. It grows: fields are
added, never renamed, and never change their meaning. `profiler schema` prints the
same as JSON Schema.

Times are nanoseconds, sizes bytes, shares fractions from 0 to 1, unless a field says
otherwise. `null` means that it is not known (this kernel lacks the hook, or nobody
recorded it); 0 means that it was looked for and there was none. Strings from outside
(paths, names of threads) are UTF-8; bytes of them that are not appear as `\\xNN`. They
may hold control characters: a program that prints them must escape them.

This page is made from the doc comments of `profiler/src/report/v1`. After a change
there: `UPDATE_DOCS=1 cargo test -p profiler --test report`.
";

/// docs/report.md: every field of the report with its type and meaning.
pub fn docs_markdown() -> String {
    let schema = schema();
    let mut page = HEAD.to_owned();
    section(&mut page, "Report", &schema);
    if let Some(definitions) = schema.get("$defs").and_then(Value::as_object) {
        for name in reading_order(&schema, definitions) {
            if let Some(definition) = definitions.get(&name) {
                section(&mut page, &name, definition);
            }
        }
    }
    page
}

/// Definitions in the order in which somebody who reads the report meets them.
fn reading_order(schema: &Value, definitions: &Map<String, Value>) -> Vec<String> {
    let mut order: Vec<String> = Vec::new();
    let mut stack: Vec<String> = references(schema).into_iter().rev().collect();
    while let Some(name) = stack.pop() {
        if order.contains(&name) {
            continue;
        }
        if let Some(definition) = definitions.get(&name) {
            stack.extend(references(definition).into_iter().rev());
        }
        order.push(name);
    }
    order
}

fn references(schema: &Value) -> Vec<String> {
    let properties = schema.get("properties").and_then(Value::as_object);
    properties
        .into_iter()
        .flatten()
        .filter_map(|(_, field)| reference(field))
        .collect()
}

fn reference(field: &Value) -> Option<String> {
    if let Some(name) = field.get("$ref").and_then(Value::as_str) {
        return name.rsplit('/').next().map(str::to_owned);
    }
    let any_of = field.get("anyOf").and_then(Value::as_array);
    let inner = any_of.into_iter().flatten().chain(field.get("items"));
    inner.filter_map(reference).next()
}

fn section(page: &mut String, name: &str, schema: &Value) {
    // Writing to a string cannot fail.
    let _ = write!(page, "\n## {name}\n\n{}\n", description(schema));
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        page.push_str("\n| field | type | meaning |\n|---|---|---|\n");
        for (field, schema) in properties {
            let meaning = description(schema).replace('\n', " ").replace('|', "\\|");
            let _ = writeln!(page, "| `{field}` | {} | {meaning} |", type_of(schema));
        }
    }
    if let Some(words) = schema.get("oneOf").and_then(Value::as_array) {
        page.push_str("\n| value | meaning |\n|---|---|\n");
        for word in words {
            let value = word
                .get("const")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let _ = writeln!(
                page,
                "| `{value}` | {} |",
                description(word).replace('\n', " ")
            );
        }
    }
}

fn description(schema: &Value) -> String {
    schema
        .get("description")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// A field's type in words: `integer`, `string or null`, `array of [Wait](#wait)`.
fn type_of(schema: &Value) -> String {
    if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
        let name = name.rsplit('/').next().unwrap_or(name);
        return format!("[{name}](#{})", name.to_lowercase());
    }
    if let Some(options) = schema.get("anyOf").and_then(Value::as_array) {
        return options.iter().map(type_of).collect::<Vec<_>>().join(" or ");
    }
    let words = match schema.get("type") {
        Some(Value::String(word)) => word.clone(),
        Some(Value::Array(words)) => words
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(" or "),
        _ => "any".to_owned(),
    };
    match (
        words.as_str(),
        schema.get("items"),
        schema.get("additionalProperties"),
    ) {
        ("array", Some(items), _) => format!("array of {}", type_of(items)),
        ("object", _, Some(values)) => format!("object, each value a {}", type_of(values)),
        _ => words,
    }
}
