//! Every path of the workspace.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

/// What a build makes, and what git keeps: no part of the tree.
const OUTSIDE: [&str; 2] = ["target", ".git"];

/// Every file and folder below `root`, relative to it.
pub(super) fn paths(root: &Path) -> Result<BTreeSet<PathBuf>> {
    let mut paths = BTreeSet::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let entry = entry?;
            if OUTSIDE.iter().any(|name| entry.file_name() == *name) {
                continue;
            }
            paths.insert(entry.path().strip_prefix(root)?.to_owned());
            // Not through a symbolic link, which may lead back.
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    Ok(paths)
}
