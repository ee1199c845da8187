//! What the probes themselves cost and miss, as the kernel counts it.

use std::{fs, os::fd::AsRawFd as _};

use anyhow::{Context as _, Result};
use aya::Ebpf;

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
