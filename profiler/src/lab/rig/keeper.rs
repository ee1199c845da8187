//! Undoes what would outlive this process, however it ends.

use std::{
    ffi::OsStr,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use super::Reason;

/// A shell that waits until this value, or this process, is gone.
#[derive(Debug)]
pub(super) struct Keeper(Child);

impl Keeper {
    /// Will run a shell script with these arguments (`$0` is the first) at that time.
    ///
    /// # Errors
    /// There is no shell.
    pub(super) fn new(script: &str, words: &[&OsStr]) -> Result<Self, Reason> {
        // Its standard input ends when nobody holds the other end any more.
        let keeper = Command::new("sh")
            .args(["-c", &format!("cat; {script}")])
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // ^C ends the process that uses the rig. The keeper has to outlive it.
            .process_group(0)
            .spawn();
        keeper.map(Self).map_err(|error| format!("no sh: {error}"))
    }

    /// Will remove a cgroup, once its last member has left.
    ///
    /// # Errors
    /// There is no shell.
    pub(super) fn for_cgroup(path: &Path) -> Result<Self, Reason> {
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
