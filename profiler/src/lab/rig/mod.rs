//! Stalls of a known length, from parts that every kernel has.
//!
//! - [`SlowDisk`]: a block device that takes a set time for each request; [`Disk`]: one that takes
//!   its own. [`Kind`]: the file system on them.
//! - [`SlowFiles`]: a FUSE server that takes a set time for each read and write.
//! - [`Cgroup`]: a limit on reads or on memory. [`Queue`]: a short request queue.
//!
//! Dropping a value undoes what it set up. The same happens if the process is killed: mounts lie
//! in a namespace of their own, loop devices are released with their last user, and a
//! shell (`keeper`) outlives the process for the rest.
//!
//! Where a part cannot be set up, the error is a sentence that says why: the machine lacks
//! something, and whoever asked leaves the experiment out.

mod cgroup;
mod device;
mod disk;
mod filesystem;
mod keeper;
mod loopback;
mod queue;
mod server;
mod thread;

pub use cgroup::Cgroup;
pub use device::SlowDisk;
pub use disk::Disk;
pub use filesystem::Kind;
pub use queue::Queue;
pub use server::{Served, SlowFiles};
pub use thread::{now, prefer};

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};

/// Why a part of the rig cannot be had on this machine.
pub type Reason = String;

/// Gives the calling thread, and what it starts from now on, a mount namespace of its own.
///
/// # Errors
/// The caller has not the right to.
pub fn private_mounts() -> Result<(), Reason> {
    let none: Option<&str> = None;
    unshare(CloneFlags::CLONE_NEWNS)
        .and_then(|()| mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none))
        .map_err(|error| format!("no mount namespace of our own: {error}"))
}

/// Writes a file of so many random bytes, the same ones each time, and waits until it is on the
/// disk. No file system can store it in less.
///
/// # Errors
/// The file cannot be written.
pub fn incompressible(folder: &Path, name: &str, bytes: usize) -> Result<PathBuf, Reason> {
    let path = folder.join(name);
    let mut data = vec![0; bytes];
    fastrand::Rng::with_seed(1).fill(&mut data);
    fs::File::create(&path)
        .and_then(|mut file| {
            file.write_all(&data)?;
            file.sync_all()
        })
        .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
    Ok(path)
}
