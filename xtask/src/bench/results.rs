//! All that was measured, as it goes into the JSON file and onto the page.

use serde::{Deserialize, Serialize};

use super::{mode::Mode, stats::Pair};
use crate::proof::machine::Machine;

/// Of one run.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Results {
    pub(crate) machine: Machine,
    /// Programs and what they call themselves.
    pub(crate) versions: Vec<(String, String)>,
    pub(crate) rounds: usize,
    pub(crate) quick: bool,
    /// The load (one minute) at the beginning: what else went on.
    pub(crate) load: f64,
    pub(crate) tools: Vec<Tool>,
    pub(crate) measured: Vec<Measured>,
    pub(crate) fio: Vec<Fio>,
    pub(crate) sessions: Vec<Session>,
    pub(crate) recordings: Vec<Recording>,
    /// Rounds that were left out, and why.
    pub(crate) notes: Vec<String>,
}

/// A tool that was tried.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Tool {
    pub(crate) name: String,
    pub(crate) command: String,
    /// Why it does not work here.
    pub(crate) refused: Option<String>,
    /// From its start until its probes were on, each time.
    pub(crate) seconds: Vec<f64>,
}

/// Rounds of one mode, with a watcher and without.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Measured {
    pub(crate) watcher: String,
    pub(crate) mode: Mode,
    /// Whether the process that was measured is the one that was watched.
    pub(crate) watched: bool,
    pub(crate) pairs: Vec<Pair>,
    /// Of the same rounds, only the time on the CPU.
    pub(crate) on_cpu: Vec<Pair>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Fio {
    pub(crate) watcher: String,
    pub(crate) job: String,
    pub(crate) pairs: Vec<Pair>,
}

/// One session of the profiler, by its own report.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Session {
    pub(crate) what: String,
    pub(crate) seconds: f64,
    pub(crate) calls: u64,
    pub(crate) facts: u64,
    pub(crate) lost: u64,
    pub(crate) cpu_ns: u64,
    /// Time in the probes.
    pub(crate) bpf_ns: Option<u64>,
    pub(crate) peak_bytes: u64,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Recording {
    pub(crate) facts: u64,
    pub(crate) bytes: u64,
    /// What replaying it takes, each time.
    pub(crate) seconds: Vec<f64>,
}

impl Results {
    /// All runs as one that has the rounds of all of them.
    pub(crate) fn merged(runs: &[Self]) -> Self {
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

    pub(crate) fn of(&self, watcher: &str, mode: Mode, watched: bool) -> Option<&Measured> {
        let mut all = self.measured.iter();
        all.find(|it| it.watcher == watcher && it.mode == mode && it.watched == watched)
    }

    /// Watchers in the order in which they were measured.
    pub(crate) fn watchers(&self) -> Vec<&str> {
        let mut names = Vec::new();
        for measured in &self.measured {
            if !names.contains(&measured.watcher.as_str()) {
                names.push(&measured.watcher);
            }
        }
        names
    }

    pub(crate) fn note(&mut self, what: String) {
        eprintln!("bench: {what}");
        if !self.notes.contains(&what) {
            self.notes.push(what);
        }
    }
}
