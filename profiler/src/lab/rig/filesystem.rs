//! File systems: made in a file, and mounted.

use std::{
    fs,
    fs::File,
    path::{Path, PathBuf},
    process::Command,
    thread::sleep,
    time::Duration,
};

use nix::mount::{MntFlags, MsFlags, mount, umount2};

use super::Reason;

/// A file system that a disk is formatted with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// ext4
    Ext4,
    /// xfs
    Xfs,
    /// btrfs
    Btrfs,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ext4, Self::Xfs, Self::Btrfs];

    /// As the kernel calls it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
            Self::Btrfs => "btrfs",
        }
    }

    /// The smallest image that it goes into, in bytes.
    pub(super) fn least(self) -> u64 {
        match self {
            Self::Ext4 => 128 << 20,
            // Below 300 MiB, mkfs.xfs refuses.
            Self::Xfs => 320 << 20,
            // mkfs.btrfs takes 109 MiB; the rest is room for what it keeps twice.
            Self::Btrfs => 256 << 20,
        }
    }

    /// Makes an image, a sparse file, with an empty file system in it.
    pub(super) fn make(self, image: &Path, bytes: u64) -> Result<(), Reason> {
        File::create_new(image)
            .and_then(|file| file.set_len(bytes.max(self.least())))
            .map_err(|error| error.to_string())?;
        let options: &[&str] = match self {
            // Nothing is left for the kernel to do once it is mounted. The blocks as on
            // disks of a usual size; on one this small they were 1 KiB.
            Self::Ext4 => &[
                "-F",
                "-b4096",
                "-E",
                "lazy_itable_init=0,lazy_journal_init=0",
            ],
            Self::Xfs | Self::Btrfs => &[],
        };
        let program = format!("mkfs.{}", self.name());
        let made = Command::new(&program)
            .arg("-q")
            .args(options)
            .arg(image)
            .output()
            .map_err(|error| format!("no {program}: {error}"))?;
        if !made.status.success() {
            return Err(format!("{program}: {made:?}"));
        }
        Ok(())
    }
}

/// A file system, mounted until this is dropped.
#[derive(Debug)]
pub(super) struct Mounted {
    folder: PathBuf,
}

impl Mounted {
    /// Mounts a device in a folder that is there.
    pub(super) fn mount(
        kind: Kind,
        device: &Path,
        folder: &Path,
        options: &str,
    ) -> Result<Self, Reason> {
        let flags = MsFlags::empty();
        mount(
            Some(device),
            folder,
            Some(kind.name()),
            flags,
            Some(options),
        )
        .map_err(|error| {
            let (kind, device) = (kind.name(), device.display());
            format!("cannot mount the {kind} of {device}: {error}")
        })?;
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Copies a file onto it, and waits until it is on the device.
    pub(super) fn put(&self, file: &Path, name: &str) -> Result<PathBuf, Reason> {
        let why = |error: std::io::Error| format!("cannot copy a file there: {error}");
        let to = self.folder.join(name);
        fs::copy(file, &to).map_err(why)?;
        let copy = File::open(&to).map_err(why)?;
        copy.sync_all().map_err(why)?;
        rustix::fs::syncfs(&copy).map_err(|error| why(error.into()))?;
        Ok(to)
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // Whoever read there may not be gone altogether.
        for _ in 0..50 {
            if umount2(&self.folder, MntFlags::empty()).is_ok() {
                return;
            }
            sleep(Duration::from_millis(20));
        }
    }
}
