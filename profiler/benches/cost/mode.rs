//! What the program does over and over.

use profiler::workload::{Advice, Pattern, Style};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Mode {
    Warm,
    Random1,
    Random8,
    Sequential1,
    Sequential8,
    DirectRandom1,
    DirectRandom8,
    DirectSequential1,
    DirectSequential8,
    Syscall,
    Switch,
}

use Mode::*;

impl Mode {
    pub(super) const ALL: [Self; 11] = [
        Warm,
        Random1,
        Random8,
        Sequential1,
        Sequential8,
        DirectRandom1,
        DirectRandom8,
        DirectSequential1,
        DirectSequential8,
        Syscall,
        Switch,
    ];

    /// Modes of which the rate counts, not the time added to each.
    pub(super) fn rates() -> impl Iterator<Item = Self> {
        let per_call = |mode: &Self| matches!(mode, Warm | Syscall | Switch);
        Self::ALL.into_iter().filter(move |mode| !per_call(mode))
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Warm => "warm",
            Random1 => "random-1",
            Random8 => "random-8",
            Sequential1 => "sequential-1",
            Sequential8 => "sequential-8",
            DirectRandom1 => "direct-random-1",
            DirectRandom8 => "direct-random-8",
            DirectSequential1 => "direct-sequential-1",
            DirectSequential8 => "direct-sequential-8",
            Syscall => "syscall",
            Switch => "switch",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.name() == name)
    }

    pub(super) fn threads(self) -> usize {
        match self {
            Random8 | Sequential8 | DirectRandom8 | DirectSequential8 => 8,
            _ => 1,
        }
    }

    pub(super) fn style(self) -> Style {
        match self {
            DirectRandom1 | DirectRandom8 | DirectSequential1 | DirectSequential8 => Style::Direct,
            _ => Style::Buffered,
        }
    }

    pub(super) fn pattern(self) -> Pattern {
        match self {
            Sequential1 | Sequential8 | DirectSequential1 | DirectSequential8 => {
                Pattern::Sequential
            }
            _ => Pattern::Random,
        }
    }

    pub(super) fn advice(self) -> Advice {
        match self.pattern() {
            Pattern::Random => Advice::Random,
            Pattern::Sequential => Advice::Normal,
        }
    }

    /// One operation takes so long that reading the clock after each adds nothing.
    pub(super) fn is_slow(self) -> bool {
        self.style() == Style::Direct || matches!(self, Random1 | Random8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_found_by_its_name() {
        for mode in Mode::ALL {
            assert_eq!(Mode::named(mode.name()), Some(mode));
            assert_eq!(mode.threads() == 8, mode.name().ends_with('8'));
        }
        assert_eq!(Mode::named("other"), None);
    }
}
