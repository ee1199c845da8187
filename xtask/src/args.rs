//! What can be asked for on the command line.

use clap::{Parser, Subcommand};

/// Sets up, builds, runs, tests and checks the profiler.
#[derive(Debug, Parser)]
#[command(bin_name = "cargo xtask", disable_help_subcommand = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) door: Door,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Door {
    /// Find or install what the build needs
    Setup(Setup),
    /// Set up, then build the profiler
    Build(Build),
    /// Set up, build, then run the profiler as root
    Run(Run),
    /// Set up, then run every test that this machine can run
    Test(Test),
    /// Run the tests with a known outcome several times, and make docs/proof.md of them
    Proof(Proof),
    /// Measure what watching costs, here and with other tools, and make docs/cost.md of it
    Bench(Bench),
    /// Boot real kernels in an emulator and run the profiler in each
    Kernels(Kernels),
    /// Check formatting, clippy and the project's own rules
    Lint(Lint),
    /// Build, then let the profiler say what this machine offers it
    Doctor(Doctor),
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: cargo xtask setup --check   # is everything there? (changes nothing)"
)]
pub(crate) struct Setup {
    #[command(flatten)]
    pub(crate) install: Install,
    /// Only look: install nothing, remember nothing, fail if something is missing
    #[arg(long)]
    pub(crate) check: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: cargo xtask build --debug")]
pub(crate) struct Build {
    #[command(flatten)]
    pub(crate) install: Install,
    /// Optimised (the default)
    #[arg(long)]
    pub(crate) release: bool,
    /// Built faster, runs slower: not for measuring
    #[arg(long, conflicts_with = "release")]
    pub(crate) debug: bool,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: cargo xtask run -- bench --scenario cold-random,warm --json report.json"
)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) install: Install,
    /// Arguments for the profiler; without any: `bench`
    #[arg(last = true)]
    pub(crate) args: Vec<String>,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: cargo xtask test --long -- blame   # tests with `blame` in their name\n\n\
    Tests on the real kernel need root, and use sudo if they aren't started as root. Where that\n\
    can't be had they are named and counted as skipped; with CI=true in the environment that fails."
)]
pub(crate) struct Test {
    #[command(flatten)]
    pub(crate) install: Install,
    /// Also the long tests, the ones marked as ignored
    #[arg(long)]
    pub(crate) long: bool,
    /// Arguments for the test programs: a part of the names of the tests to run
    #[arg(last = true)]
    pub(crate) args: Vec<String>,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: cargo xtask proof --runs 1 --short   # a first look\n\n\
    Takes root, as `test` does. If any test fails in any run, the page stays as it is."
)]
pub(crate) struct Proof {
    #[command(flatten)]
    pub(crate) install: Install,
    /// How many times in a row
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=9))]
    pub(crate) runs: u8,
    /// Without the long tests, the ones marked as ignored
    #[arg(long)]
    pub(crate) short: bool,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: cargo xtask bench --quick   # a first look, in a minute or two\n\n\
    Takes root, as `test` does, a machine with nothing else to do, and about ten minutes. Installs\n\
    the tools that it compares with (Debian's fio, bpftrace, linux-perf, strace, bpfcc-tools,\n\
    libbpf-tools). The page is only written by a whole run; the JSON always, into target/."
)]
pub(crate) struct Bench {
    #[command(flatten)]
    pub(crate) install: Install,
    /// Few rounds and only the main modes: the page stays as it is
    #[arg(long)]
    pub(crate) quick: bool,
    /// How often all of it is measured anew [default: 3; with --quick: 1]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=20))]
    runs: Option<u16>,
    /// How often each tool is held against nothing in a run [default: 10; with --quick: 6]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=200))]
    rounds: Option<u16>,
    /// Only tools with this in their name; may be given several times
    #[arg(long, value_name = "NAME")]
    pub(crate) only: Vec<String>,
    /// Only print what came out; don't write docs/cost.md
    #[arg(long)]
    pub(crate) no_page: bool,
}

impl Bench {
    pub(crate) fn rounds(&self) -> u16 {
        self.rounds.unwrap_or(if self.quick { 6 } else { 10 })
    }

    pub(crate) fn runs(&self) -> u16 {
        self.runs.unwrap_or(if self.quick { 1 } else { 3 })
    }
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: cargo xtask kernels 6.1 --no-page   # that one only, docs stay as they are\n\n\
    Takes Debian (its kernels, its apt) on x86_64 and 300 MB in the cache folder; no root, no KVM."
)]
pub(crate) struct Kernels {
    #[command(flatten)]
    pub(crate) install: Install,
    /// Series of kernels, or `newest` [default: 6.1 6.12 6.18 newest]
    pub(crate) series: Vec<String>,
    /// Only these experiments; implies --no-page
    #[arg(long, value_delimiter = ',')]
    pub(crate) only: Vec<Experiment>,
    /// Only print what came out; don't write docs/kernels.md
    #[arg(long)]
    pub(crate) no_page: bool,
}

/// What is tried on a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Experiment {
    /// All scenarios of the bench, on each file system
    Bench,
    /// Stalls of a known length: tests of this repository, run in the guest
    Stalls,
    /// Readers that share processors: is each call accounted for?
    Readers,
    /// What each way of seeing begins and ends costs, in instructions
    Cost,
}

impl Experiment {
    /// What is done, for messages.
    pub(crate) fn what(self) -> &'static str {
        match self {
            Self::Bench => "the bench on each file system",
            Self::Stalls => "stalls of a known length",
            Self::Readers => "readers that share processors",
            Self::Cost => "what each way costs",
        }
    }
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: cargo xtask lint --rules   # the project's own rules only, in no time"
)]
pub(crate) struct Lint {
    #[command(flatten)]
    pub(crate) install: Install,
    /// Only the project's own rules: no formatting, no clippy
    #[arg(long)]
    pub(crate) rules: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: cargo xtask doctor")]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) install: Install,
}

#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Install {
    /// Install nothing: say what is missing, and how to get it, and stop
    #[arg(long)]
    pub(crate) no_install: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cargo;

    #[test]
    fn the_example_names_scenarios_that_there_are() {
        let command = Args::command();
        let run = command.find_subcommand("run").unwrap();
        let help = run.get_after_help().unwrap().to_string();
        let (_, rest) = help.split_once("--scenario ").unwrap();
        let names = rest.split_whitespace().next().unwrap();
        let path = cargo::root().join("profiler/src/workload/scenario.rs");
        let scenarios = std::fs::read_to_string(path).unwrap();
        for name in names.split(',') {
            assert!(scenarios.contains(&format!("name: \"{name}\"")), "{name}");
        }
    }
}
