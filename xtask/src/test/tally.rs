//! Counts what test programs report, passing their output on.

use std::{
    fmt,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result};

use crate::process;

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    /// Those that were left for another time, and [`Tally::refused`].
    pub(crate) skipped: u64,
    /// Tests that ran and found that this machine can't do what they test.
    pub(crate) refused: u64,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.refused += other.refused;
    }

    /// One line of a test program.
    pub(crate) fn line(&mut self, line: &str) {
        if let Some(sum) = Self::parse(line) {
            self.add(sum);
        } else if Self::says_skipped(line) {
            // The harness knows no third way to end, and counts it as passed.
            self.refused += 1;
        }
    }

    /// `skipped: NAME: why`, by itself or where the harness has begun a line already:
    /// `test NAME ... skipped: …`
    fn says_skipped(line: &str) -> bool {
        let rest = match line.split_once(" ... ") {
            Some((test, rest)) if test.starts_with("test ") => rest,
            _ => line,
        };
        rest.starts_with("skipped: ")
    }

    /// Moves the tests that refused from the passed ones to the skipped ones.
    pub(crate) fn settled(mut self) -> Self {
        self.passed = self.passed.saturating_sub(self.refused);
        self.skipped += self.refused;
        self
    }

    /// `test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; …`
    ///
    /// What a filter leaves out was not asked for, so it isn't skipped.
    fn parse(line: &str) -> Option<Self> {
        let (_, counts) = line
            .trim_start()
            .strip_prefix("test result: ")?
            .split_once(". ")?;
        let count = |what: &str| {
            let counts = counts.split(';').map(str::trim);
            counts
                .filter_map(|part| part.strip_suffix(what)?.trim().parse().ok())
                .next()
        };
        Some(Self {
            passed: count("passed")?,
            failed: count("failed")?,
            skipped: count("ignored").unwrap_or(0),
            refused: 0,
        })
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            passed,
            failed,
            skipped,
            ..
        } = self;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

/// Runs tests and sums their results. A program that fails without naming a
/// failed test (it didn't compile, it crashed) is one failure.
pub(crate) fn counted(command: &mut Command) -> Result<Tally> {
    overheard(command, &mut |_| {})
}

/// The same, for one who wants to hear each line too.
pub(crate) fn overheard(command: &mut Command, hear: &mut dyn FnMut(&str)) -> Result<Tally> {
    let mut child = command
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("can't run `{}`", process::shown(command)))?;
    let mut total = Tally::default();
    for line in child
        .stdout
        .take()
        .into_iter()
        .flat_map(|out| BufReader::new(out).split(b'\n'))
    {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        total.line(&line);
        hear(&line);
    }
    let mut total = total.settled();
    let status = child.wait()?;
    if !status.success() && total.failed == 0 {
        eprintln!("test: `{}` failed ({status})", process::shown(command));
        total.failed = 1;
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(passed: u64, failed: u64, skipped: u64) -> Tally {
        Tally {
            passed,
            failed,
            skipped,
            refused: 0,
        }
    }

    #[test]
    fn a_test_that_refuses_is_skipped_and_not_passed() {
        let say = "echo 'skipped: a: no disk'; echo 'test b ... skipped: b: no right'; \
                   echo ok; echo 'it skipped: a line'; \
                   echo 'test result: ok. 5 passed; 0 failed; 0 ignored'";
        let mut shell = Command::new("sh");
        let total = counted(shell.args(["-c", say])).unwrap();
        assert_eq!((total.passed, total.skipped, total.refused), (3, 2, 2));
    }

    #[test]
    fn the_summary_line_is_understood() {
        let line = "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; \
            finished in 0.00s";
        assert_eq!(Tally::parse(line), Some(tally(3, 0, 1)));
        let line =
            "test result: FAILED. 13 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(Tally::parse(line), Some(tally(13, 2, 0)));
    }

    #[test]
    fn other_lines_count_nothing() {
        assert_eq!(Tally::parse("test blame::lock ... ok"), None);
        assert_eq!(Tally::parse("test result: "), None);
        assert_eq!(
            Tally::parse("the test result: ok. 3 passed; 0 failed"),
            None
        );
    }

    #[test]
    fn results_of_several_programs_are_summed() {
        let say = "echo 'test result: ok. 2 passed; 0 failed; 1 ignored'";
        let mut shell = Command::new("sh");
        assert_eq!(
            counted(shell.args(["-c", &format!("{say}; {say}")])).unwrap(),
            tally(4, 0, 2)
        );
    }

    #[test]
    fn a_crash_is_a_failure() {
        let mut shell = Command::new("sh");
        assert_eq!(
            counted(shell.args(["-c", "exit 101"])).unwrap(),
            tally(0, 1, 0)
        );
    }

    #[test]
    fn the_closing_line_is_plain() {
        assert_eq!(tally(1, 2, 3).to_string(), "1 passed, 2 failed, 3 skipped");
    }
}
