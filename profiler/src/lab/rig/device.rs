//! A disk that takes a set time for each request: a loop device on a slow file.

use std::{
    fs,
    fs::File,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::fs::{Advice, fadvise};
use tempfile::TempDir;

use super::{
    Reason, Served, SlowFiles,
    filesystem::{Kind, Mounted},
    incompressible,
    loopback::LoopDevice,
    private_mounts,
};

/// A disk with a file system that has one file.
#[derive(Debug)]
pub struct SlowDisk {
    // Dropped from top to bottom.
    mounted: Mounted,
    device: LoopDevice,
    files: SlowFiles,
    _folder: TempDir,
}

/// Bytes of the file.
const SIZE: usize = 40 << 20;

impl SlowDisk {
    /// Makes one with ext4 and mounts it, without a delay at first. Its image lies in a folder of
    /// its own in `parent`, which has to be on a disk.
    ///
    /// # Errors
    /// The machine lacks something that this takes.
    pub fn new(parent: &Path) -> Result<Self, Reason> {
        Self::with(Kind::Ext4, parent)
    }

    /// The same with another file system.
    ///
    /// # Errors
    /// The machine lacks something that this takes.
    pub fn with(kind: Kind, parent: &Path) -> Result<Self, Reason> {
        private_mounts()?;
        let folder = TempDir::new_in(parent)
            .map_err(|error| format!("no folder in {}: {error}", parent.display()))?;
        let dir = |name: &str| {
            let path = folder.path().join(name);
            fs::create_dir(&path)
                .map(|()| path)
                .map_err(|error| error.to_string())
        };
        let (served, on) = (dir("served")?, dir("mounted")?);
        let image = folder.path().join("image");
        kind.make(&image, kind.least())?;
        let files = SlowFiles::serve(&image, &served)?;
        let device = LoopDevice::of(&files.direct())?;
        let mounted = Mounted::mount(kind, device.path(), &on, "")?;
        let data = incompressible(folder.path(), "data", SIZE)?;
        mounted.put(&data, "data")?;
        Ok(Self {
            mounted,
            device,
            files,
            _folder: folder,
        })
    }

    /// The file on it.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.mounted.folder().join("data")
    }

    /// The block device.
    #[must_use]
    pub fn device(&self) -> &Path {
        self.device.path()
    }

    /// Drops a file's pages from the page cache, and keeps its inode and extent tree there: a read
    /// then waits for data only.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn cool(&self, path: &Path) -> std::io::Result<()> {
        let file = File::open(path)?;
        std::io::copy(&mut &file, &mut std::io::sink())?;
        file.sync_all()?;
        Ok(fadvise(&file, 0, None, Advice::DontNeed)?)
    }

    /// From now on each read, and each write, takes at least this long. Forgets the reads that were
    /// served before.
    pub fn delay(&self, read: Duration, write: Duration) {
        self.files.reads();
        self.files.delay(read, write);
    }

    /// The reads that the disk has served since this, or [`Self::delay`], was last called.
    pub fn reads(&self) -> Vec<Served> {
        self.files.reads()
    }
}

impl Drop for SlowDisk {
    fn drop(&mut self) {
        // Slow writes of what is still dirty would keep the file system from being unmounted.
        self.files.delay(Duration::ZERO, Duration::ZERO);
    }
}
