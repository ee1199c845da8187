//! The program that is watched: it repeats one small operation for a short time, and says how long
//! each took, and how much of that on the CPU. It takes its orders from standard input, one a line,
//! so that one process lives through rounds with and without a watcher.
//!
//! It reads as the bundled reader does ([`Source`], [`offsets`]), in a loop of its own. The reader
//! reads the clock twice for each read and records it, which would be part of the nanoseconds that
//! are measured here; and its process ends with its run.

use std::{
    fs::File,
    io::{self, BufRead as _, Read as _, Write as _},
    os::unix::fs::FileExt as _,
    sync::{Barrier, mpsc},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use profiler::workload::{Pattern, Spec, order::offsets, source::Source};
use rustix::{
    fs::{Advice, fadvise},
    process::{Signal, set_parent_process_death_signal},
    thread::{CpuSet, sched_getaffinity, sched_setaffinity},
    time::{ClockId, clock_gettime},
};

use super::{ProgramArgs, mode::Mode};

const BLOCK: u32 = 4096;

/// What warm reads are made in: it fits every page cache and most second-level caches.
const WARM: u64 = 1 << 20;

/// Operations between two looks at the clock.
const BATCH: u64 = 64;

pub(super) fn main(args: &ProgramArgs) -> Result<()> {
    // Nothing of it is left when who gives the orders is gone, whatever ended it.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let cpus = sched_getaffinity(None)?;
    let seeds = u64::from(std::process::id())..;
    for (seed, line) in seeds.zip(io::stdin().lock().lines()) {
        let line = line?;
        let mut words = line.split_whitespace();
        let (Some(mode), Some(slice)) = (words.next().and_then(Mode::named), words.next()) else {
            bail!("no order: {line}");
        };
        let slice = Duration::from_millis(slice.parse().context("an order's milliseconds")?);
        let elapsed = Slice {
            args,
            mode,
            slice,
            seed,
            cpus,
        }
        .run()?;
        println!("{} {}", elapsed.ns, elapsed.cpu_ns);
        io::stdout().flush()?;
    }
    Ok(())
}

/// What an operation took, in nanoseconds. Of several threads, `ns` is the time from the end of one
/// operation to the end of the next, whichever thread's. `cpu_ns` is time on the CPU, interrupts
/// included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Elapsed {
    pub(super) ns: f64,
    pub(super) cpu_ns: f64,
}

/// How long a thread did how many operations.
struct Done {
    took: Duration,
    cpu: Duration,
    count: u64,
}

struct Slice<'a> {
    args: &'a ProgramArgs,
    mode: Mode,
    slice: Duration,
    seed: u64,
    /// Where it may run.
    cpus: CpuSet,
}

impl Slice<'_> {
    fn run(&self) -> Result<Elapsed> {
        match self.mode {
            Mode::Syscall => {
                pin(self.args.cpu)?;
                self.timed(|| {
                    let _ = rustix::process::getppid();
                    Ok(true)
                })
            }
            Mode::Switch => self.switches(),
            _ => self.reads(),
        }
    }

    fn timed(&self, mut operation: impl FnMut() -> Result<bool>) -> Result<Elapsed> {
        Ok(per(&[self.counted(&mut operation)?]))
    }

    /// Until time is up, or there is nothing left to do.
    fn counted(&self, operation: &mut dyn FnMut() -> Result<bool>) -> Result<Done> {
        let batch = if self.mode.is_slow() { 1 } else { BATCH };
        let (started, mut count) = (Instant::now(), 0);
        let cpu = on_cpu();
        let done = |count| Done {
            took: started.elapsed(),
            cpu: on_cpu() - cpu,
            count,
        };
        loop {
            for _ in 0..batch {
                if !operation()? {
                    return Ok(done(count));
                }
                count += 1;
            }
            if started.elapsed() >= self.slice {
                return Ok(done(count));
            }
        }
    }

    /// Two threads on one CPU wake each other in turn, with a switch for each.
    fn switches(&self) -> Result<Elapsed> {
        let (mut ask, mut asked) = (io::pipe()?, io::pipe()?);
        let cpu = self.args.cpu;
        pin(cpu)?;
        let (mut from, mut to) = (ask.0, asked.1);
        let other = thread::spawn(move || -> Result<()> {
            pin(cpu)?;
            let mut byte = [0];
            while from.read(&mut byte)? == 1 {
                to.write_all(&byte)?;
            }
            Ok(())
        });
        let mut byte = [0];
        let both = self.timed(|| {
            ask.1.write_all(&byte)?;
            asked.0.read_exact(&mut byte)?;
            Ok(true)
        });
        drop(ask.1);
        other.join().ok().context("the other thread panicked")??;
        // There and back are two.
        let Elapsed { ns, cpu_ns } = both?;
        Ok(Elapsed {
            ns: ns / 2.0,
            cpu_ns: cpu_ns / 2.0,
        })
    }

    fn reads(&self) -> Result<Elapsed> {
        let file = File::open(&self.args.file)?;
        let length = match self.mode {
            Mode::Warm => WARM,
            _ => file.metadata()?.len(),
        };
        match self.mode {
            Mode::Warm => fill(&file, length)?,
            _ => fadvise(&file, 0, None, Advice::DontNeed)?,
        }
        let spec = self.spec(length);
        let mut sources = Source::open_all(&spec)?;
        let orders = (0..spec.threads).map(|thread| offsets(&spec, thread).collect::<Vec<_>>());
        let orders = orders.collect::<Vec<_>>();
        let barrier = Barrier::new(sources.len());
        // By the thread that is there already: perf trace sees none that begin later.
        if let [source] = sources.as_mut_slice() {
            pin(self.args.cpu)?;
            return Ok(per(&[self.read(source, &orders[0], &barrier)?]));
        }
        // Several threads are where the scheduler puts them: what they share is the disk. They
        // inherit where this one may run.
        sched_setaffinity(None, &self.cpus).context("all CPUs")?;
        let (tell, told) = mpsc::channel();
        thread::scope(|scope| {
            for (source, order) in sources.iter_mut().zip(&orders) {
                let (barrier, tell) = (&barrier, tell.clone());
                scope.spawn(move || {
                    let done = self.read(source, order, barrier);
                    // The receiver outlives the scope.
                    let _ = tell.send(done);
                });
            }
        });
        drop(tell);
        let done = told.into_iter().collect::<Result<Vec<_>>>()?;
        Ok(per(&done))
    }

    /// What the bundled reader would be told.
    fn spec(&self, length: u64) -> Spec {
        let (style, advice) = (self.mode.style(), self.mode.advice());
        Spec {
            path: self.args.file.clone(),
            file_size: length,
            style,
            pattern: self.mode.pattern(),
            advice,
            block_size: BLOCK,
            stride: BLOCK.into(),
            threads: self.mode.threads() as u32,
            reads: length / u64::from(BLOCK),
            seed: self.seed,
        }
    }

    fn read(&self, source: &mut Source, order: &[u64], barrier: &Barrier) -> Result<Done> {
        let mut next = order.iter();
        let mut operation = || -> Result<bool> {
            let offset = match next.next() {
                Some(offset) => *offset,
                // In sequence, all of it is in the page cache now.
                None if self.mode.pattern() == Pattern::Sequential => return Ok(false),
                None => {
                    next = order.iter();
                    *next.next().context("no blocks")?
                }
            };
            let read = source.read_block(offset);
            if i64::from(read) != i64::from(BLOCK) {
                bail!("{read} bytes at {offset}");
            }
            Ok(true)
        };
        barrier.wait();
        self.counted(&mut operation)
    }
}

fn fill(file: &File, length: u64) -> Result<()> {
    let mut block = [0; BLOCK as usize];
    for at in (0..length).step_by(block.len()) {
        file.read_exact_at(&mut block, at)?;
    }
    Ok(())
}

/// An operation of threads that worked at the same time.
fn per(threads: &[Done]) -> Elapsed {
    let longest = threads.iter().map(|it| it.took).max().unwrap_or_default();
    let cpu: Duration = threads.iter().map(|it| it.cpu).sum();
    let count: u64 = threads.iter().map(|it| it.count).sum();
    let per = |time: Duration| time.as_nanos() as f64 / count.max(1) as f64;
    Elapsed {
        ns: per(longest),
        cpu_ns: per(cpu),
    }
}

/// The time that this thread has been on a CPU.
fn on_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn pin(cpu: usize) -> Result<()> {
    let mut cpus = CpuSet::new();
    cpus.set(cpu);
    sched_setaffinity(None, &cpus).with_context(|| format!("pinning to CPU {cpu}"))
}

#[cfg(test)]
mod tests {
    use profiler::workload::Style;

    use super::*;

    #[test]
    fn every_mode_measures_something() {
        let file = std::env::temp_dir().join(format!("bench-{}", std::process::id()));
        std::fs::write(&file, vec![1; 2 << 20]).unwrap();
        let args = ProgramArgs {
            file: file.clone(),
            cpu: 0,
        };
        for mode in Mode::ALL
            .into_iter()
            .filter(|mode| mode.style() != Style::Direct)
        {
            let slice = Slice {
                args: &args,
                mode,
                slice: Duration::from_millis(2),
                seed: 1,
                cpus: sched_getaffinity(None).unwrap(),
            };
            // On a thread of its own: it is pinned.
            let elapsed = thread::scope(|scope| scope.spawn(|| slice.run()).join()).unwrap();
            let elapsed = elapsed.unwrap();
            assert!(elapsed.ns > 0.0 && elapsed.cpu_ns > 0.0, "{mode:?}");
        }
        std::fs::remove_file(file).unwrap();
    }
}
