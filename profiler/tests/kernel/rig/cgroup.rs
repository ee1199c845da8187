//! Cgroups of our own: what their members may not do (read from a disk as often as they
//! like, keep as much in memory), and what the kernel says of them.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use super::keeper::Keeper;

const ROOT: &str = "/sys/fs/cgroup";

/// A cgroup, gone when it is dropped.
pub(crate) struct Cgroup {
    path: PathBuf,
    _keeper: Keeper,
}

impl Cgroup {
    /// So many reads a second of the disk that has a file. Why not, if it cannot.
    pub(crate) fn reads_per_second(file: &Path, reads: u32) -> Result<Self, String> {
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

    /// So many bytes of memory, the page cache with it. Why not, if it cannot.
    pub(crate) fn memory(bytes: u64) -> Result<Self, String> {
        let bytes = bytes.to_string();
        match first_version("memory") {
            Some(root) => Self::new(&root)?.with("memory.limit_in_bytes", &bytes),
            None => Self::second_version("memory")?.with("memory.max", &bytes),
        }
    }

    /// No limit, but accounts of the time that its members lose.
    pub(crate) fn watched() -> Result<Self, String> {
        let unified = Path::new(ROOT).join("unified");
        let root = if unified.is_dir() {
            &unified
        } else {
            Path::new(ROOT)
        };
        Self::new(root)
    }

    fn second_version(controller: &str) -> Result<Self, String> {
        let root = Path::new(ROOT);
        // Refused where it is there already, or cannot be.
        let _ = fs::write(
            root.join("cgroup.subtree_control"),
            format!("+{controller}"),
        );
        Self::new(root)
    }

    fn new(root: &Path) -> Result<Self, String> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = root.join(format!("profiler-test-{}-{number}", std::process::id()));
        fs::create_dir(&path).map_err(|error| format!("no cgroup: {error}"))?;
        let keeper = Keeper::for_cgroup(&path)?;
        Ok(Self {
            path,
            _keeper: keeper,
        })
    }

    fn with(self, knob: &str, limit: &str) -> Result<Self, String> {
        fs::write(self.path.join(knob), limit).map_err(|error| format!("no {knob}: {error}"))?;
        Ok(self)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Time in which some member was short of memory, in nanoseconds. Why not, if the
    /// kernel does not say.
    pub(crate) fn memory_pressure_ns(&self) -> Result<u64, String> {
        let path = self.path.join("memory.pressure");
        let text = fs::read_to_string(&path).map_err(|error| error.to_string())?;
        let some = text.lines().find(|line| line.starts_with("some "));
        let total = some.and_then(|line| line.split("total=").nth(1));
        let us: Option<u64> = total.and_then(|us| us.trim().parse().ok());
        us.map(|us| us * 1000)
            .ok_or_else(|| format!("{}: {text}", path.display()))
    }
}

/// Where cgroups have a controller in the way of version 1, if they have.
fn first_version(controller: &str) -> Option<PathBuf> {
    let root = Path::new(ROOT).join(controller);
    root.is_dir().then_some(root)
}

/// `major:minor` of the whole disk: a limit on a partition is refused.
fn disk(dev: u64) -> Result<String, String> {
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
