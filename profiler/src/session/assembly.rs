//! Entries → report.

use std::mem;

use anyhow::{Context as _, Result, bail};
use profiler_common::{
    fact::{KINDS, kind_name},
    histogram::{self, BUCKETS},
};

use super::translate;
use crate::{
    blame::{self, blame},
    correlate::{Came, Correlator},
    host::{files::Files, stacks::Stacks},
    recording::{Beginning, Closing, Ending, Entry, File, Opening},
    report::{
        Context, Observed, Tally, assemble, quality,
        v1::{Hook, Report, Scenario, Session, Word},
    },
    ring::{Fact, records},
    sink::{Names, Sink},
};

/// A bench has seven; more is no session's.
const MAX_SCENARIOS: usize = 1_000;

/// Takes a session's entries in order and ends as its report. Whatever else is made of the
/// session is made by a sink.
#[derive(Debug, Default)]
pub struct Assembly<S = ()> {
    sink: S,
    opening: Option<Opening>,
    /// The opening's hooks, as the report has them.
    hooks: Vec<Hook>,
    scenario: Option<Running>,
    scenarios: Vec<Scenario>,
    known: Known,
    received: [u64; KINDS],
    malformed: u64,
    odd: u64,
    orphans: u64,
    left_open: u64,
    stray: u64,
    closing: Option<Closing>,
}

/// A scenario that is going on.
#[derive(Debug)]
struct Running {
    beginning: Beginning,
    correlator: Correlator,
    tally: Tally,
}

/// What the stages ask for by number.
#[derive(Debug, Default)]
struct Known {
    stacks: Stacks,
    files: Files,
}

impl blame::Stacks for Known {
    fn frames(&self, id: u32) -> Option<&[String]> {
        self.stacks.frames(id)
    }
}

impl Names for Known {
    fn frames(&self, stack: u32) -> Vec<String> {
        self.stacks
            .frames(stack)
            .map(<[String]>::to_vec)
            .unwrap_or_default()
    }

    fn path(&self, dev: u32, inode: u64, name: &[u8; 32]) -> Option<String> {
        self.files.path(dev, inode, name).map(String::from)
    }
}

impl<S: Sink> Assembly<S> {
    /// With a sink beside the report's.
    pub fn with(sink: S) -> Self
    where
        S: Default,
    {
        Self {
            sink,
            ..Self::default()
        }
    }

    /// Takes the next entry.
    ///
    /// # Errors
    ///
    /// Entries that do not follow each other as a session's do.
    pub fn take(&mut self, entry: Entry<'_>) -> Result<()> {
        if self.closing.is_some() {
            bail!("the session goes on after its closing");
        }
        match entry {
            Entry::Opening(mut opening) => {
                let hooks = mem::take(&mut opening.hooks).into_iter();
                self.hooks = hooks.map(translate::hook).collect();
                if self.opening.replace(opening).is_some() {
                    bail!("the session opens twice");
                }
            }
            Entry::Beginning(beginning) => {
                if self.scenario.is_some() {
                    bail!("scenario {:?} begins inside another", beginning.name);
                }
                if self.scenarios.len() >= MAX_SCENARIOS {
                    bail!("more scenarios than a session has");
                }
                let slowest = self.opening().map(|opening| opening.slowest)?;
                self.sink.begin(&beginning.name);
                self.scenario = Some(Running {
                    beginning,
                    correlator: Correlator::default(),
                    tally: Tally::new(slowest.min(1_000)),
                });
            }
            Entry::Stack(stack) => self.known.stacks.insert(stack.id, stack.frames)?,
            Entry::File(file) => {
                let File {
                    dev,
                    inode,
                    name,
                    path,
                } = file;
                self.known.files.insert(dev, inode, &name, path)?;
            }
            Entry::Facts(facts) => self.facts(facts),
            Entry::Tick(tick) => self.sink.tick(tick.at_ns),
            Entry::Ending(ending) => {
                let scenario = self.end(*ending)?;
                self.scenarios.push(scenario);
                self.sink.end();
            }
            Entry::Closing(closing) => self.closing = Some(*closing),
        }
        Ok(())
    }

    /// Takes records that lie one after the other.
    fn facts(&mut self, bytes: &[u8]) {
        for record in records(bytes) {
            match record {
                Ok(fact) => self.fact(fact),
                Err(_) => self.malformed += 1,
            }
        }
    }

    fn fact(&mut self, fact: Fact) {
        let head = fact.head();
        self.received[head.kind as usize] += 1;
        let Some(Running {
            correlator, tally, ..
        }) = &mut self.scenario
        else {
            self.stray += 1;
            return;
        };
        match correlator.fact(fact) {
            Came::Call(call) => {
                let verdict = blame(&call, &self.known);
                tally.ended(&call, &verdict, &self.known);
                self.sink.ended(&call, &verdict, &self.known);
            }
            Came::LateRequest(request) => {
                tally.request(&request.request);
                self.sink.request(&request.request);
            }
            Came::Kept | Came::LeftOut => {}
        }
    }

    fn opening(&self) -> Result<&Opening> {
        self.opening.as_ref().context("the session has no opening")
    }

    fn end(&mut self, ending: Ending) -> Result<Scenario> {
        let Running {
            beginning,
            correlator,
            mut tally,
        } = self
            .scenario
            .take()
            .context("a scenario ends that never began")?;
        for settled in &ending.settled {
            let mut buckets = vec![0; BUCKETS];
            for &(bucket, calls) in &settled.buckets {
                if let Some(slot) = buckets.get_mut(bucket as usize) {
                    *slot = calls;
                }
            }
            let sums = histogram::Settled {
                calls: settled.calls,
                ns: settled.ns,
                bytes: settled.bytes,
            };
            tally.settled(settled.class, &sums, &buckets);
        }
        self.orphans += correlator.orphans();
        self.odd += correlator.odd();
        self.left_open += correlator.finish().len() as u64;
        let opening = self.opening()?;
        Ok(tally.finish(&Context {
            name: &beginning.name,
            workload: &translate::workload(ending.workload),
            wall_ns: ending.wall_ns,
            missed: translate::missed(ending.missed),
            names: &self.known,
            devices: &opening.devices,
            hooks: &self.hooks,
            readings: &translate::readings(ending.readings),
        }))
    }

    /// The report of what was taken, and the sink. A session that was cut off gives a report
    /// of what there is, with notes that say so.
    ///
    /// # Errors
    ///
    /// There was not even an opening.
    pub fn finish(mut self) -> Result<(Report, S)> {
        let opening = self.opening.take().context("the session has no opening")?;
        let whole = self.closing.is_some();
        let closing = self.closing.take().unwrap_or_default();
        let mut notes = closing.notes.clone();
        if !whole {
            notes.push("the session was cut off: what came after is missing".into());
        }
        if let Some(running) = &self.scenario {
            self.odd += running.correlator.odd();
            notes.push(format!(
                "scenario {:?} was cut off and is left out",
                running.beginning.name
            ));
        }
        if self.orphans > 0 {
            notes.push(format!(
                "{} calls have facts but lost their end",
                self.orphans
            ));
        }
        if self.stray > 0 {
            notes.push(format!("{} facts came between scenarios", self.stray));
        }
        let mut counters = closing.counts;
        if !whole {
            // What the kernel side counted came with the closing.
            counters.made = self.received;
        }
        // What arrived and what was lost must be all that was made.
        for (kind, &arrived) in (0..).zip(&self.received) {
            let told = counters.made[kind].saturating_sub(counters.lost[kind]);
            if whole && told != arrived {
                notes.push(format!(
                    "of facts of kind {}, {told} were sent but {arrived} arrived",
                    kind_name(kind as u32)
                ));
            }
        }
        let misses = closing.recursion_misses_by_hook.into_iter();
        let observed = Observed {
            counters,
            open_calls: closing.open_calls.max(self.left_open),
            recursion_misses: closing.recursion_misses,
            recursion_misses_by_hook: misses.map(translate::hook_misses).collect(),
            bpf_users: closing
                .bpf_users
                .into_iter()
                .map(translate::bpf_user)
                .collect(),
            malformed: self.malformed,
            arrived: self.received,
            odd: self.odd,
            own: translate::own_cost(closing.own),
            unnamed_stacks: closing.unnamed_stacks,
            is_cut_off: !whole,
            notes,
        };
        let quality = quality(&observed, &self.scenarios, &self.hooks);
        let session = Session {
            command: opening.command,
            started_at: opening.started_at,
            duration_ns: closing.duration_ns,
            target: opening.target,
            entry: Word::from_text(&opening.entry),
            preemptible: opening.preemptible,
            hooks: self.hooks,
        };
        let report = assemble(
            translate::tool(opening.tool),
            translate::host(opening.host),
            session,
            self.scenarios,
            quality,
        );
        Ok((report, self.sink))
    }
}
