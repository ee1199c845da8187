//! Other programs: where they are, what they print, and how one would type them.

use std::{
    env, iter,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

/// Runs it and returns its standard output; standard error goes into the error.
pub(super) fn output(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_owned();
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {}", name.display()))?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        bail!("{} failed ({}): {error}", name.display(), output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Where a program is. Users have no `sbin` on their `PATH`.
pub(super) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(iter::once(Path::new("/usr/sbin").to_owned()));
    let mut places = folders.map(|folder| folder.join(program));
    places.find(|place| place.is_file())
}

/// A command as one would type it, for the page.
pub(super) fn shown<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let quoted = words.into_iter().map(|word| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
        if !word.is_empty() && word.chars().all(plain) {
            word.to_owned()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    });
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_where_a_shell_needs_it() {
        assert_eq!(
            shown(["perf", "a b", "it's", ""]),
            r"perf 'a b' 'it'\''s' ''"
        );
    }

    #[test]
    fn what_a_program_said_is_known() {
        let mut shell = Command::new(find("sh").unwrap());
        assert_eq!(output(shell.args(["-c", "echo on"])).unwrap(), "on\n");
        let mut shell = Command::new("sh");
        let error = output(shell.args(["-c", "echo no luck >&2; exit 3"])).unwrap_err();
        assert!(error.to_string().contains("no luck"), "{error}");
        assert_eq!(find("no such program"), None);
    }
}
