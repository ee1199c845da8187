//! What the profiler adds, divided by what others do.

use profiler::lab::{
    stats::{self, Pair},
    table::Table,
};

use super::super::{
    mode::Mode,
    results::Results,
    watcher::{CAUSES, CLOCK, EVERY_CALL, FLOOR, HISTOGRAM, PROFILER},
};

/// What something is added to.
enum What {
    Slice(Mode, bool),
    /// A job of fio's, by its name.
    Fio(&'static str),
}

const WHAT: [(&str, What); 5] = [
    ("warm read, watched", What::Slice(Mode::Warm, true)),
    ("warm read of fio, watched", What::Fio("warm 4 KiB read")),
    (
        "system call, not watched",
        What::Slice(Mode::Syscall, false),
    ),
    (
        "context switch, not watched",
        What::Slice(Mode::Switch, false),
    ),
    (
        "block request, not watched",
        What::Slice(Mode::DirectRandom1, false),
    ),
];

impl What {
    fn is_watched(&self) -> bool {
        matches!(self, Self::Slice(_, true) | Self::Fio(_))
    }

    /// What a watcher adds to it, a round each; nothing where it was not measured.
    fn added(&self, results: &Results, watcher: &str) -> Vec<f64> {
        let pairs = match self {
            Self::Slice(mode, watched) => results.of(watcher, *mode, *watched).map(|it| &it.pairs),
            Self::Fio(job) => {
                let mut all = results.fio.iter();
                let found = all.find(|it| it.watcher == watcher && it.job == *job);
                found.map(|it| &it.pairs)
            }
        };
        let pairs = pairs.map(Vec::as_slice).unwrap_or_default();
        pairs.iter().copied().map(Pair::added).collect()
    }
}

/// Of all rounds, and of each run's by themselves.
pub(super) fn table(runs: &[Results]) -> String {
    let all = Results::merged(runs);
    let others = all.watchers();
    let others = others.iter().filter(|name| !name.starts_with(PROFILER));
    let mut table = Table::new(&[
        "what is added by",
        "divided by",
        "added to a",
        "ratio",
        "by run",
    ]);
    for (name, what) in &WHAT {
        for ours in [PROFILER, EVERY_CALL] {
            for &theirs in others.clone() {
                if !what.is_watched() && ours == EVERY_CALL {
                    continue;
                }
                let ratio = |results: &Results| {
                    let (a, b) = (what.added(results, ours), what.added(results, theirs));
                    stats::ratio(&a, &b)
                };
                let cell = |ratio: Option<f64>| ratio.map(|it| format!("{it:.2}"));
                if what.added(&all, ours).is_empty() || what.added(&all, theirs).is_empty() {
                    continue;
                }
                let main = [FLOOR, CLOCK, HISTOGRAM, CAUSES].contains(&theirs);
                // Where there is none, that is worth a row only of what one would ask for.
                let none = || main.then(|| "no verdict on one of them".to_owned());
                if let Some(whole) = cell(ratio(&all)).or_else(none) {
                    let each = runs
                        .iter()
                        .map(|run| cell(ratio(run)).unwrap_or("–".into()));
                    let each = each.collect::<Vec<_>>().join(" / ");
                    table.row(vec![
                        ours.into(),
                        theirs.into(),
                        (*name).into(),
                        whole,
                        each,
                    ]);
                }
            }
        }
    }
    table.text_or_nothing()
}
