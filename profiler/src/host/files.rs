//! Paths of the files that calls were about.

use std::fs;

use anyhow::{Result, bail};
use foldhash::HashMap;
use profiler_common::fact::{CALL_FAULT, Ended};

/// Files whose path is kept. Beyond it, further files go by the last part of their
/// name, which the kernel side sends.
const MAX_FILES: usize = 10_000;

/// Bytes of a path at most: the kernel's limit, with each byte that is not UTF-8 as a
/// character of three.
const MAX_PATH: usize = 3 * 4096;

/// A file as calls name it: device (the kernel's `dev_t`), inode, and the last part of its name,
/// NUL padded. Device and inode alone mean another file when this one has been deleted, and on
/// btrfs a file in each subvolume.
type Key = (u32, u64, [u8; 32]);

/// For a file that goes by a name of the user's, whatever the kernel calls it.
const ANY_NAME: [u8; 32] = [0; 32];

/// Paths of files.
#[derive(Debug, Default)]
pub struct Files {
    known: HashMap<Key, Option<String>>,
}

impl Files {
    /// Makes a file known by the name that the user gave it (`name` is empty then), or that was
    /// looked up.
    ///
    /// # Errors
    ///
    /// No file has such a name or path, or no session so many files.
    pub fn insert(&mut self, dev: u32, inode: u64, name: &[u8], path: String) -> Result<()> {
        if path.len() > MAX_PATH {
            bail!("a path of {} bytes is longer than any", path.len());
        }
        let mut padded = ANY_NAME;
        let Some(place) = padded.get_mut(..name.len()) else {
            bail!(
                "a name of {} bytes is longer than the kernel side keeps",
                name.len()
            );
        };
        place.copy_from_slice(name);
        let key = (dev, inode, padded);
        if self.known.len() > MAX_FILES && !self.known.contains_key(&key) {
            bail!("more files than a session looks up");
        }
        self.known.insert(key, Some(path));
        Ok(())
    }

    /// Looks a call's file up while its process may still have it open; gives the path
    /// if it is new. Costs two system calls a file, not a call.
    pub fn meet(&mut self, ended: &Ended) -> Option<&str> {
        let key = (ended.dev, ended.inode, ended.name);
        let is_known = |name| self.known.contains_key(&(ended.dev, ended.inode, name));
        if is_known(ended.name) || is_known(ANY_NAME) || self.known.len() >= MAX_FILES {
            return None;
        }
        let path = (ended.inode != 0 && ended.call != CALL_FAULT)
            .then(|| path_of(ended))
            .flatten();
        self.known.entry(key).or_insert(path).as_deref()
    }

    /// The path of the file that has this name (NUL padded, cut at 31 bytes), if it is known.
    pub fn path(&self, dev: u32, inode: u64, name: &[u8; 32]) -> Option<&str> {
        let known = |name| self.known.get(&(dev, inode, name));
        known(*name).or_else(|| known(ANY_NAME))?.as_deref()
    }
}

/// The path behind a descriptor of the thread that made the call, if that is still the same file.
///
/// The thread's own descriptors are looked at, because a thread need not share those of its
/// process. The file's attributes are not asked for: a FUSE or NFS server that does not answer
/// would stop the collector. `fdinfo` tells the inode (since Linux 5.14) without a word to the
/// file system. The device is not compared: btrfs has one for each subvolume.
fn path_of(ended: &Ended) -> Option<String> {
    let folder = format!("/proc/{}/task/{}", ended.head.pid, ended.head.tid);
    let path = fs::read_link(format!("{folder}/fd/{}", ended.fd)).ok()?;
    let info = fs::read_to_string(format!("{folder}/fdinfo/{}", ended.fd)).ok()?;
    let inode: u64 = info
        .lines()
        .find_map(|line| line.strip_prefix("ino:"))?
        .trim()
        .parse()
        .ok()?;
    (inode == ended.inode).then(|| path.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use std::{fs::File, os::fd::AsRawFd as _, os::linux::fs::MetadataExt as _};

    use profiler_common::fact::Head;

    use super::*;

    /// A call on an open file of this thread, as the kernel side tells it.
    fn call(file: &File, name: &str) -> Ended {
        let mut padded = ANY_NAME;
        padded[..name.len()].copy_from_slice(name.as_bytes());
        Ended {
            head: Head {
                pid: std::process::id(),
                tid: rustix::thread::gettid().as_raw_pid() as u32,
                ..Head::default()
            },
            dev: 1,
            inode: file.metadata().unwrap().st_ino(),
            fd: file.as_raw_fd(),
            name: padded,
            ..Ended::default()
        }
    }

    #[test]
    fn an_inode_that_is_used_again_is_another_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let first = File::create(path("customers.db")).unwrap();
        let first = call(&first, "customers.db");
        // The same numbers, as after the other has been deleted.
        let second = File::create(path("scratch.tmp")).unwrap();
        let second = Ended {
            inode: first.inode,
            ..call(&second, "scratch.tmp")
        };
        let mut files = Files::default();
        let told = |files: &Files, call: &Ended| {
            files
                .path(call.dev, call.inode, &call.name)
                .map(String::from)
        };
        files
            .insert(1, first.inode, b"customers.db", "/customers.db".into())
            .unwrap();
        assert_eq!(
            files.meet(&second),
            None,
            "its descriptor means another inode"
        );
        assert_eq!(told(&files, &second), None);
        assert_eq!(told(&files, &first).as_deref(), Some("/customers.db"));
    }

    #[test]
    fn a_file_is_met_once_by_its_threads_own_descriptor() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let file = File::create(&path).unwrap();
        let call = call(&file, "file");
        let mut files = Files::default();
        assert_eq!(files.meet(&call), path.to_str());
        assert_eq!(files.meet(&call), None);
        let other_thread = Ended {
            head: Head {
                tid: 1,
                ..call.head
            },
            dev: 2,
            ..call
        };
        assert_eq!(files.meet(&other_thread), None, "no thread of this process");
    }

    #[test]
    fn a_thread_that_shares_no_descriptors_has_its_own_looked_up() {
        let folder = tempfile::tempdir().unwrap();
        let [ours, theirs] = ["ours", "theirs"].map(|name| folder.path().join(name));
        let first = File::create(&ours).unwrap();
        let second = File::create(&theirs).unwrap();
        let looked_up = std::thread::spawn(move || {
            // SAFETY: takes plain numbers; this thread has a copy of the descriptors from now on.
            assert_eq!(unsafe { libc::unshare(libc::CLONE_FILES) }, 0);
            // SAFETY: both are open; what the number means changes in this thread's copy only,
            // where nothing of this program rests on it.
            let copied = unsafe { libc::dup2(second.as_raw_fd(), first.as_raw_fd()) };
            assert_eq!(copied, first.as_raw_fd());
            // The file is the second one by now.
            let call = call(&first, "theirs");
            Files::default().meet(&call).map(String::from)
        });
        let looked_up = looked_up.join().unwrap();
        assert_eq!(looked_up.as_deref(), theirs.to_str());
    }

    #[test]
    fn a_name_of_the_users_own_is_for_whatever_the_kernel_calls_it() {
        let mut files = Files::default();
        files.insert(1, 2, b"", "bench file".into()).unwrap();
        let name = |first| {
            let mut name = ANY_NAME;
            name[0] = first;
            name
        };
        assert_eq!(files.path(1, 2, &name(b'#')), Some("bench file"));
        assert!(files.insert(1, 2, &[1; 33], String::new()).is_err());
    }
}
