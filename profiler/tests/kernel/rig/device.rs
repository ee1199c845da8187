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
    Served, SlowFiles,
    filesystem::{Kind, Mounted},
    loopback::LoopDevice,
    private_mounts,
};
use crate::harness;

/// A disk with a file system on it that has one file.
pub(crate) struct SlowDisk {
    // Dropped from top to bottom.
    mounted: Mounted,
    device: LoopDevice,
    files: SlowFiles,
    _folder: TempDir,
}

/// Bytes of the file.
const SIZE: usize = 40 << 20;

impl SlowDisk {
    /// Makes and mounts one with an ext4. Why not, if it cannot.
    pub(crate) fn new() -> Result<Self, String> {
        Self::with(Kind::Ext4)
    }

    /// Makes and mounts it; fast at first. Why not, if it cannot.
    pub(crate) fn with(kind: Kind) -> Result<Self, String> {
        private_mounts()?;
        let folder = harness::folder();
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
        let data = harness::file(&folder, "data", SIZE);
        mounted.put(&data, "data")?;
        Ok(Self {
            mounted,
            device,
            files,
            _folder: folder,
        })
    }

    /// The file on it.
    pub(crate) fn data(&self) -> PathBuf {
        self.mounted.folder().join("data")
    }

    /// The block device.
    pub(crate) fn device(&self) -> &Path {
        self.device.path()
    }

    /// Takes the file's pages out of the cache, and leaves what describes it in there.
    pub(crate) fn cool(&self, path: &Path) {
        let file = File::open(path).expect("the file");
        std::io::copy(&mut &file, &mut std::io::sink()).expect("to be read");
        file.sync_all().expect("nothing to write");
        fadvise(&file, 0, None, Advice::DontNeed).expect("to be dropped");
    }

    pub(crate) fn delay(&self, read: Duration, write: Duration) {
        self.files.reads();
        self.files.delay(read, write);
    }

    pub(crate) fn reads(&self) -> Vec<Served> {
        self.files.reads()
    }
}

impl Drop for SlowDisk {
    fn drop(&mut self) {
        // What is still to be written must not keep the mount.
        self.files.delay(Duration::ZERO, Duration::ZERO);
    }
}
