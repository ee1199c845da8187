//! What the probes themselves cost and miss, as the kernel counts it.

use std::{
    fs,
    os::fd::{AsRawFd as _, OwnedFd},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use aya::{
    Ebpf,
    sys::{Stats, enable_stats},
};

/// Sums over all programs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProgramCost {
    /// Time spent in the programs while the kernel was asked to measure it, ns.
    pub run_ns: u64,
    /// Runs in that time.
    pub runs: u64,
    /// Runs that the kernel skipped because a program was already running there.
    pub recursion_misses: u64,
}

impl ProgramCost {
    /// Reads the counts of all loaded programs.
    pub(super) fn read(ebpf: &Ebpf) -> Result<Self> {
        let mut sum = Self::default();
        for (name, program) in ebpf.programs() {
            // Not loaded: this kernel has no such hook.
            let Ok(fd) = program.fd() else { continue };
            let path = format!(
                "/proc/self/fdinfo/{}",
                std::os::fd::AsFd::as_fd(fd).as_raw_fd()
            );
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cannot read what the kernel counts of probe {name}"))?;
            sum.run_ns += count(&text, "run_time_ns");
            sum.runs += count(&text, "run_cnt");
            sum.recursion_misses += count(&text, "recursion_misses");
        }
        Ok(sum)
    }
}

/// Has the kernel measure the programs' time, now and then.
///
/// Measuring costs two clock reads a run, which is a good part of what a short program
/// takes itself; so it is on for one tick in [`Sampler::EVERY`], and the sum is scaled
/// to the whole time. A kernel that refuses (before 5.8, or without the right) leaves
/// the cost unknown.
#[derive(Debug, Default)]
pub struct Sampler {
    ticks: u32,
    measuring: Option<(OwnedFd, Instant)>,
    measured: Duration,
    watched: Duration,
    last: Option<Instant>,
}

impl Sampler {
    /// One tick in so many is measured.
    pub const EVERY: u32 = 16;

    /// To be called regularly while a scenario runs.
    pub fn tick(&mut self) {
        let now = Instant::now();
        if let Some(last) = self.last.replace(now) {
            self.watched += now - last;
        }
        self.stop(now);
        if self.ticks.is_multiple_of(Self::EVERY)
            && let Ok(fd) = enable_stats(Stats::RunTime)
        {
            self.measuring = Some((fd, now));
        }
        self.ticks += 1;
    }

    /// To be called when the scenario is over.
    pub fn pause(&mut self) {
        self.stop(Instant::now());
        self.last = None;
        self.ticks = 0;
    }

    fn stop(&mut self, now: Instant) {
        if let Some((fd, since)) = self.measuring.take() {
            drop(fd);
            self.measured += now - since;
        }
    }

    /// Time spent in the programs over the whole watched time, in ns, as far as the
    /// samples tell; `None` if there are none.
    pub fn scale(&self, cost: &ProgramCost) -> Option<u64> {
        if self.measured.is_zero() || cost.runs == 0 {
            return None;
        }
        let scale = self.watched.as_secs_f64().max(self.measured.as_secs_f64())
            / self.measured.as_secs_f64();
        Some((cost.run_ns as f64 * scale) as u64)
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
    use super::count;

    #[test]
    fn counts_are_found_by_their_whole_name() {
        let text =
            "pos:\t0\nprog_type:\t26\nrun_time_ns:\t1200\nrun_cnt:\t7\nrecursion_misses:\t3\n";
        assert_eq!(count(text, "run_time_ns"), 1200);
        assert_eq!(count(text, "run_cnt"), 7);
        assert_eq!(count(text, "recursion_misses"), 3);
        assert_eq!(count(text, "misses"), 0);
    }
}
