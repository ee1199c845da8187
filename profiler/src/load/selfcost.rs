//! What the probes themselves cost and miss, as the kernel counts it.

use std::{
    collections::BTreeMap,
    fs,
    os::fd::{OwnedFd, RawFd},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use aya::sys::{Stats, enable_stats};

/// Runs that the kernel skipped, by hook; only those of which some were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Misses(pub BTreeMap<String, u64>);

impl Misses {
    /// Reads the counts of programs: the hook and the descriptor of each.
    pub(super) fn read<'a>(programs: impl Iterator<Item = (&'a str, RawFd)>) -> Result<Self> {
        let mut misses = BTreeMap::new();
        for (hook, fd) in programs {
            let skipped = count(&fdinfo(hook, fd)?, "recursion_misses");
            if skipped > 0 {
                *misses.entry(hook.to_owned()).or_default() += skipped;
            }
        }
        Ok(Self(misses))
    }

    /// What was skipped since `earlier`.
    pub(super) fn since(mut self, earlier: &Self) -> Self {
        for (hook, before) in &earlier.0 {
            if let Some(skipped) = self.0.get_mut(hook) {
                *skipped = skipped.saturating_sub(*before);
            }
        }
        self.0.retain(|_, skipped| *skipped > 0);
        self
    }
}

/// Time spent in programs while the kernel was asked to measure it, in ns.
pub(super) fn run_ns<'a>(programs: impl Iterator<Item = (&'a str, RawFd)>) -> Result<u64> {
    let mut sum = 0;
    for (hook, fd) in programs {
        sum += count(&fdinfo(hook, fd)?, "run_time_ns");
    }
    Ok(sum)
}

fn fdinfo(hook: &str, fd: RawFd) -> Result<String> {
    fs::read_to_string(format!("/proc/self/fdinfo/{fd}"))
        .with_context(|| format!("cannot read what the kernel counts of the probe on {hook}"))
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
    before_ns: u64,
}

impl Sampler {
    /// One tick in so many is measured.
    pub const EVERY: u32 = 16;

    /// To be called regularly while a scenario runs; `read` gives the time that the
    /// kernel has counted.
    pub fn tick(&mut self, read: impl Fn() -> Result<u64>) {
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
    pub fn pause(&mut self, read: impl Fn() -> Result<u64>) {
        self.stop(&read);
        self.last = None;
        self.ticks = 0;
    }

    fn stop(&mut self, read: &impl Fn() -> Result<u64>) {
        if let Some(measuring) = self.measuring.take()
            && let Ok(after_ns) = read()
        {
            self.measured += measuring.since.elapsed();
            self.run_ns += after_ns.saturating_sub(measuring.before_ns);
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
    fn start(read: &impl Fn() -> Result<u64>) -> Option<Self> {
        let kernel = enable_stats(Stats::RunTime).ok()?;
        let before_ns = read().ok()?;
        Some(Self {
            _kernel: kernel,
            since: Instant::now(),
            before_ns,
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

    #[test]
    fn misses_are_told_from_a_beginning_on() {
        let misses = |all: &[(&str, u64)]| {
            let all = all
                .iter()
                .map(|&(hook, skipped)| (hook.to_owned(), skipped));
            Misses(all.collect())
        };
        let before = misses(&[("sys_enter", 3), ("sys_exit", 2)]);
        let now = misses(&[("sys_enter", 3), ("sys_exit", 9), ("block_rq_issue", 1)]);
        assert_eq!(
            now.since(&before),
            misses(&[("block_rq_issue", 1), ("sys_exit", 7)])
        );
    }

    /// Somebody else has the kernel measure all the time.
    #[test]
    fn what_is_measured_for_others_is_left_out() {
        let counted = Cell::new(1_000_000);
        let read = || Ok(counted.get());
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
