//! What several runs wrote down, side by side.

use super::line::{Line, Part};
use crate::lab::stats::Share;

/// A value a run; `None` where a run wrote no such line.
pub(super) type Runs<T> = Vec<Option<T>>;

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Stall {
    pub(super) named: Share,
    /// Other calls, whose end the kernel hid.
    pub(super) hidden: u64,
    pub(super) injected_ns: u64,
    pub(super) found_ns: u64,
}

#[derive(Debug)]
pub(super) struct Stalls {
    pub(super) cause: String,
    pub(super) provoked: String,
    pub(super) runs: Runs<Stall>,
}

#[derive(Debug)]
pub(super) struct Witness {
    pub(super) part: Part,
    pub(super) what: String,
    pub(super) provoked: String,
    pub(super) witness: String,
    pub(super) runs: Runs<Share>,
}

#[derive(Debug)]
pub(super) struct Kept {
    pub(super) part: Part,
    pub(super) what: String,
    pub(super) provoked: String,
    pub(super) expected: Runs<String>,
    pub(super) found: Runs<String>,
}

/// All lines, each once, in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Merged {
    pub(super) stalls: Vec<Stalls>,
    pub(super) witness: Vec<Witness>,
    pub(super) kept: Vec<Kept>,
    pub(super) absent: Vec<(String, String)>,
}

impl Merged {
    pub(super) fn of(runs: &[Vec<Line>]) -> Self {
        let mut merged = Self::default();
        for (run, lines) in runs.iter().enumerate() {
            for line in lines {
                merged.line(line.clone(), run, runs.len());
            }
        }
        merged
    }

    /// What a run says twice of the same thing adds up.
    fn line(&mut self, line: Line, run: usize, runs: usize) {
        match line {
            Line::Stalls {
                cause,
                provoked,
                stalled,
                named,
                hidden,
                injected_ns,
                found_ns,
            } => {
                let new = Stalls {
                    cause,
                    provoked,
                    runs: vec![None; runs],
                };
                let ours = the_same(&mut self.stalls, new, |a, b| {
                    a.cause == b.cause && a.provoked == b.provoked
                });
                let sum = ours.runs[run].get_or_insert_default();
                sum.named.good += named;
                sum.named.all += stalled;
                sum.hidden += hidden;
                sum.injected_ns += injected_ns;
                sum.found_ns += found_ns;
            }
            Line::Witness {
                part,
                what,
                provoked,
                witness,
                asked,
                agreed,
            } => {
                let new = Witness {
                    part,
                    what,
                    provoked,
                    witness,
                    runs: vec![None; runs],
                };
                let ours = the_same(&mut self.witness, new, |a, b| {
                    (a.part, &a.what, &a.provoked, &a.witness)
                        == (b.part, &b.what, &b.provoked, &b.witness)
                });
                let sum = ours.runs[run].get_or_insert_default();
                sum.good += agreed;
                sum.all += asked;
            }
            Line::Kept {
                part,
                what,
                provoked,
                expected,
                found,
            } => {
                let new = Kept {
                    part,
                    what,
                    provoked,
                    expected: vec![None; runs],
                    found: vec![None; runs],
                };
                let ours = the_same(&mut self.kept, new, |a, b| {
                    (a.part, &a.what, &a.provoked) == (b.part, &b.what, &b.provoked)
                });
                append(&mut ours.expected[run], &expected);
                append(&mut ours.found[run], &found);
            }
            Line::Absent { what, why } => {
                let absent = (what, why);
                if !self.absent.contains(&absent) {
                    self.absent.push(absent);
                }
            }
        }
    }
}

/// The entry of the list that is the same as `new`, which is added if there is none.
fn the_same<T>(list: &mut Vec<T>, new: T, same: impl Fn(&T, &T) -> bool) -> &mut T {
    let at = list.iter().position(|old| same(old, &new));
    let at = at.unwrap_or_else(|| {
        list.push(new);
        list.len() - 1
    });
    &mut list[at]
}

fn append(texts: &mut Option<String>, text: &str) {
    match texts {
        Some(texts) if texts != text => {
            texts.push_str("; ");
            texts.push_str(text);
        }
        Some(_) => {}
        None => *texts = Some(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stalls(provoked: &str, stalled: u64) -> Line {
        Line::Stalls {
            cause: "lock".into(),
            provoked: provoked.into(),
            stalled,
            named: stalled - 1,
            hidden: 0,
            injected_ns: 100,
            found_ns: 101,
        }
    }

    #[test]
    fn runs_stand_side_by_side_and_repetitions_add_up() {
        let first = vec![stalls("a", 5), stalls("b", 6), stalls("a", 7)];
        let merged = Merged::of(&[first, vec![stalls("b", 8)]]);
        assert_eq!(merged.stalls.len(), 2);
        let all = |at: usize, run: usize| merged.stalls[at].runs[run].map(|it| it.named.all);
        assert_eq!((all(0, 0), all(0, 1)), (Some(12), None));
        assert_eq!((all(1, 0), all(1, 1)), (Some(6), Some(8)));
        assert_eq!(merged.stalls[0].runs[0].map(|it| it.found_ns), Some(202));
    }

    #[test]
    fn what_was_found_twice_is_said_once() {
        let mut texts = None;
        for text in ["x", "x", "y"] {
            append(&mut texts, text);
        }
        assert_eq!(texts.as_deref(), Some("x; y"));
    }
}
