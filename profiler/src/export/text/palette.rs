//! How each cause looks in the bar.

use anstyle::{AnsiColor, Style};

/// The mark of a cause where there is no colour, and its colour where there is. Marks
/// are small where the thread runs or could run, and capital where it sleeps.
pub(super) fn mark(cause: &str) -> (char, Style) {
    let (letter, colour) = match cause {
        "cpu" => ('c', AnsiColor::Green),
        "preempted" => ('p', AnsiColor::BrightYellow),
        "runqueue" => ('r', AnsiColor::Yellow),
        "device" => ('D', AnsiColor::Blue),
        "queue" => ('Q', AnsiColor::Cyan),
        "throttle" => ('T', AnsiColor::Red),
        "completion" => ('C', AnsiColor::BrightCyan),
        "lock" => ('L', AnsiColor::Magenta),
        "reclaim" => ('R', AnsiColor::BrightRed),
        "server" => ('S', AnsiColor::BrightBlue),
        "peer" => ('P', AnsiColor::BrightMagenta),
        _ => ('?', AnsiColor::BrightBlack),
    };
    (letter, Style::new().fg_color(Some(colour.into())))
}
