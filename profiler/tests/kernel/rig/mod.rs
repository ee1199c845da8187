//! Stalls of a known length, from parts that every kernel has.
//!
//! Everything here is undone when it is dropped, and if the test program is killed as
//! well: mounts lie in a namespace of their own, loop devices let go with their last
//! user, and a cgroup has a keeper that outlives the test.

mod cgroup;
mod device;
mod disk;
mod filesystem;
mod keeper;
mod loopback;
mod queue;
mod server;
mod tests;

pub(crate) use cgroup::Cgroup;
pub(crate) use device::SlowDisk;
pub(crate) use disk::Disk;
pub(crate) use filesystem::Kind;
pub(crate) use queue::Queue;
pub(crate) use server::{Served, SlowFiles};

use nix::{
    mount::{MsFlags, mount},
    sched::{CloneFlags, unshare},
};

/// Gives this thread, and what it starts from now on, mounts of its own.
pub(crate) fn private_mounts() -> Result<(), String> {
    let none: Option<&str> = None;
    unshare(CloneFlags::CLONE_NEWNS)
        .and_then(|()| mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none))
        .map_err(|error| format!("no namespace for mounts: {error}"))
}
