//! Whose process ids are they?

use std::{fs, os::linux::fs::MetadataExt as _};

/// Inode of the first process id namespace (`PROC_PID_INIT_INO` of the kernel's
/// include/linux/proc_ns.h).
const FIRST: u64 = 0xefff_fffc;

/// Whether this process is in a process id namespace other than the first. The probes see the ids
/// of the first, where those of another mean strangers.
///
/// The namespace itself is asked, and not `NSpid` of /proc/self/status: that line begins at the
/// namespace which /proc was mounted for, so a container with a /proc of its own shows one id, as
/// the host does. Where /proc does not tell, this says no, and the loader's own reads, which are
/// not seen then, end the session.
pub fn has_other_process_ids() -> bool {
    fs::metadata("/proc/self/ns/pid").is_ok_and(|namespace| namespace.st_ino() != FIRST)
}
