//! Numbers as people read them.

const NANOSECONDS: [(&str, u64); 4] = [
    ("ns", 1),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
];
const BINARY: [(&str, u64); 5] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// A time in nanoseconds with three significant digits: `412 ns`, `95.2 µs`, `1.20 s`.
pub fn time(ns: u64) -> String {
    scaled(ns, &NANOSECONDS)
}

/// A size in bytes with three significant digits: `12.0 MiB`.
pub fn size(bytes: u64) -> String {
    scaled(bytes, &BINARY)
}

/// A size in bytes that is likely to be round: `4 KiB`, `256 MiB`, else as [`size`].
pub fn round_size(bytes: u64) -> String {
    match BINARY.iter().rev().find(|(_, scale)| bytes >= *scale) {
        Some((unit, scale)) if bytes.is_multiple_of(*scale) => {
            format!("{} {unit}", bytes / scale)
        }
        _ => size(bytes),
    }
}

/// A rate in bytes a second as MiB/s, with three significant digits and no unit:
/// `43.2`, `8,412`.
pub fn mebibytes(bytes_per_s: u64) -> String {
    let number = bytes_per_s as f64 / f64::from(1 << 20);
    match digits_after_point(number, 1 << 20) {
        0 => count(number.round() as u64),
        digits => format!("{number:.digits$}"),
    }
}

/// A number with separators: `65,536`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of things: `1 call`, `65,536 calls`.
pub fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// A fraction as percent with one digit: `98.4%`, `<0.1%` if it is not quite 0, and
/// `100%` only if it is.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        p if p <= 0.0 => "0%".to_owned(),
        p if p < 0.05 => "<0.1%".to_owned(),
        p if p >= 100.0 => "100%".to_owned(),
        p if p >= 99.95 => ">99.9%".to_owned(),
        p => format!("{p:.1}%"),
    }
}

/// How many times as much: `23×`, `2.4×`.
pub fn ratio(ratio: f64) -> String {
    if ratio < 9.95 {
        format!("{ratio:.1}×")
    } else {
        format!("{}×", count(ratio.round() as u64))
    }
}

/// A whole in nanoseconds and its parts, all in the unit of the whole and without
/// repeating it: `2.31 ms` and `1.60`, `0.61`, … A part that would show as zero is `None`.
pub fn parts(whole: u64, parts: impl IntoIterator<Item = u64>) -> Vec<Option<String>> {
    let (_, scale) = unit(whole, &NANOSECONDS);
    let digits = digits_after_point(whole as f64 / scale as f64, scale);
    let least = 0.5 * 10f64.powi(-(digits as i32));
    parts
        .into_iter()
        .map(|part| part as f64 / scale as f64)
        .map(|part| (part >= least).then(|| format!("{part:.digits$}")))
        .collect()
}

/// The unit in which a value takes at most three digits before the point, chosen
/// after rounding: 999.96 µs is shown as 1.00 ms.
fn unit(value: u64, units: &[(&'static str, u64)]) -> (&'static str, u64) {
    let mut chosen = units.first().copied().unwrap_or(("", 1));
    for &(name, scale) in units {
        if (value as f64 / chosen.1 as f64).round() >= 1000.0 && scale > chosen.1 {
            chosen = (name, scale);
        }
    }
    chosen
}

fn scaled(value: u64, units: &[(&'static str, u64)]) -> String {
    let (name, scale) = unit(value, units);
    let number = value as f64 / scale as f64;
    let digits = digits_after_point(number, scale);
    format!("{number:.digits$} {name}")
}

fn digits_after_point(number: f64, scale: u64) -> usize {
    match number {
        _ if scale == 1 => 0,
        n if n < 9.995 => 2,
        n if n < 99.95 => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_three_significant_digits() {
        for (ns, text) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1.00 µs"),
            (9_994, "9.99 µs"),
            (9_996, "10.0 µs"),
            (95_230, "95.2 µs"),
            (99_960, "100 µs"),
            (999_499, "999 µs"),
            (999_500, "1.00 ms"),
            (2_310_000, "2.31 ms"),
            (999_999_999, "1.00 s"),
            (75_000_000_000, "75.0 s"),
            (4_321_000_000_000, "4321 s"),
        ] {
            assert_eq!(time(ns), text);
        }
    }

    #[test]
    fn sizes_are_round_where_they_are() {
        assert_eq!(round_size(4096), "4 KiB");
        assert_eq!(round_size(256 << 20), "256 MiB");
        assert_eq!(round_size(0), "0 B");
        assert_eq!(round_size(100_000), "97.7 KiB");
        assert_eq!(size(12 << 20), "12.0 MiB");
        assert_eq!(size(1023), "1.00 KiB");
        assert_eq!(size(1 << 20), "1.00 MiB");
    }

    #[test]
    fn rates_have_one_unit() {
        assert_eq!(mebibytes(8_820_768_358), "8,412");
        assert_eq!(mebibytes(45_298_483), "43.2");
        assert_eq!(mebibytes(100_000), "0.10");
    }

    #[test]
    fn counts_have_separators() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (65_536, "65,536")] {
            assert_eq!(count(number), text);
        }
        assert_eq!(count(1_234_567), "1,234,567");
    }

    #[test]
    fn percent_never_rounds_to_nothing_or_to_all() {
        for (share, text) in [
            (0.0, "0%"),
            (0.000_01, "<0.1%"),
            (0.001, "0.1%"),
            (0.984, "98.4%"),
            (0.9999, ">99.9%"),
            (1.0, "100%"),
        ] {
            assert_eq!(percent(share), text);
        }
    }

    #[test]
    fn parts_share_the_unit_of_the_whole() {
        let texts = parts(2_310_000, [1_600_000, 610_000, 80_000, 20_000, 0, 4_000]);
        let texts: Vec<_> = texts
            .iter()
            .map(|text| text.as_deref().unwrap_or("-"))
            .collect();
        assert_eq!(texts, ["1.60", "0.61", "0.08", "0.02", "-", "-"]);
        assert_eq!(
            parts(412, [400, 12]),
            [Some("400".to_owned()), Some("12".to_owned())]
        );
    }
}
