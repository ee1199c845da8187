//! Paths of the files that calls were about.

use std::{collections::HashMap, fs, os::unix::fs::MetadataExt as _};

use anyhow::{Result, bail};
use profiler_common::fact::{CALL_FAULT, Ended};

/// Files whose path is kept. Beyond it, further files go by the last part of their
/// name, which the kernel side sends.
const MAX_FILES: usize = 10_000;

/// Bytes of a path at most: the kernel's limit, with each byte that is not UTF-8 as a
/// character of three.
const MAX_PATH: usize = 3 * 4096;

/// Paths by device (the kernel's `dev_t`) and inode.
#[derive(Debug, Default)]
pub struct Files {
    known: HashMap<(u32, u64), Option<String>>,
}

impl Files {
    /// Makes a file known by the name that the user gave it, or that was looked up.
    ///
    /// # Errors
    ///
    /// No file has such a path, or no session so many files.
    pub fn insert(&mut self, dev: u32, inode: u64, path: String) -> Result<()> {
        if path.len() > MAX_PATH {
            bail!("a path of {} bytes is longer than any", path.len());
        }
        if self.known.len() > MAX_FILES && !self.known.contains_key(&(dev, inode)) {
            bail!("more files than a session looks up");
        }
        self.known.insert((dev, inode), Some(path));
        Ok(())
    }

    /// Looks a call's file up while its process may still have it open; gives the path
    /// if it is new. Costs two system calls a file, not a call.
    pub fn meet(&mut self, ended: &Ended) -> Option<&str> {
        let key = (ended.dev, ended.inode);
        if self.known.contains_key(&key) || self.known.len() >= MAX_FILES {
            return None;
        }
        let path = (ended.inode != 0 && ended.call != CALL_FAULT)
            .then(|| path_of(ended))
            .flatten();
        self.known.entry(key).or_insert(path).as_deref()
    }

    /// The path of a file, if it is known.
    pub fn path(&self, dev: u32, inode: u64) -> Option<&str> {
        self.known.get(&(dev, inode))?.as_deref()
    }
}

/// The path behind a descriptor, if that is still the same file.
fn path_of(ended: &Ended) -> Option<String> {
    let link = format!("/proc/{}/fd/{}", ended.head.pid, ended.fd);
    let path = fs::read_link(&link).ok()?;
    // The device may differ (btrfs has one for each subvolume), the inode may not.
    let inode = fs::metadata(&link).ok()?.ino();
    (inode == ended.inode).then(|| path.to_string_lossy().into_owned())
}
