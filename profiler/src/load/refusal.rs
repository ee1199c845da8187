//! Why the kernel did not take a program.

use std::{fmt, io};

use anyhow::Error;
use aya::programs::ProgramError;

/// The kernel did not load the program that aya cannot load (`session.rs`).
#[derive(Debug)]
pub(super) struct Refused(pub(super) io::Error);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Refused {}

/// `ENOTSUPP` of the kernel's include/linux/errno.h, which libc does not know.
const ENOTSUPP: i32 = 524;

/// Was a program refused for what it does? A kernel that has `bpf_rdonly_cast` can refuse it so,
/// as one without a JIT does. No right, no memory and no hook are other things: with fewer
/// instructions they are the same.
pub(super) fn is_of_the_verifier(error: &Error) -> bool {
    matches!(
        number(error),
        Some(libc::EACCES | libc::EINVAL | libc::EOPNOTSUPP | ENOTSUPP)
    )
}

/// Was a program refused since the kernel was built without the addresses of its variables
/// (`CONFIG_KALLSYMS_ALL`)? Only one program of ours asks for any.
pub(super) fn is_of_an_address(error: &Error) -> bool {
    number(error) == Some(libc::ENOENT)
}

/// The number with which the kernel refused a program, if it did.
fn number(error: &Error) -> Option<i32> {
    error.chain().find_map(|cause| {
        let refused = cause.downcast_ref::<Refused>();
        let program = cause.downcast_ref::<ProgramError>();
        match (refused, program) {
            (Some(Refused(io)), _) => io.raw_os_error(),
            (_, Some(ProgramError::LoadError { io_error, .. })) => io_error.raw_os_error(),
            _ => None,
        }
    })
}

/// The error. Of what the verifier says, which may be thousands of lines, the last ones, which
/// say what was wrong.
pub(super) fn in_one_line(error: &Error) -> String {
    let refused = error.chain().enumerate().find_map(|(at, cause)| {
        let ProgramError::LoadError {
            io_error,
            verifier_log,
        } = cause.downcast_ref()?
        else {
            return None;
        };
        Some((at, io_error, verifier_log.to_string()))
    });
    let Some((at, io_error, log)) = refused else {
        let text = format!("{error:#}");
        return text.lines().collect::<Vec<_>>().join("; ");
    };
    let contexts = error.chain().take(at).map(|context| format!("{context}: "));
    let contexts: String = contexts.collect();
    match last_words(&log) {
        words if words.is_empty() => format!("{contexts}{io_error}"),
        words => format!("{contexts}{words} ({io_error})"),
    }
}

/// The last lines of the verifier's log, without its statistics.
pub(super) fn last_words(log: &str) -> String {
    const LINES: usize = 2;
    let statistics = ["processed ", "stack depth ", "verification time "];
    let lines = log.lines().map(str::trim);
    let mut lines: Vec<&str> = lines
        .filter(|line| !line.is_empty() && !statistics.iter().any(|it| line.starts_with(it)))
        .collect();
    lines.drain(..lines.len().saturating_sub(LINES));
    lines.join("; ")
}

#[cfg(test)]
mod tests {
    use anyhow::{Context as _, anyhow};

    use super::*;

    fn refused(number: i32) -> Error {
        Err::<(), _>(Refused(io::Error::from_raw_os_error(number)))
            .context("the kernel does not load it")
            .context("begins and ends of calls cannot be seen")
            .unwrap_err()
    }

    #[test]
    fn only_what_a_program_does_is_refused_by_the_verifier() {
        for number in [libc::EACCES, libc::EINVAL, libc::EOPNOTSUPP, ENOTSUPP] {
            assert!(is_of_the_verifier(&refused(number)), "{number}");
        }
        for number in [libc::EPERM, libc::ENOMEM, libc::E2BIG, libc::EMFILE] {
            assert!(!is_of_the_verifier(&refused(number)), "{number}");
        }
        assert!(is_of_an_address(&refused(libc::ENOENT)));
        assert!(!is_of_an_address(&refused(libc::EINVAL)));
        assert!(!is_of_an_address(
            &io::Error::from_raw_os_error(libc::ENOENT).into()
        ));
        // The same number, from somebody else.
        let other = Error::from(io::Error::from_raw_os_error(libc::EINVAL));
        assert!(!is_of_the_verifier(&other));
        assert!(!is_of_the_verifier(&anyhow!(
            "this kernel has no tracepoint"
        )));
    }

    #[test]
    fn of_what_the_verifier_says_the_last_words_are_told() {
        let lines = (0..1000).map(|line| format!("{line}: (85) call\n"));
        let log = lines.collect::<String>() + "no such function\n\nprocessed 7 insns\n";
        assert_eq!(last_words(&log), "999: (85) call; no such function");
        assert_eq!(last_words(""), "");
        assert_eq!(in_one_line(&anyhow!("a\nb").context("c")), "c: a; b");
    }
}
