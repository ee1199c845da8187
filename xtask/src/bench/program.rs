//! The program that is watched: it does one small thing over and over for a short time, and says
//! how long each took, and how much of that on the CPU. It takes its orders from standard input, one a line, so that one process
//! lives through rounds with and without somebody who watches it.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead as _, Read as _, Write as _},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _},
    process::ExitCode,
    sync::{Barrier, mpsc},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use rustix::{
    fs::{Advice, fadvise},
    process::{Signal, set_parent_process_death_signal},
    thread::{CpuSet, sched_getaffinity, sched_setaffinity},
    time::{ClockId, clock_gettime},
};

use super::{mode::Mode, stats::Random};
use crate::args;

pub(crate) const BLOCK: u64 = 4096;

/// What warm reads are made in: it fits every page cache and most second-level caches.
const WARM: u64 = 1 << 20;

/// Operations between two looks at the clock.
const BATCH: u64 = 64;

pub(crate) fn main(args: &args::BenchProgram) -> Result<ExitCode> {
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
        let took = Slice {
            args,
            mode,
            slice,
            seed,
            cpus,
        }
        .run()?;
        println!("{} {}", took.ns, took.cpu_ns);
        io::stdout().flush()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What an operation took, in nanoseconds: of several threads, from one end of theirs to the
/// next; and of their time on the CPU, interrupts in it too.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Took {
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
    args: &'a args::BenchProgram,
    mode: Mode,
    slice: Duration,
    seed: u64,
    /// Where it may run.
    cpus: CpuSet,
}

impl Slice<'_> {
    fn run(&self) -> Result<Took> {
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

    fn timed(&self, mut operation: impl FnMut() -> Result<bool>) -> Result<Took> {
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
    fn switches(&self) -> Result<Took> {
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
        let took = self.timed(|| {
            ask.1.write_all(&byte)?;
            asked.0.read_exact(&mut byte)?;
            Ok(true)
        });
        drop(ask.1);
        other.join().ok().context("the other thread panicked")??;
        // There and back are two.
        let Took { ns, cpu_ns } = took?;
        Ok(Took {
            ns: ns / 2.0,
            cpu_ns: cpu_ns / 2.0,
        })
    }

    fn reads(&self) -> Result<Took> {
        let file = self.open()?;
        let length = match self.mode {
            Mode::Warm => WARM,
            _ => file.metadata()?.len(),
        };
        match self.mode {
            Mode::Warm => fill(&file, length)?,
            _ => fadvise(&file, 0, None, Advice::DontNeed)?,
        }
        let threads = self.mode.threads();
        let barrier = Barrier::new(threads);
        // By the thread that is there already: perf trace sees none that begin later.
        if threads == 1 {
            let done = self.read_part(&file, &Part::new(length, 0, 1), &barrier)?;
            return Ok(per(&[done]));
        }
        // Threads begin where the one may run that starts them.
        sched_setaffinity(None, &self.cpus).context("all CPUs")?;
        let (tell, told) = mpsc::channel();
        thread::scope(|scope| {
            for thread in 0..threads {
                let (file, barrier, tell) = (&file, &barrier, tell.clone());
                scope.spawn(move || {
                    let part = Part::new(length, thread as u64, threads as u64);
                    let done = self.read_part(file, &part, barrier);
                    // The receiver outlives the scope.
                    let _ = tell.send(done);
                });
            }
        });
        drop(tell);
        let done = told.into_iter().collect::<Result<Vec<_>>>()?;
        Ok(per(&done))
    }

    fn open(&self) -> Result<File> {
        let mut options = OpenOptions::new();
        options.read(true);
        if self.mode.is_direct() {
            options.custom_flags(libc::O_DIRECT);
        }
        let path = &self.args.file;
        let file = options
            .open(path)
            .with_context(|| path.display().to_string())?;
        let advice = if self.mode.is_random() {
            Advice::Random
        } else {
            Advice::Normal
        };
        fadvise(&file, 0, None, advice)?;
        Ok(file)
    }

    fn read_part(&self, file: &File, part: &Part, barrier: &Barrier) -> Result<Done> {
        // Several threads are where the scheduler puts them: what they share is the disk.
        let pinned = if self.mode.threads() == 1 {
            pin(self.args.cpu)
        } else {
            Ok(())
        };
        // O_DIRECT takes memory that is aligned as blocks are.
        let mut memory = vec![0; 2 * BLOCK as usize];
        let aligned = memory.as_ptr().align_offset(BLOCK as usize);
        let block = &mut memory[aligned..aligned + BLOCK as usize];
        let mut random = Random((self.seed << 8) + part.from + 1);
        let mut at = part.from;
        let mut operation = || -> Result<bool> {
            if self.mode.is_random() {
                at = part.from + random.below((part.length / BLOCK) as usize) as u64 * BLOCK;
            } else if at >= part.from + part.length {
                // Once more would find it in the page cache.
                return Ok(false);
            }
            let read = file.read_at(block, at)?;
            if read as u64 != BLOCK {
                bail!("{read} bytes at {at}");
            }
            at += BLOCK;
            Ok(true)
        };
        barrier.wait();
        pinned?;
        self.counted(&mut operation)
    }
}

/// What one of the threads reads: at random anywhere, in sequence its own part.
struct Part {
    from: u64,
    length: u64,
}

impl Part {
    fn new(length: u64, thread: u64, threads: u64) -> Self {
        let length = length / threads / BLOCK * BLOCK;
        Self {
            from: thread * length,
            length,
        }
    }
}

fn fill(file: &File, length: u64) -> Result<()> {
    let mut block = [0; BLOCK as usize];
    for at in (0..length).step_by(BLOCK as usize) {
        file.read_exact_at(&mut block, at)?;
    }
    Ok(())
}

/// An operation of threads that worked at the same time.
fn per(threads: &[Done]) -> Took {
    let longest = threads.iter().map(|it| it.took).max().unwrap_or_default();
    let cpu: Duration = threads.iter().map(|it| it.cpu).sum();
    let count: u64 = threads.iter().map(|it| it.count).sum();
    let per = |time: Duration| time.as_nanos() as f64 / count.max(1) as f64;
    Took {
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
    use super::*;

    #[test]
    fn parts_are_blocks_and_do_not_overlap() {
        let parts = (0..8).map(|thread| Part::new((256 << 20) + 1, thread, 8));
        let mut end = 0;
        for part in parts {
            assert_eq!(part.from, end);
            assert_eq!(part.length % BLOCK, 0);
            end += part.length;
        }
        assert_eq!(end, 256 << 20);
    }

    #[test]
    fn every_mode_measures_something() {
        let file = std::env::temp_dir().join(format!("bench-{}", std::process::id()));
        std::fs::write(&file, vec![1; 2 << 20]).unwrap();
        let args = args::BenchProgram {
            file: file.clone(),
            cpu: 0,
        };
        for mode in Mode::ALL.into_iter().filter(|mode| !mode.is_direct()) {
            let slice = Slice {
                args: &args,
                mode,
                slice: Duration::from_millis(2),
                seed: 1,
                cpus: sched_getaffinity(None).unwrap(),
            };
            // On a thread of its own: it is pinned.
            let took = thread::scope(|scope| scope.spawn(|| slice.run()).join()).unwrap();
            let took = took.unwrap();
            assert!(took.ns > 0.0 && took.cpu_ns > 0.0, "{mode:?}");
        }
        std::fs::remove_file(file).unwrap();
    }
}
