//! What is said on standard error meanwhile; nothing where that is no terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

/// A bar for something measured in bytes.
pub(super) fn bytes(what: &'static str, total: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}",
    );
    let bar = ProgressBar::new(total)
        .with_message(what)
        .with_finish(ProgressFinish::AndClear);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// A line for something whose length is not known.
pub(super) fn line(what: String) -> ProgressBar {
    let line = ProgressBar::new_spinner()
        .with_message(what)
        .with_finish(ProgressFinish::AndClear);
    line.enable_steady_tick(Duration::from_millis(200));
    line
}
