//! A file system in user space that takes 8 ms for each read.

use std::{fs, path::Path, time::Duration};

use tempfile::TempDir;

use crate::{
    blame::Cause,
    lab::{
        experiment::{Experiment, Provoked, cold_reads},
        rig::{Reason, SlowFiles, incompressible, private_mounts},
    },
};

pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "slow-server",
    claim: "A FUSE server that takes 8 ms for each read is blamed for them as `server`.",
    provoke,
    expect: |measured| measured.blames(Cause::Server),
};

/// The file system, in a folder of its own.
#[derive(Debug)]
struct Server {
    // Dropped from top to bottom.
    files: SlowFiles,
    _folder: TempDir,
}

fn provoke(folder: &Path) -> Result<Box<dyn Provoked>, Reason> {
    private_mounts()?;
    let folder = TempDir::new_in(folder)
        .map_err(|error| format!("no folder in {}: {error}", folder.display()))?;
    let backing = incompressible(folder.path(), "backing", 8 << 20)?;
    let mounted = folder.path().join("mounted");
    fs::create_dir(&mounted).map_err(|error| error.to_string())?;
    let files = SlowFiles::serve(&backing, &mounted)?;
    files.delay(Duration::from_millis(8), Duration::ZERO);
    Ok(Box::new(Server {
        files,
        _folder: folder,
    }))
}

impl Provoked for Server {
    fn words(&self) -> Vec<String> {
        cold_reads(&self.files.cached())
    }

    fn injected_ns(&self) -> u64 {
        let reads = self.files.reads().into_iter();
        reads.map(|read| read.end_ns - read.start_ns).sum()
    }
}
