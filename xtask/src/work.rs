//! A folder for files that a command needs while it runs.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

/// The folder, removed when this is dropped.
#[derive(Debug)]
pub(crate) struct Work(PathBuf);

impl Work {
    pub(crate) fn new(path: PathBuf) -> Result<Self> {
        // Left behind by a run that was killed.
        if path.exists() {
            fs::remove_dir_all(&path).with_context(|| path.display().to_string())?;
        }
        fs::create_dir_all(&path).with_context(|| path.display().to_string())?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // What is left behind now is removed before the next run.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_killed_run_is_cleared() {
        let path = std::env::temp_dir().join(format!("work-{}", std::process::id()));
        let work = Work::new(path.clone()).unwrap();
        fs::write(work.path().join("left"), "x").unwrap();
        let again = Work::new(path.clone()).unwrap();
        assert!(!path.join("left").exists());
        drop(again);
        assert!(!path.exists());
    }
}
