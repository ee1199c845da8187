//! A disk as fast as the machine's own: a loop device on an ordinary file.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{
    filesystem::{Kind, Mounted},
    loopback::LoopDevice,
    private_mounts,
};
use crate::harness;

/// A disk with a file system on it.
pub(crate) struct Disk {
    // Dropped from top to bottom.
    mounted: Mounted,
    device: LoopDevice,
    folder: TempDir,
}

impl Disk {
    /// Makes and mounts it. Why not, if it cannot.
    pub(crate) fn with(kind: Kind, bytes: u64) -> Result<Self, String> {
        Self::with_options(kind, bytes, "")
    }

    /// With the file system's own mount options.
    pub(crate) fn with_options(kind: Kind, bytes: u64, options: &str) -> Result<Self, String> {
        private_mounts()?;
        let folder = harness::folder();
        let image = folder.path().join("image");
        kind.make(&image, bytes)?;
        let on = folder.path().join("mounted");
        std::fs::create_dir(&on).map_err(|error| error.to_string())?;
        let device = LoopDevice::of(&image)?;
        let mounted = Mounted::mount(kind, device.path(), &on, options)?;
        Ok(Self {
            mounted,
            device,
            folder,
        })
    }

    /// Where it is mounted.
    pub(crate) fn path(&self) -> &Path {
        self.mounted.folder()
    }

    /// The block device.
    pub(crate) fn device(&self) -> &Path {
        self.device.path()
    }

    /// A file of so many bytes on it, that no file system can make smaller.
    pub(crate) fn file(&self, name: &str, bytes: usize) -> PathBuf {
        let made = harness::file(&self.folder, name, bytes);
        let on_it = self.put(&made, name);
        std::fs::remove_file(made).expect("it was made");
        on_it
    }

    /// Copies a file there.
    pub(crate) fn put(&self, file: &Path, name: &str) -> PathBuf {
        self.mounted.put(file, name).expect("room on the disk")
    }
}
