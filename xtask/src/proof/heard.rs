//! What test programs print of tests that failed or could not be run.

/// Listens to the lines of one test program after the other.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    run: u8,
    /// The test whose line was begun last.
    test: String,
    listing: bool,
    failed: Vec<String>,
    skipped: Vec<(String, String)>,
}

impl Heard {
    /// What follows is of this run.
    pub(crate) fn run(&mut self, run: u8) {
        self.run = run;
    }

    pub(crate) fn line(&mut self, line: &str) {
        if self.listing && line.starts_with("    ") {
            let run = match self.run {
                0 => String::new(),
                run => format!(" (run {run})"),
            };
            self.failed.push(format!("{}{run}", line.trim()));
            return;
        }
        // Before what they printed, and again as a list.
        self.listing = line == "failures:";
        let mut rest = line;
        if let Some((test, after)) = line
            .strip_prefix("test ")
            .and_then(|line| line.split_once(" ... "))
        {
            test.clone_into(&mut self.test);
            rest = after;
        }
        if let Some(why) = rest.strip_prefix("skipped: ") {
            let skipped = (self.test.clone(), why.to_owned());
            if !self.skipped.contains(&skipped) {
                self.skipped.push(skipped);
            }
        }
    }

    /// The tests that failed, and in which run.
    pub(crate) fn failed(&self) -> &[String] {
        &self.failed
    }

    /// Tests that could not be run, and why.
    pub(crate) fn skipped(&self) -> &[(String, String)] {
        &self.skipped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_named_once_a_run() {
        let mut heard = Heard::default();
        let text = "test a::b ... FAILED\n\nfailures:\n\n---- a::b stdout ----\n    no\n\n\
                    failures:\n    a::b\n    c\n\ntest result: FAILED. 0 passed; 2 failed";
        text.lines().for_each(|line| heard.line(line));
        heard.run(2);
        text.lines().for_each(|line| heard.line(line));
        assert_eq!(heard.failed(), ["a::b", "c", "a::b (run 2)", "c (run 2)"]);
    }

    #[test]
    fn a_skipped_test_is_known_by_name() {
        let mut heard = Heard::default();
        for line in [
            "test a::b ... skipped: no disk",
            "ok",
            "test c ... ok",
            "test d ... ",
            "skipped: no right",
            "test a::b ... skipped: no disk",
        ] {
            heard.line(line);
        }
        let expected = [("a::b", "no disk"), ("d", "no right")];
        assert_eq!(
            heard.skipped(),
            expected.map(|(name, why)| (name.to_owned(), why.to_owned()))
        );
    }
}
