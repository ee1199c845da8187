//! What is said on standard error meanwhile; nothing where that is no terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressFinish, ProgressStyle};

use crate::session::{Message, Said};

/// Says what a session is doing.
pub(super) fn say(message: Message) -> Box<dyn Said> {
    Box::new(Line(match message {
        Message::MakingFile(bytes) => bar("making a file", bytes),
        Message::Doing(what) => line(what),
    }))
}

struct Line(ProgressBar);

impl Said for Line {
    fn bytes(&self, done: u64) {
        self.0.set_position(done);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// For something measured in bytes.
fn bar(what: &'static str, total: u64) -> ProgressBar {
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

/// For something whose length is not known.
fn line(what: String) -> ProgressBar {
    let line = ProgressBar::new_spinner()
        .with_message(what)
        .with_finish(ProgressFinish::AndClear);
    line.enable_steady_tick(Duration::from_millis(200));
    line
}
