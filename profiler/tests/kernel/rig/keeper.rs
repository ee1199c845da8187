//! Undoes what outlives a process, however this one ends.

use std::{
    ffi::OsStr,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
};

/// A shell that waits until this value, or this process, is gone.
pub(crate) struct Keeper(Child);

impl Keeper {
    /// Runs a script with some words then. Why not, if it cannot.
    pub(crate) fn new(script: &str, words: &[&OsStr]) -> Result<Self, String> {
        // It is told by the end of its standard input.
        let keeper = Command::new("sh")
            .args(["-c", &format!("cat; {script}")])
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // ^C is for the test, not for it.
            .process_group(0)
            .spawn();
        keeper.map(Self).map_err(|error| format!("no sh: {error}"))
    }

    /// Removes a cgroup, once its last member has left.
    pub(crate) fn for_cgroup(path: &Path) -> Result<Self, String> {
        let script = "for i in 1 2 3 4 5; do rmdir \"$0\" && exit; sleep 0.2; done";
        Self::new(script, &[path.as_os_str()])
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
