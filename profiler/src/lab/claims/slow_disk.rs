//! A disk that takes 8 ms for each request.

use std::{path::Path, time::Duration};

use crate::{
    blame::Cause,
    lab::{
        experiment::{Experiment, Provoked, cold_reads},
        rig::{Reason, SlowDisk},
    },
};

pub(super) const EXPERIMENT: Experiment = Experiment {
    id: "slow-disk",
    claim: "A disk that takes 8 ms for each request is blamed for them as `device`.",
    provoke,
    expect: |measured| measured.blames(Cause::Device),
};

fn provoke(folder: &Path) -> Result<Box<dyn Provoked>, Reason> {
    let disk = SlowDisk::new(folder)?;
    disk.delay(Duration::from_millis(8), Duration::ZERO);
    Ok(Box::new(disk))
}

impl Provoked for SlowDisk {
    fn words(&self) -> Vec<String> {
        cold_reads(&self.data())
    }

    fn injected_ns(&self) -> u64 {
        let reads = self.reads().into_iter();
        reads.map(|read| read.end_ns - read.start_ns).sum()
    }
}
