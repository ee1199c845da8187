//! A disk as fast as the machine's own: a loop device on an ordinary file.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{
    Reason,
    filesystem::{Kind, Mounted},
    incompressible,
    loopback::LoopDevice,
    private_mounts,
};

/// A disk with a file system on it.
#[derive(Debug)]
pub struct Disk {
    // Dropped from top to bottom.
    mounted: Mounted,
    device: LoopDevice,
    folder: TempDir,
}

impl Disk {
    /// Makes one of at least so many bytes and mounts it. Its image lies in a folder of its own in
    /// `parent`, which has to be on a disk.
    ///
    /// # Errors
    /// The machine lacks something that this takes.
    pub fn with(kind: Kind, bytes: u64, parent: &Path) -> Result<Self, Reason> {
        Self::with_options(kind, bytes, "", parent)
    }

    /// The same with the file system's own mount options.
    ///
    /// # Errors
    /// The machine lacks something that this takes.
    pub fn with_options(
        kind: Kind,
        bytes: u64,
        options: &str,
        parent: &Path,
    ) -> Result<Self, Reason> {
        private_mounts()?;
        let folder = TempDir::new_in(parent)
            .map_err(|error| format!("no folder in {}: {error}", parent.display()))?;
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
    #[must_use]
    pub fn path(&self) -> &Path {
        self.mounted.folder()
    }

    /// The block device.
    #[must_use]
    pub fn device(&self) -> &Path {
        self.device.path()
    }

    /// Makes a file of so many bytes on it, which no file system can store in less.
    ///
    /// # Errors
    /// The disk is full.
    pub fn file(&self, name: &str, bytes: usize) -> Result<PathBuf, Reason> {
        let made = incompressible(self.folder.path(), name, bytes)?;
        let on_it = self.put(&made, name)?;
        std::fs::remove_file(made).map_err(|error| error.to_string())?;
        Ok(on_it)
    }

    /// Copies a file there.
    ///
    /// # Errors
    /// The disk is full.
    pub fn put(&self, file: &Path, name: &str) -> Result<PathBuf, Reason> {
        self.mounted.put(file, name)
    }
}
