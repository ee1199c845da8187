//! What the probes themselves cost and miss, as the kernel counts it.

use std::{
    fs,
    os::fd::{AsRawFd as _, OwnedFd, RawFd},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use aya::{
    Ebpf,
    sys::{Stats, enable_stats},
};

use super::session;

/// Sums over all programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProgramCost {
    /// Time spent in the programs while the kernel was asked to measure it, ns.
    pub run_ns: u64,
    /// Runs that the kernel skipped because a program was already running there.
    pub recursion_misses: u64,
}

impl ProgramCost {
    /// Reads the counts of all loaded programs.
    pub(super) fn read(ebpf: &Ebpf, session: Option<RawFd>) -> Result<Self> {
        // Others are not loaded: this kernel has no such hook.
        let loaded = ebpf.programs().filter_map(|(name, program)| {
            let fd = std::os::fd::AsFd::as_fd(program.fd().ok()?).as_raw_fd();
            Some((name, fd))
        });
        let mut sum = Self::default();
        for (name, fd) in loaded.chain(session.map(|fd| (session::PROGRAM, fd))) {
            let path = format!("/proc/self/fdinfo/{fd}");
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cannot read what the kernel counts of probe {name}"))?;
            sum.run_ns += count(&text, "run_time_ns");
            sum.recursion_misses += count(&text, "recursion_misses");
        }
        Ok(sum)
    }
}

/// Has the kernel measure the programs' time, now and then.
///
/// Measuring costs two clock reads a run, which is a good part of what a short program
/// takes itself; so it is on for one tick in [`Sampler::EVERY`], and the sum is scaled
/// to the whole time. What the kernel counts at other times is left out: it then does so for
/// somebody else. A kernel that refuses (before 5.8, or without the right) leaves the cost
/// unknown.
#[derive(Debug, Default)]
pub struct Sampler {
    ticks: u32,
    measuring: Option<Measuring>,
    /// Time spent in the programs while it was measured, ns.
    run_ns: u64,
    measured: Duration,
    watched: Duration,
    last: Option<Instant>,
}

#[derive(Debug)]
struct Measuring {
    /// As long as this is open, the kernel measures.
    _kernel: OwnedFd,
    since: Instant,
    before: ProgramCost,
}

impl Sampler {
    /// One tick in so many is measured.
    pub const EVERY: u32 = 16;

    /// To be called regularly while a scenario runs; `read` gives what the kernel has
    /// counted.
    pub fn tick(&mut self, read: impl Fn() -> Result<ProgramCost>) {
        let now = Instant::now();
        if let Some(last) = self.last.replace(now) {
            self.watched += now - last;
        }
        self.stop(&read);
        if self.ticks.is_multiple_of(Self::EVERY) {
            self.measuring = Measuring::start(&read);
        }
        self.ticks += 1;
    }

    /// To be called when the scenario is over.
    pub fn pause(&mut self, read: impl Fn() -> Result<ProgramCost>) {
        self.stop(&read);
        self.last = None;
        self.ticks = 0;
    }

    fn stop(&mut self, read: &impl Fn() -> Result<ProgramCost>) {
        if let Some(measuring) = self.measuring.take()
            && let Ok(after) = read()
        {
            self.measured += measuring.since.elapsed();
            self.run_ns += after.run_ns.saturating_sub(measuring.before.run_ns);
        }
    }

    /// Time spent in the programs over the whole watched time, in ns, as far as the
    /// samples tell; `None` if there are none.
    pub fn scaled(&self) -> Option<u64> {
        if self.measured.is_zero() {
            return None;
        }
        let scale = self.watched.as_secs_f64().max(self.measured.as_secs_f64())
            / self.measured.as_secs_f64();
        Some((self.run_ns as f64 * scale) as u64)
    }
}

impl Measuring {
    fn start(read: &impl Fn() -> Result<ProgramCost>) -> Option<Self> {
        let kernel = enable_stats(Stats::RunTime).ok()?;
        let before = read().ok()?;
        Some(Self {
            _kernel: kernel,
            since: Instant::now(),
            before,
        })
    }
}

fn count(fdinfo: &str, key: &str) -> u64 {
    fdinfo
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| *name == key)
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn counts_are_found_by_their_whole_name() {
        let text =
            "pos:\t0\nprog_type:\t26\nrun_time_ns:\t1200\nrun_cnt:\t7\nrecursion_misses:\t3\n";
        assert_eq!(count(text, "run_time_ns"), 1200);
        assert_eq!(count(text, "run_cnt"), 7);
        assert_eq!(count(text, "recursion_misses"), 3);
        assert_eq!(count(text, "misses"), 0);
    }

    /// Somebody else has the kernel measure all the time.
    #[test]
    fn what_is_measured_for_others_is_left_out() {
        let counted = Cell::new(1_000_000);
        let read = || {
            Ok(ProgramCost {
                run_ns: counted.get(),
                recursion_misses: 0,
            })
        };
        let mut sampler = Sampler {
            ticks: 1,
            ..Sampler::default()
        };
        sampler.tick(read);
        counted.set(9_000_000);
        sampler.pause(read);
        assert_eq!((sampler.run_ns, sampler.scaled()), (0, None));
    }
}
