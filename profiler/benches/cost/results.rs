//! All that was measured, as it goes into the JSON file and onto the page.

use profiler::lab::{machine::Machine, stats::Pair};
use serde::{Deserialize, Serialize};

use super::mode::Mode;

/// Of one run.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(super) struct Results {
    pub(super) machine: Machine,
    /// Programs and what they call themselves.
    pub(super) versions: Vec<(String, String)>,
    pub(super) rounds: usize,
    pub(super) quick: bool,
    /// The load (one minute) at the beginning: what else went on.
    pub(super) load: f64,
    pub(super) tools: Vec<Tool>,
    pub(super) measured: Vec<Measured>,
    pub(super) fio: Vec<Fio>,
    pub(super) sessions: Vec<Session>,
    pub(super) recordings: Vec<Recording>,
    /// Rounds that were left out, and why.
    pub(super) notes: Vec<String>,
}

/// A tool that was tried.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Tool {
    pub(super) name: String,
    pub(super) command: String,
    /// Why it does not work here.
    pub(super) refused: Option<String>,
    /// From its start until its probes were on, each time.
    pub(super) seconds: Vec<f64>,
}

/// Rounds of one mode, with a watcher and without.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Measured {
    pub(super) watcher: String,
    pub(super) mode: Mode,
    /// Whether the process that was measured is the one that was watched.
    pub(super) watched: bool,
    pub(super) pairs: Vec<Pair>,
    /// Of the same rounds, only the time on the CPU.
    pub(super) on_cpu: Vec<Pair>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Fio {
    pub(super) watcher: String,
    pub(super) job: String,
    pub(super) pairs: Vec<Pair>,
}

/// One session of the profiler, by its own report.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Session {
    pub(super) what: String,
    pub(super) seconds: f64,
    pub(super) calls: u64,
    pub(super) facts: u64,
    pub(super) lost: u64,
    pub(super) cpu_ns: u64,
    /// Time in the probes.
    pub(super) bpf_ns: Option<u64>,
    pub(super) peak_bytes: u64,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Recording {
    pub(super) facts: u64,
    pub(super) bytes: u64,
    /// What replaying it takes, each time.
    pub(super) seconds: Vec<f64>,
}

impl Results {
    /// All runs as one that has the rounds of all of them.
    pub(super) fn merged(runs: &[Self]) -> Self {
        let mut runs = runs.iter().cloned();
        let mut all = runs.next().unwrap_or_default();
        for run in runs {
            for one in run.measured {
                let is_it = |it: &&mut Measured| {
                    (&it.watcher, it.mode, it.watched) == (&one.watcher, one.mode, one.watched)
                };
                match all.measured.iter_mut().find(is_it) {
                    Some(it) => {
                        it.pairs.extend(one.pairs);
                        it.on_cpu.extend(one.on_cpu);
                    }
                    None => all.measured.push(one),
                }
            }
            for one in run.fio {
                let is_it = |it: &&mut Fio| (&it.watcher, &it.job) == (&one.watcher, &one.job);
                match all.fio.iter_mut().find(is_it) {
                    Some(it) => it.pairs.extend(one.pairs),
                    None => all.fio.push(one),
                }
            }
            for one in run.tools {
                match all.tools.iter_mut().find(|it| it.name == one.name) {
                    Some(it) => {
                        it.seconds.extend(one.seconds);
                        it.refused = it.refused.take().or(one.refused);
                    }
                    None => all.tools.push(one),
                }
            }
            all.sessions.extend(run.sessions);
            all.recordings.extend(run.recordings);
            all.notes.extend(run.notes);
        }
        // The same sessions next to each other.
        all.sessions.sort_by(|a, b| a.what.cmp(&b.what));
        all.notes.sort();
        all.notes.dedup();
        all
    }

    pub(super) fn of(&self, watcher: &str, mode: Mode, watched: bool) -> Option<&Measured> {
        let mut all = self.measured.iter();
        all.find(|it| it.watcher == watcher && it.mode == mode && it.watched == watched)
    }

    /// Watchers in the order in which they were measured.
    pub(super) fn watchers(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for measured in &self.measured {
            if !names.contains(&measured.watcher.as_str()) {
                names.push(&measured.watcher);
            }
        }
        names
    }

    pub(super) fn note(&mut self, what: String) {
        eprintln!("bench: {what}");
        if !self.notes.contains(&what) {
            self.notes.push(what);
        }
    }
}
