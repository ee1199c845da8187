//! Runs every test that this machine can run, sorted by the rights they take:
//! first what any user may run, then, as root, what loads programs into the
//! kernel. Ends with one line that sums up all of them.

mod host;
pub(crate) mod kernel;
pub(crate) mod tally;

use std::{env, process::ExitCode};

use anyhow::Result;

use crate::{args, cargo, setup};

pub(crate) fn door(args: &args::Test) -> Result<ExitCode> {
    setup::ensure(args.install)?;
    let metadata = cargo::metadata()?;
    let words = libtest_words(args);
    let mut total = host::run(&metadata, &words)?;
    let kernel = kernel::run(&metadata, &words, args.install)?;
    total.add(kernel.tally);
    if let Some(why) = &kernel.not_run {
        eprintln!(
            "test: {} skipped on the real kernel: {why}",
            kernel.tally.skipped
        );
    }
    let all_run = kernel.not_run.is_none() && total.refused == 0;
    let excused = all_run || !is_ci(env::var("CI").ok().as_deref());
    if !excused {
        eprintln!("test: with CI set, tests that could not be run are a failure");
    }
    println!("{total}");
    Ok(if total.failed == 0 && excused {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn libtest_words(args: &args::Test) -> Vec<String> {
    let long = args.long.then(|| "--include-ignored".to_owned());
    long.into_iter().chain(args.args.iter().cloned()).collect()
}

fn is_ci(value: Option<&str>) -> bool {
    !matches!(value, None | Some("" | "0" | "false"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ci_is_what_says_so() {
        assert!(is_ci(Some("true")) && is_ci(Some("1")));
        assert!(!is_ci(None) && !is_ci(Some("")) && !is_ci(Some("false")));
    }

    #[test]
    fn long_comes_before_the_filter() {
        let args = args::Test {
            install: args::Install { no_install: false },
            long: true,
            args: vec!["blame".into()],
        };
        assert_eq!(libtest_words(&args), ["--include-ignored", "blame"]);
    }
}
