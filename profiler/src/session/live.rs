//! A session in the running kernel.

use std::{
    cmp::Reverse,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::Result;
use aya::maps::{MapData, RingBuf};
use profiler_common::{
    control::{Control, STACK_FRAMES},
    counter::Counters,
    histogram::BUCKETS,
};

use super::{Assembly, entries::Entries, met::Met};
use crate::{
    host::{
        disk, machine, process,
        stacks::{Reading, without_noise},
    },
    load::{self, EntryKind, HookState, Misses, Probes, Sampler, Snapshot, Window},
    recording::{
        Beginning, BpfUser, Closing, Ending, Entry, File, Hook, HookMisses, Host, Missed, Opening,
        OwnCost, Readings, Settled, Stack, Tick, Tool, Workload, Writer,
    },
    report::{text_of, v1::Report},
    ring::{Fact, decode},
    sink::Sink,
};

/// How often the ring is emptied. A fact of 208 bytes every 500 ns from each of two
/// CPUs makes 8 MiB in this time; the ring has room for twice that.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// Bytes that are taken at a time, at most: what the ring holds unless it is made smaller. A
/// smaller ring is emptied several times over, or facts would be lost that need not be.
const MOST: usize = 16 << 20;

/// Facts are handed to a recording in frames of about this size.
const FRAME: usize = 1 << 18;

/// What a session is opened with.
#[derive(Debug)]
pub(super) struct Opened {
    /// Command line.
    pub(super) command: Vec<String>,
    /// What is watched, in words.
    pub(super) target: String,
    /// Slowest calls kept a scenario.
    pub(super) slowest: usize,
    /// Where to record to.
    pub(super) record: Option<PathBuf>,
    pub(super) load: load::Options,
}

/// A live session: probes in the kernel, facts on their way.
pub(crate) struct Live<S = ()> {
    probes: Probes,
    ring: RingBuf<MapData>,
    stacks: Window<[u64; STACK_FRAMES]>,
    symbols: Reading,
    met: Met,
    batch: Vec<u8>,
    entries: Entries<S>,
    started: Instant,
    before: Option<(Snapshot, Counters)>,
    notes: Vec<String>,
    sampler: Sampler,
    /// Calls that were missed in all scenarios.
    missed: u64,
}

impl<S: Sink + Default> Live<S> {
    /// Loads the probes and opens the session.
    ///
    /// # Errors
    ///
    /// What keeps the probes from being loaded, or the recording from being written.
    pub(super) fn open(opened: Opened, sink: S) -> Result<Self> {
        let started = Instant::now();
        let recording = opened.record.as_deref().map(Writer::create).transpose()?;
        let mut probes = Probes::load(&opened.load)?;
        let ring = probes.take_ring()?;
        let stacks = probes.stacks()?;
        let notes = probes.notes().to_vec();
        let devices = disk::names();
        let opening = Opening {
            tool: Tool {
                version: env!("CARGO_PKG_VERSION").into(),
            },
            host: Host {
                kernel: machine::kernel(),
                machine: machine::architecture(),
                cpus: machine::cpus(),
                page_size: rustix::param::page_size() as u64,
                devices: devices
                    .iter()
                    .map(|(dev, name)| (crate::report::dev_numbers(*dev), name.clone()))
                    .collect(),
            },
            command: opened.command,
            started_at: machine::now(),
            target: opened.target,
            entry: probes.entry().name().into(),
            preemptible: probes.preemptible(),
            hooks: probes.hooks().iter().map(hook).collect(),
            devices,
            slowest: opened.slowest,
        };
        let mut live = Self {
            probes,
            ring,
            stacks,
            symbols: Reading::start(),
            met: Met::default(),
            batch: Vec::with_capacity(FRAME),
            entries: Entries::new(recording, Assembly::with(sink)),
            started,
            before: None,
            notes,
            sampler: Sampler::default(),
            missed: 0,
        };
        live.entries.take(Entry::Opening(opening))?;
        Ok(live)
    }

    /// The probes, for what only a live session can ask.
    pub(crate) fn probes(&mut self) -> &mut Probes {
        &mut self.probes
    }

    /// The recording's file, to hand it to its owner.
    pub(crate) fn recording(&mut self) -> Option<&std::fs::File> {
        self.entries.recording().map(|recording| recording.file())
    }

    /// Adds a sentence to what the report says of its own quality.
    pub(crate) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// Gives a file the name that the user knows it by.
    pub(crate) fn name_file(&mut self, dev: u32, inode: u64, path: String) -> Result<()> {
        let file = File {
            dev,
            inode,
            name: Vec::new(),
            path,
        };
        self.met.named(&file)?;
        self.entries.take(Entry::File(file))
    }

    /// Begins a scenario: from now on the target is watched.
    pub(crate) fn begin(
        &mut self,
        name: &str,
        workload: &Workload,
        control: Control,
    ) -> Result<()> {
        self.drain()?;
        let beginning = Beginning {
            name: name.into(),
            workload: workload.clone(),
        };
        self.before = Some((self.probes.snapshot()?, self.probes.counters()?));
        if let Some(recording) = self.entries.recording() {
            recording.keep();
        }
        self.entries.take(Entry::Beginning(beginning))?;
        self.probes.control(control);
        Ok(())
    }

    /// Takes what has come since the last time. Call it every [`TICK`] while a scenario
    /// runs.
    pub(crate) fn tick(&mut self) -> Result<()> {
        self.sampler.tick(|| self.probes.run_ns());
        self.drain()
    }

    /// Tells the sinks that an interval has gone by, so much time after the scenario began.
    pub(crate) fn interval(&mut self, since: Duration) -> Result<()> {
        self.drain()?;
        let at_ns = since.as_nanos() as u64;
        self.entries.take(Entry::Tick(Tick { at_ns }))
    }

    /// Takes what is in the ring now, and at most [`MOST`]: where facts come as fast as they are
    /// taken, there would be no end.
    fn drain(&mut self) -> Result<()> {
        let mut room = MOST;
        while room > 0
            && let Some(item) = self.ring.next()
        {
            let bytes: &[u8] = &item;
            room = room.saturating_sub(bytes.len());
            // Stacks and files are looked up before the facts that name them are used.
            let Ok(fact) = decode(bytes) else {
                // By itself: where it ends is not known.
                self.entries.facts(&mut self.batch)?;
                self.entries.take(Entry::Facts(bytes))?;
                continue;
            };
            if let Fact::Wait(wait) = &fact {
                for id in [wait.stack, wait.waker_stack] {
                    let Ok(id) = u32::try_from(id) else { continue };
                    if self.met.is_new_stack(id) {
                        let frames = frames(&self.stacks, &mut self.symbols, id);
                        self.entries.take(Entry::Stack(Stack { id, frames }))?;
                    }
                }
            }
            if let Fact::Ended(ended) = &fact
                && let Some(file) = self.met.file(ended)
            {
                self.entries.take(Entry::File(file))?;
            }
            self.batch.extend_from_slice(bytes);
            if self.batch.len() >= FRAME {
                self.entries.facts(&mut self.batch)?;
            }
        }
        self.entries.facts(&mut self.batch)
    }

    /// Watches no longer: what the target does from here on is in no scenario. The one
    /// that goes on is still to be ended.
    pub(crate) fn stop(&mut self) -> Result<()> {
        self.probes.control(Control::default());
        self.sampler.pause(|| self.probes.run_ns());
        self.drain()
    }

    /// Ends the scenario. The target may live on; what it does is no longer watched
    /// unless a new scenario begins.
    pub(crate) fn end(
        &mut self,
        wall_ns: Option<u64>,
        workload: Workload,
        readings: Readings,
    ) -> Result<()> {
        self.stop()?;
        let settled = match &self.before {
            Some((before, _)) => difference(before, &self.probes.snapshot()?),
            None => Vec::new(),
        };
        let Counters {
            missed_begins,
            missed_ends,
            missed_whole,
            ..
        } = self.counted_since_begin()?;
        let missed = Missed {
            begins: missed_begins,
            ends: missed_ends,
            whole: missed_whole,
        };
        self.missed += missed_begins + missed_ends + missed_whole;
        let ending = Ending {
            wall_ns,
            missed,
            settled,
            readings,
            workload,
        };
        self.entries.take(Entry::Ending(Box::new(ending)))
    }

    /// What the kernel side has counted since the scenario began.
    pub(crate) fn counted_since_begin(&self) -> Result<Counters> {
        let now = self.probes.counters()?;
        Ok(match &self.before {
            Some((_, before)) => now.since(before),
            None => now,
        })
    }

    /// Takes the probes out of the kernel; gives the report and the sink.
    ///
    /// # Errors
    ///
    /// The recording could not be written to its end.
    pub(crate) fn close(mut self, open_calls: u64) -> Result<(Report, S)> {
        self.drain()?;
        let counters = self.probes.counters()?;
        let recursion_misses_by_hook = hook_misses(&self.probes.misses()?);
        let recursion_misses = recursion_misses_by_hook
            .iter()
            .map(|hook| hook.misses)
            .sum();
        let bpf_users = self.bpf_users()?;
        let (cpu_ns, max_rss) = process::own_cost();
        let notes = std::mem::take(&mut self.notes);
        let closing = Closing {
            duration_ns: self.started.elapsed().as_nanos() as u64,
            counts: counters,
            open_calls,
            recursion_misses: Some(recursion_misses),
            recursion_misses_by_hook,
            bpf_users,
            own: OwnCost {
                bpf_ns: self.sampler.scaled(),
                cpu_ns: Some(cpu_ns),
                max_rss_bytes: Some(max_rss),
            },
            unnamed_stacks: self.symbols.failure(),
            notes,
        };
        self.entries.take(Entry::Closing(Box::new(closing)))?;
        drop(self.probes);
        self.entries.finish()
    }

    /// Processes that may be why calls were missed: only such programs are skipped for theirs
    /// that look at `bpf_prog_active`, as raw tracepoints do not.
    fn bpf_users(&self) -> Result<Vec<BpfUser>> {
        if self.missed == 0 || self.probes.entry() == EntryKind::TpBtf {
            return Ok(Vec::new());
        }
        let users = self.probes.bpf_users()?.into_iter();
        let mut users: Vec<BpfUser> = users
            .map(|(pid, user)| BpfUser {
                pid,
                comm: text_of(&user.comm),
                map_calls: user.calls,
            })
            .collect();
        users.sort_by_key(|user| (Reverse(user.map_calls), user.pid));
        Ok(users)
    }
}

fn hook_misses(misses: &Misses) -> Vec<HookMisses> {
    let hooks = misses.0.iter().map(|(hook, &misses)| HookMisses {
        hook: hook.clone(),
        misses,
        costs: load::hooks::skipped(hook).into(),
    });
    hooks.collect()
}

fn hook(state: &HookState) -> Hook {
    let hides: &[&str] = if state.attached {
        &[]
    } else {
        state.hook.hides
    };
    Hook {
        hook: state.hook.name.into(),
        attached: state.attached,
        without_it: state.hook.without_it.into(),
        hides: hides.iter().map(|&hidden| hidden.into()).collect(),
        reason: if state.attached {
            None
        } else {
            state.reason.clone()
        },
    }
}

/// The functions of a stack, looked up in the live kernel.
fn frames(stacks: &Window<[u64; STACK_FRAMES]>, symbols: &mut Reading, id: u32) -> Vec<String> {
    let Ok(Some(stack)) = stacks.get(id as usize) else {
        return Vec::new();
    };
    let symbols = symbols.get().ok();
    let name = |address: u64| match symbols.and_then(|s| s.name(address)) {
        Some(name) => name.to_owned(),
        None => format!("{address:#x}"),
    };
    let frames = stack.into_iter().take_while(|&frame| frame != 0);
    without_noise(frames.map(name).collect())
}

fn difference(before: &Snapshot, after: &Snapshot) -> Vec<Settled> {
    let classes = before.settled.iter().zip(&after.settled).enumerate();
    classes
        .filter(|(_, (before, after))| after.calls > before.calls)
        .map(|(class, (sums_before, sums_after))| {
            let range = class * BUCKETS..(class + 1) * BUCKETS;
            let buckets = before.buckets[range.clone()]
                .iter()
                .zip(&after.buckets[range]);
            Settled {
                class: class as u32,
                calls: sums_after.calls - sums_before.calls,
                ns: sums_after.ns - sums_before.ns,
                bytes: sums_after.bytes - sums_before.bytes,
                buckets: buckets
                    .enumerate()
                    .filter(|(_, (before, after))| after > before)
                    .map(|(bucket, (before, after))| (bucket as u32, after - before))
                    .collect(),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        load::hooks::PLAN,
        report::v1::{Hidden, Word},
    };

    #[test]
    fn what_a_hook_hides_is_known_to_the_report() {
        for hook in PLAN {
            for hidden in hook.hides {
                let word = Word::<Hidden>::from_text(hidden);
                assert!(word.is_known(), "{}: {hidden}", hook.name);
            }
        }
    }

    #[test]
    fn only_a_hook_that_is_missing_hides_something() {
        let hiding = PLAN.iter().find(|hook| !hook.hides.is_empty()).unwrap();
        for (attached, hides) in [(true, 0), (false, hiding.hides.len())] {
            let state = HookState {
                hook: *hiding,
                attached,
                reason: Some("not in this kernel".into()),
            };
            let hook = hook(&state);
            assert_eq!(hook.hides.len(), hides);
            // Nor is there a reason to tell: another hook was tried in vain, and this one told.
            assert_eq!(hook.reason.is_some(), !attached);
        }
    }
}
