//! The one driver of live sessions, whatever is watched.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use tokio::time::MissedTickBehavior;

use super::{
    interrupt::Interrupt,
    live::{Live, TICK},
    plan::{Plan, Selection, Target},
    ready::Ready,
    target::{After, Bench, Command, Process, Run, Watched},
};
use crate::{report::v1::Report, sink::Sink};

/// A session that is over.
#[derive(Debug)]
pub struct Driven<S> {
    /// The report, complete.
    pub report: Report,
    /// The sink that [`drive`] was given, with what it made of the session.
    pub sink: S,
    /// The target's exit code, or what a shell gives for the signal that ended the session.
    pub code: u8,
}

/// Says what is being done; the answer takes it back.
pub type Voice<'a> = dyn Fn(Message) -> Box<dyn Said> + 'a;

/// What there is to say while a session goes on.
#[derive(Clone, Debug)]
pub enum Message {
    /// A file of so many bytes is being made.
    MakingFile(u64),
    /// This is going on.
    Doing(String),
}

/// Something that was said, and is taken back when it is dropped.
pub trait Said {
    /// So many bytes are done.
    fn bytes(&self, done: u64);
}

/// Opens the session, carries out the plan, and closes it.
///
/// # Errors
///
/// The plan cannot be carried out; what keeps the probes from being loaded; the recording
/// cannot be written.
pub async fn drive<S: Sink + Default>(
    plan: Plan,
    sink: S,
    interrupt: &Interrupt,
    voice: &Voice<'_>,
) -> Result<Driven<S>> {
    super::open::refuse_other_process_ids()?;
    plan.validate()?;
    let Plan {
        command,
        target,
        until,
        interval,
        selection,
        record,
        ready,
        load,
    } = plan;
    let open = |target: String| {
        super::open::open(
            super::live::Opened {
                command,
                target,
                slowest: selection.slowest,
                record,
                load,
            },
            sink,
        )
    };
    let mut stretch = Stretch {
        until,
        interval,
        selection,
        ready: Ready::new(ready),
        interrupt,
    };
    match target {
        Target::Reader(plan) => {
            let mut bench = Bench::new(plan)?;
            let mut live = open(bench.words())?;
            if bench.open(&mut live, interrupt, voice)? {
                for scenario in bench.scenarios() {
                    if interrupt.asked() {
                        break;
                    }
                    bench_one(&bench, scenario, &mut live, &mut stretch, voice)
                        .await
                        .with_context(|| format!("scenario {}", scenario.name))?;
                }
            }
            if interrupt.asked() {
                live.note("the session was interrupted: not all of it was done".into());
            }
            let (report, sink) = live.close(0)?;
            let code = interrupt.exit_code();
            Ok(Driven { report, sink, code })
        }
        Target::Command(words) => {
            let mut live = open(Command::words(&words))?;
            let mut command = Command::start(&words)?;
            stretch.watch(&mut live, &mut command).await?;
            let code = command.reap()?;
            let (report, sink) = live.close(0)?;
            Ok(Driven { report, sink, code })
        }
        Target::Process(pid) => {
            let mut process = Process::find(pid)?;
            let mut live = open(process.words())?;
            stretch.watch(&mut live, &mut process).await?;
            let (report, sink) = live.close(process.open_calls())?;
            Ok(Driven {
                report,
                sink,
                code: 0,
            })
        }
    }
}

async fn bench_one<S: Sink + Default>(
    bench: &Bench,
    scenario: &'static crate::workload::Scenario,
    live: &mut Live<S>,
    stretch: &mut Stretch<'_>,
    voice: &Voice<'_>,
) -> Result<()> {
    let bringing = voice(Message::Doing(format!(
        "{}: bringing about its state",
        scenario.name
    )));
    let Some(mut run) = Run::prepare(bench, scenario, stretch.interrupt)? else {
        return Ok(());
    };
    drop(bringing);
    let _said = voice(Message::Doing(format!(
        "{}: {}",
        scenario.name, scenario.summary
    )));
    stretch.watch(live, &mut run).await?;
    run.finish()
}

/// What all scenarios of a session have in common.
struct Stretch<'a> {
    until: Option<Duration>,
    interval: Option<Duration>,
    selection: Selection,
    ready: Ready,
    interrupt: &'a Interrupt,
}

impl Stretch<'_> {
    /// One scenario, from its begin to its witnesses.
    async fn watch<S: Sink + Default, W: Watched>(
        &mut self,
        live: &mut Live<S>,
        watched: &mut W,
    ) -> Result<()> {
        watched.before(live)?;
        let control = self.selection.control(watched.target());
        live.begin(watched.name(), watched.workload(), control)?;
        self.ready.tell();
        watched.go().await?;
        let started = Instant::now();
        let ended = watched.ended();
        tokio::pin!(ended);
        let timeout = after(self.until);
        tokio::pin!(timeout);
        let mut tick = tokio::time::interval(TICK);
        // Ticks that were missed would be made up for, and keep whatever ends the session waiting.
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut interval = Interval::new(self.interval);
        let mut told = false;
        let ended = loop {
            // In this order: facts may come as fast as they are taken, and then there is always a
            // tick to do.
            tokio::select! {
                biased;
                ended = &mut ended => break Some(ended?),
                () = &mut timeout => break None,
                () = self.interrupt.wait(), if !told => {
                    told = true;
                    if watched.interrupted(self.interrupt.signal()) {
                        break None;
                    }
                }
                () = interval.next() => live.interval(started.elapsed())?,
                _ = tick.tick() => live.tick()?,
            }
        };
        let wall_ns = started.elapsed().as_nanos() as u64;
        // Only then the others' counters: they have to count all that was seen.
        live.stop()?;
        let After {
            wall_ns,
            workload,
            readings,
        } = watched.after(live, ended, wall_ns)?;
        live.end(Some(wall_ns), workload, readings)
    }
}

/// Waits so long; for ever without.
async fn after(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

/// Intervals that follow each other without a gap; none at all if none were asked for.
struct Interval(Option<tokio::time::Interval>);

impl Interval {
    fn new(length: Option<Duration>) -> Self {
        let interval = |length| {
            let first = tokio::time::Instant::now() + length;
            tokio::time::interval_at(first, length)
        };
        Self(length.map(interval))
    }

    async fn next(&mut self) {
        match &mut self.0 {
            Some(interval) => drop(interval.tick().await),
            None => std::future::pending().await,
        }
    }
}
