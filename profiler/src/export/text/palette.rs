//! How each cause looks in the bar.

use anstyle::{AnsiColor, Style};

use crate::blame::Cause;
use crate::report::v1::Word;

/// The mark of a cause where there is no colour, and how it looks where there is.
pub(super) fn mark(cause: Cause) -> (char, Style) {
    (cause.mark(), style(colour(cause)))
}

/// How a cause's word looks. Of one that this version does not know, nothing is known.
pub(super) fn look(cause: &Word<Cause>) -> Style {
    style(cause.known().map_or(UNKNOWN, colour))
}

const UNKNOWN: AnsiColor = AnsiColor::BrightBlack;

fn style(colour: AnsiColor) -> Style {
    Style::new().fg_color(Some(colour.into()))
}

fn colour(cause: Cause) -> AnsiColor {
    match cause {
        Cause::Cpu => AnsiColor::Green,
        Cause::Preempted => AnsiColor::BrightYellow,
        Cause::Runqueue => AnsiColor::Yellow,
        Cause::Device => AnsiColor::Blue,
        Cause::Queue => AnsiColor::Cyan,
        Cause::Throttle => AnsiColor::Red,
        Cause::Completion => AnsiColor::BrightCyan,
        Cause::Lock => AnsiColor::Magenta,
        Cause::Reclaim => AnsiColor::BrightRed,
        Cause::Server => AnsiColor::BrightBlue,
        Cause::Peer => AnsiColor::BrightMagenta,
        Cause::Unexplained => UNKNOWN,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_cause_has_a_mark_of_its_own() {
        let marks: BTreeSet<char> = Cause::ALL.map(|cause| mark(cause).0).into();
        assert_eq!(marks.len(), Cause::ALL.len(), "{marks:?}");
    }

    #[test]
    fn every_cause_has_a_colour_of_its_own() {
        let colours = Cause::ALL.map(|cause| format!("{:?}", colour(cause)));
        let colours = BTreeSet::from(colours);
        assert_eq!(colours.len(), Cause::ALL.len(), "{colours:?}");
    }

    #[test]
    fn a_mark_is_small_where_the_thread_could_run() {
        let could_run = [Cause::Cpu, Cause::Preempted, Cause::Runqueue];
        for cause in Cause::ALL {
            let small = mark(cause).0.is_ascii_lowercase();
            assert_eq!(small, could_run.contains(&cause), "{cause}");
        }
    }
}
