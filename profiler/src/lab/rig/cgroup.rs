//! Cgroups of our own, which limit their members' reads or memory, and the kernel's accounts of
//! them.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use super::{Reason, keeper::Keeper};

const ROOT: &str = "/sys/fs/cgroup";

/// A cgroup, removed when this is dropped.
#[derive(Debug)]
pub struct Cgroup {
    path: PathBuf,
    _keeper: Keeper,
}

impl Cgroup {
    /// Limits its members to so many reads a second of the disk that a file is on.
    ///
    /// # Errors
    /// The file is on no disk, or the kernel has no such limit.
    pub fn reads_per_second(file: &Path, reads: u32) -> Result<Self, Reason> {
        let dev = fs::metadata(file).map_err(|error| error.to_string())?.dev();
        let disk = disk(dev)?;
        match first_version("blkio") {
            Some(root) => {
                let knob = "blkio.throttle.read_iops_device";
                Self::new(&root)?.with(knob, &format!("{disk} {reads}"))
            }
            None => Self::second_version("io")?.with("io.max", &format!("{disk} riops={reads}")),
        }
    }

    /// Limits its members to so many bytes of memory, their page cache included.
    ///
    /// # Errors
    /// The kernel has no such limit.
    pub fn memory(bytes: u64) -> Result<Self, Reason> {
        let bytes = bytes.to_string();
        match first_version("memory") {
            Some(root) => Self::new(&root)?.with("memory.limit_in_bytes", &bytes),
            None => Self::second_version("memory")?.with("memory.max", &bytes),
        }
    }

    /// Sets no limit, but has the kernel account for the time that its members lose.
    ///
    /// # Errors
    /// No cgroup can be made.
    pub fn watched() -> Result<Self, Reason> {
        let unified = Path::new(ROOT).join("unified");
        let root = if unified.is_dir() {
            &unified
        } else {
            Path::new(ROOT)
        };
        Self::new(root)
    }

    fn second_version(controller: &str) -> Result<Self, Reason> {
        let root = Path::new(ROOT);
        // Refused where it is there already, or cannot be.
        let _ = fs::write(
            root.join("cgroup.subtree_control"),
            format!("+{controller}"),
        );
        Self::new(root)
    }

    fn new(root: &Path) -> Result<Self, Reason> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = root.join(format!("profiler-lab-{}-{number}", std::process::id()));
        fs::create_dir(&path).map_err(|error| format!("no cgroup: {error}"))?;
        let keeper = Keeper::for_cgroup(&path)?;
        Ok(Self {
            path,
            _keeper: keeper,
        })
    }

    fn with(self, knob: &str, limit: &str) -> Result<Self, Reason> {
        fs::write(self.path.join(knob), limit).map_err(|error| format!("no {knob}: {error}"))?;
        Ok(self)
    }

    /// Its folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Time in which some member was short of memory, in nanoseconds.
    ///
    /// # Errors
    /// The kernel keeps no such account.
    pub fn memory_pressure_ns(&self) -> Result<u64, Reason> {
        let path = self.path.join("memory.pressure");
        let text = fs::read_to_string(&path).map_err(|error| error.to_string())?;
        let some = text.lines().find(|line| line.starts_with("some "));
        let total = some.and_then(|line| line.split("total=").nth(1));
        let us: Option<u64> = total.and_then(|us| us.trim().parse().ok());
        us.map(|us| us * 1000)
            .ok_or_else(|| format!("{}: {text}", path.display()))
    }
}

/// The controller's hierarchy of cgroup version 1, if it is mounted.
fn first_version(controller: &str) -> Option<PathBuf> {
    let root = Path::new(ROOT).join(controller);
    root.is_dir().then_some(root)
}

/// `major:minor` of the whole disk: a limit on a partition is refused.
fn disk(dev: u64) -> Result<String, Reason> {
    let numbers = format!("{}:{}", rustix::fs::major(dev), rustix::fs::minor(dev));
    let sys = fs::canonicalize(format!("/sys/dev/block/{numbers}"))
        .map_err(|error| format!("the file is on no block device ({error})"))?;
    let disk = if sys.join("partition").exists() {
        sys.parent().unwrap_or(&sys)
    } else {
        &sys
    };
    let text = fs::read_to_string(disk.join("dev")).map_err(|error| error.to_string())?;
    Ok(text.trim().to_owned())
}
