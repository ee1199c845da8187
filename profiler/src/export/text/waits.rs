//! What the calls of a single scenario waited for, with stacks.

use super::page::{Page, Piece, dim, plain};
use super::palette::look;
use crate::report::units::{count, time};
use crate::report::v1::{Report, Wait};

/// Waits shown.
const SHOWN: usize = 6;
/// Frames of a stack shown: the innermost say most.
const FRAMES: usize = 6;
/// Where the words begin: after `  2.31 ms  `.
const HANG: usize = 12;

pub(super) fn write(page: &mut Page, report: &Report) {
    let [scenario] = report.scenarios.as_slice() else {
        return;
    };
    if scenario.waits.is_empty() {
        return;
    }
    page.blank();
    page.line(&[dim("what the calls waited for")]);
    for wait in scenario.waits.iter().take(SHOWN) {
        let label = plain(format!("{:>10}  ", time(wait.ns)));
        page.paragraph(&[label], HANG, &words(wait));
        if !wait.stack.is_empty() {
            let mut frames: Vec<&str> =
                wait.stack.iter().take(FRAMES).map(String::as_str).collect();
            if wait.stack.len() > FRAMES {
                frames.push("…");
            }
            page.paragraph(&[], HANG, &[dim(frames.join(" ← "))]);
        }
    }
    if let Some(more) = scenario
        .waits
        .len()
        .checked_sub(SHOWN)
        .filter(|more| *more > 0)
    {
        page.paragraph(&[], HANG, &[dim(format!("and {more} more with --json"))]);
    }
}

fn words(wait: &Wait) -> Vec<Piece> {
    let mut words = vec![Piece::new(wait.cause.as_str(), look(&wait.cause))];
    if !wait.detail.is_empty() {
        words.push(plain(format!(" {}", wait.detail)));
    }
    let times = format!(": {} ×, longest {}", count(wait.count), time(wait.max_ns));
    words.push(dim(times));
    words
}
