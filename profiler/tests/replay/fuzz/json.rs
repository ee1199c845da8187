//! Steps on JSON.

use fastrand::Rng;
use serde_json::{Value, json};

/// A step on something in a value.
pub(super) fn step(value: &mut Value, other: &Value, random: &mut Rng) {
    let node = somewhere(value, random);
    match random.u8(..8) {
        0 => *node = absurd(random),
        1 => *node = any(other, random).clone(),
        2 => nest(node, random),
        _ => fitting(node, other, random),
    }
}

/// Something in a value, deep down more often than not.
fn somewhere<'a>(value: &'a mut Value, random: &mut Rng) -> &'a mut Value {
    let count = match &*value {
        Value::Array(items) => items.len(),
        Value::Object(fields) => fields.len(),
        _ => 0,
    };
    if count == 0 || random.u8(..8) == 0 {
        return value;
    }
    let at = random.usize(..count);
    match value {
        Value::Array(items) => somewhere(&mut items[at], random),
        Value::Object(fields) => match fields.values_mut().nth(at) {
            Some(field) => somewhere(field, random),
            None => unreachable!("there are as many fields"),
        },
        _ => unreachable!("it has parts"),
    }
}

fn any<'a>(value: &'a Value, random: &mut Rng) -> &'a Value {
    let parts: Vec<&Value> = match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(fields) => fields.values().collect(),
        _ => return value,
    };
    if parts.is_empty() || random.u8(..8) == 0 {
        return value;
    }
    any(parts[random.usize(..parts.len())], random)
}

/// Of the type that was there.
fn fitting(node: &mut Value, other: &Value, random: &mut Rng) {
    match node {
        Value::Null => *node = any(other, random).clone(),
        Value::Bool(known) => *known = !*known,
        Value::Number(number) => {
            let old = number.as_u64().unwrap_or(7);
            *node = match random.u8(..10) {
                0 => json!(u64::MAX),
                1 => json!(u64::MAX - random.u64(..3)),
                2 => json!(0),
                3 => json!(old.wrapping_add(1)),
                4 => json!(old.wrapping_mul(random.u64(..))),
                5 => json!(1u64 << random.u32(..64)),
                6 => json!(-(random.u64(..1 << 40) as i64)),
                7 => json!(random.f64() * 1e3 - 1.0),
                8 => json!(f64::MAX),
                _ => json!(random.u32(..)),
            };
        }
        Value::String(text) => *text = words(text, random),
        Value::Array(items) => {
            let at = random.usize(..items.len().max(1));
            match random.u8(..5) {
                _ if items.is_empty() => items.push(any(other, random).clone()),
                0 => drop(items.remove(at)),
                1 => random.shuffle(items),
                2 => items.truncate(at),
                3 => items.insert(at, any(other, random).clone()),
                _ => {
                    let item = items[at].clone();
                    let times = [1, 2, 20, 300][random.usize(..4)];
                    items.extend(std::iter::repeat_n(item, times));
                }
            }
        }
        Value::Object(fields) => {
            let names: Vec<String> = fields.keys().cloned().collect();
            if names.is_empty() {
                fields.insert("new".to_owned(), absurd(random));
                return;
            }
            let (one, two) = (random.choice(&names), random.choice(&names));
            let (Some(one), Some(two)) = (one, two) else {
                return;
            };
            match random.u8(..4) {
                0 => drop(fields.remove(one)),
                1 => {
                    let field = fields[one].clone();
                    fields.insert(two.clone(), field);
                }
                2 => {
                    fields.insert(words(one, random), absurd(random));
                }
                _ => {
                    fields.insert(one.clone(), any(other, random).clone());
                }
            }
        }
    }
}

/// Texts that do something to a terminal, to a table, or to who counts columns.
fn words(old: &str, random: &mut Rng) -> String {
    const ODD: [&str; 14] = [
        "",
        "\u{1b}[2J\u{7}",
        "\u{202e}txt",
        "\u{2764}\u{fe0f}",
        "\u{1f469}\u{200d}\u{1f52c}",
        "e\u{301}\u{301}\u{301}",
        "日本語",
        "\u{0}",
        "\n\r\t",
        "cpu",
        "device",
        "foreign",
        "cold-random",
        "a b  c",
    ];
    let odd = ODD[random.usize(..ODD.len())];
    match random.u8(..4) {
        0 => odd.to_owned(),
        1 => odd.repeat(random.usize(1..400)),
        2 => format!("{old}{odd}"),
        _ => {
            let mut text: Vec<char> = old.chars().collect();
            let at = random.usize(..=text.len());
            text.splice(at..at, odd.chars());
            text.into_iter().collect()
        }
    }
}

fn nest(node: &mut Value, random: &mut Rng) {
    // serde_json goes 128 deep.
    for _ in 0..[1, 5, 126, 127, 128, 400][random.usize(..6)] {
        *node = Value::Array(vec![std::mem::take(node)]);
    }
}

fn absurd(random: &mut Rng) -> Value {
    match random.u8(..9) {
        0 => Value::Null,
        1 => json!(u64::MAX),
        2 => json!(i64::MIN),
        3 => json!(1e300),
        4 => json!(""),
        5 => json!([]),
        6 => json!({}),
        7 => json!([[u32::MAX, u64::MAX], [0, u64::MAX], [1151, 1]]),
        _ => json!(words("x", random)),
    }
}
