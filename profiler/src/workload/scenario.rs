//! The scenarios: a workload together with the state that it starts in.

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::spec::{Spec, page_size};
use super::style::{Advice, Pattern, Style};
use crate::named::named;

named! {
    /// What of the file is in the page cache at the start.
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub enum State {
        /// Every page.
        Warm "warm",
        /// No page.
        Cold "cold",
    }
}

/// A workload and the state in which it starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// What the user calls it.
    pub name: &'static str,
    /// What it shows, in a line.
    pub summary: &'static str,
    /// Through what each block is read.
    pub style: Style,
    /// The order of the blocks.
    pub pattern: Pattern,
    /// What the kernel is told about the order.
    pub advice: Advice,
    /// What is in the page cache at the start.
    pub state: State,
    /// Reads unless told otherwise, and never more than the file has blocks.
    /// `None`: the whole file once.
    pub default_reads: Option<u64>,
}

/// Reads by default where each of them waits for the disk: 4 to 5 s a scenario with a
/// disk that answers in 70 to 100 µs, about 20 s for all seven.
const WAITING_READS: Option<u64> = Some(50_000);

/// What a user chooses of a scenario. All sizes in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Bytes asked for by a read.
    pub block_size: u32,
    /// Threads that read.
    pub threads: u32,
    /// Reads over all threads; `None`: the scenario's default.
    pub reads: Option<u64>,
    /// What the random order is made from: the same seed, the same order.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            block_size: 4096,
            threads: 1,
            reads: None,
            seed: 1,
        }
    }
}

impl Scenario {
    /// All scenarios, in the order in which they are run.
    pub const ALL: &'static [Self] = &[
        Self {
            name: "warm",
            summary: "every page is in the cache: what a read costs that need not wait",
            style: Style::Buffered,
            pattern: Pattern::Sequential,
            advice: Advice::Normal,
            state: State::Warm,
            default_reads: None,
        },
        Self {
            name: "cold-random",
            summary: "no page is in the cache and the kernel can't guess the next: every read waits",
            style: Style::Buffered,
            pattern: Pattern::Random,
            advice: Advice::Random,
            state: State::Cold,
            default_reads: WAITING_READS,
        },
        Self {
            name: "readahead",
            summary: "cold and in order: the kernel fetches ahead, most reads find their page",
            style: Style::Buffered,
            pattern: Pattern::Sequential,
            advice: Advice::Normal,
            state: State::Cold,
            default_reads: None,
        },
        Self {
            name: "no-readahead",
            summary: "cold and in order, but advised random: what readahead would have saved",
            style: Style::Buffered,
            pattern: Pattern::Sequential,
            advice: Advice::Random,
            state: State::Cold,
            default_reads: WAITING_READS,
        },
        Self {
            name: "direct-sequential",
            summary: "O_DIRECT and in order: past the cache, nobody fetches ahead",
            style: Style::Direct,
            pattern: Pattern::Sequential,
            advice: Advice::Normal,
            state: State::Cold,
            default_reads: WAITING_READS,
        },
        Self {
            name: "direct-random",
            summary: "O_DIRECT at random: the device's own answer time",
            style: Style::Direct,
            pattern: Pattern::Random,
            advice: Advice::Normal,
            state: State::Cold,
            default_reads: WAITING_READS,
        },
        Self {
            name: "mapped",
            summary: "a cold mapping touched page by page: faults that wait instead of reads",
            style: Style::Mapped,
            pattern: Pattern::Sequential,
            advice: Advice::Normal,
            state: State::Cold,
            default_reads: None,
        },
    ];

    /// Finds a scenario by its name.
    ///
    /// # Errors
    /// There is none of that name: the error lists those there are.
    pub fn by_name(name: &str) -> Result<&'static Self, UnknownScenario> {
        Self::ALL
            .iter()
            .find(|s| s.name == name)
            .ok_or_else(|| UnknownScenario(name.to_owned()))
    }

    /// Whether a second read of a block would be of another kind than the first: the
    /// page cache would have it.
    const fn reads_once(&self) -> bool {
        matches!(self.state, State::Cold) && !self.style.is_direct()
    }

    /// What the reader does for this scenario with a file of `file_size` bytes.
    ///
    /// The number of reads is clamped where a second read of a block would find it in
    /// the cache; the result says how many there will be. Nothing is checked here:
    /// that is [`Spec::validate`]'s part.
    pub fn spec(&self, path: &Path, file_size: u64, options: &Options) -> Spec {
        let block = u64::from(options.block_size);
        // Two blocks of a cold random scenario never share a page, else the second
        // would find what the first has fetched.
        let stride = if self.reads_once() && self.pattern == Pattern::Random {
            block.next_multiple_of(page_size())
        } else {
            block
        };
        let mut spec = Spec {
            path: path.to_owned(),
            file_size,
            style: self.style,
            pattern: self.pattern,
            advice: self.advice,
            block_size: options.block_size,
            stride,
            threads: options.threads,
            reads: 0,
            seed: options.seed,
        };
        let blocks = spec.blocks();
        spec.reads = match (options.reads, self.default_reads) {
            (Some(reads), _) if self.reads_once() => reads.min(blocks),
            (Some(reads), _) => reads,
            (None, Some(reads)) => reads.min(blocks),
            (None, None) => blocks,
        };
        spec
    }
}

/// There is no scenario of this name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownScenario(pub String);

impl fmt::Display for UnknownScenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Debug: a name from the command line may hold control characters.
        write!(f, "no scenario is called {:?}; there are ", self.0)?;
        for (i, scenario) in Scenario::ALL.iter().enumerate() {
            write!(f, "{}{}", if i == 0 { "" } else { ", " }, scenario.name)?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownScenario {}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: u64 = 256 << 20;

    fn spec(name: &str, options: &Options) -> Spec {
        Scenario::by_name(name)
            .unwrap()
            .spec(Path::new("/f"), SIZE, options)
    }

    #[test]
    fn what_each_of_them_is() {
        use {Pattern::*, State::*, Style::*};
        let table = [
            ("warm", Buffered, Sequential, Advice::Normal, Warm, 65536),
            (
                "cold-random",
                Buffered,
                Random,
                Advice::Random,
                Cold,
                50_000,
            ),
            (
                "readahead",
                Buffered,
                Sequential,
                Advice::Normal,
                Cold,
                65536,
            ),
            (
                "no-readahead",
                Buffered,
                Sequential,
                Advice::Random,
                Cold,
                50_000,
            ),
            (
                "direct-sequential",
                Direct,
                Sequential,
                Advice::Normal,
                Cold,
                50_000,
            ),
            (
                "direct-random",
                Direct,
                Random,
                Advice::Normal,
                Cold,
                50_000,
            ),
            ("mapped", Mapped, Sequential, Advice::Normal, Cold, 65536),
        ];
        let names = Scenario::ALL.iter().map(|s| s.name);
        assert!(names.eq(table.iter().map(|row| row.0)));
        for (name, style, pattern, advice, state, reads) in table {
            let s = Scenario::by_name(name).unwrap();
            assert_eq!(
                (s.style, s.pattern, s.advice, s.state),
                (style, pattern, advice, state),
                "{name}"
            );
            assert_eq!(spec(name, &Options::default()).reads, reads, "{name}");
        }
    }

    #[test]
    fn every_style_has_its_scenario() {
        for style in Style::ALL {
            let mut scenarios = Scenario::ALL.iter();
            assert!(scenarios.any(|s| s.style == style), "nothing is {style}");
        }
    }

    #[test]
    fn an_unknown_name_lists_the_known() {
        let error = Scenario::by_name("co\u{1b}ld").unwrap_err().to_string();
        assert_eq!(
            error,
            "no scenario is called \"co\\u{1b}ld\"; there are warm, cold-random, readahead, \
             no-readahead, direct-sequential, direct-random, mapped"
        );
    }

    #[test]
    fn what_would_turn_warm_is_read_once() {
        let many = Options {
            reads: Some(100_000),
            ..Options::default()
        };
        let table = [
            ("warm", 100_000),
            ("cold-random", 65536),
            ("readahead", 65536),
            ("direct-random", 100_000),
            ("mapped", 65536),
        ];
        for (name, reads) in table {
            assert_eq!(spec(name, &many).reads, reads, "{name}");
        }
    }

    #[test]
    fn cold_random_blocks_share_no_page() {
        let small = Options {
            block_size: 512,
            ..Options::default()
        };
        assert_eq!(spec("cold-random", &small).stride, page_size());
        assert_eq!(spec("direct-random", &small).stride, 512);
        assert_eq!(spec("readahead", &small).stride, 512);
    }
}
