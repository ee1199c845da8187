//! What is lost of the throughput at the disk, and what of that the CPU knows.

use profiler::lab::{
    stats::{Spread, time, verdict},
    table::Table,
};

use super::super::{
    mode::Mode,
    results::{Measured, Results},
};

pub(super) fn tables(results: &Results) -> String {
    let of = |mode: Mode| {
        let all = results.measured.iter();
        all.filter(move |it| it.mode == mode && it.watched)
    };
    let modes: Vec<_> = Mode::rates()
        .filter(|mode| of(*mode).next().is_some())
        .collect();
    if modes.is_empty() {
        return String::new();
    }
    let measured = |watcher: &&str| results.of(watcher, modes[0], true).is_some();
    let watchers: Vec<_> = results.watchers().into_iter().filter(measured).collect();
    let mut without = Table::new(&[
        "nobody watches",
        "4 KiB reads per second",
        "on the CPU, each",
    ]);
    for &mode in &modes {
        let rates = of(mode).flat_map(|it| it.pairs.iter().map(|pair| 1e9 / pair.without));
        let cpu = of(mode).flat_map(|it| it.on_cpu.iter().map(|pair| pair.without));
        let cell = |spread: Option<Spread>, shown: fn(f64) -> String| {
            let shown = |it: Spread| {
                let Spread {
                    median,
                    lower,
                    upper,
                    ..
                } = it;
                format!("{} ({} to {})", shown(median), shown(lower), shown(upper))
            };
            spread.map_or("–".to_owned(), shown)
        };
        without.row(vec![
            mode.name().to_owned(),
            cell(Spread::of(rates), |rate| format!("{rate:.0}")),
            cell(Spread::of(cpu), time),
        ]);
    }
    let table = |first: &str, cell: fn(&Measured) -> String| {
        let head: Vec<_> = std::iter::once(first)
            .chain(watchers.iter().copied())
            .collect();
        let mut table = Table::new(&head);
        for &mode in &modes {
            let cells = watchers.iter().map(|watcher| {
                let measured = results.of(watcher, mode, true);
                measured.map_or("–".to_owned(), cell)
            });
            table.row(
                std::iter::once(mode.name().to_owned())
                    .chain(cells)
                    .collect(),
            );
        }
        table.text()
    };
    format!(
        "{}\n{}\n{}\nRandom reads find nothing in the page cache, sequential ones have readahead; \
         *direct*: past the\ncache; the number is that of threads. ~ before a number: no verdict, \
         the spread swallows it. What a\ndisk takes varies by more than a watcher adds; what the \
         readers do on the CPU varies less, and the\nshare behind it is that of the whole time of \
         a read: so much slower a single reader is by it. What a\nwatcher does in the interrupt \
         that ends a request counts there only where it interrupts a reader.\n",
        without.text(),
        table("throughput lost with", lost),
        table("time on the CPU added by", added),
    )
}

fn lost(measured: &Measured) -> String {
    let shares = measured.pairs.iter().map(|pair| 100.0 * pair.lost());
    let shares: Vec<_> = shares.collect();
    let unsure = unsure(&shares);
    Spread::of(shares).map_or("–".to_owned(), |it| {
        let Spread {
            median,
            lower,
            upper,
            ..
        } = it;
        format!("{unsure}{median:.1} % ({lower:.1} to {upper:.1})")
    })
}

fn added(measured: &Measured) -> String {
    let added: Vec<_> = measured.on_cpu.iter().map(|pair| pair.added()).collect();
    let unsure = unsure(&added);
    // Of several threads, the time from one end of theirs to the next is not that of a read.
    let threads = measured.mode.threads() as f64;
    let whole = Spread::of(measured.pairs.iter().map(|pair| pair.without * threads));
    match (Spread::of(added), whole) {
        (Some(it), Some(whole)) => {
            let share = 100.0 * it.median / whole.median;
            format!("{unsure}{} ({share:.1} %)", time(it.median))
        }
        _ => "–".to_owned(),
    }
}

fn unsure(differences: &[f64]) -> &'static str {
    if verdict(differences).is_one() {
        ""
    } else {
        "~"
    }
}
