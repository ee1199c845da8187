//! A limit on how often the members of a cgroup may read from a disk.

use std::{
    fs,
    io::Write as _,
    os::unix::{fs::MetadataExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

/// A cgroup with a limit.
pub(crate) struct Throttle {
    path: PathBuf,
    keeper: Child,
}

impl Throttle {
    /// So many reads a second of the disk that has a file. Why not, if it cannot.
    pub(crate) fn reads_per_second(file: &Path, reads: u32) -> Result<Self, String> {
        let dev = fs::metadata(file).map_err(|error| error.to_string())?.dev();
        let disk = disk(dev)?;
        let name = format!("profiler-test-{}", std::process::id());
        let (path, knob, limit) = if Path::new("/sys/fs/cgroup/blkio").is_dir() {
            let knob = "blkio.throttle.read_iops_device";
            ("/sys/fs/cgroup/blkio", knob, format!("{disk} {reads}"))
        } else {
            // Refused where it is there already, or cannot be.
            let _ = fs::write("/sys/fs/cgroup/cgroup.subtree_control", "+io");
            ("/sys/fs/cgroup", "io.max", format!("{disk} riops={reads}"))
        };
        let path = Path::new(path).join(name);
        fs::create_dir(&path).map_err(|error| format!("no cgroup: {error}"))?;
        // It is told by the end of its standard input that this process has ended.
        let keeper = Command::new("sh")
            .args([
                "-c",
                "cat; for i in 1 2 3 4 5; do rmdir \"$0\" && exit; sleep 0.2; done",
            ])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // ^C is for the test, not for it.
            .process_group(0)
            .spawn()
            .map_err(|error| format!("no sh: {error}"))?;
        let this = Self { path, keeper };
        fs::write(this.path.join(knob), limit).map_err(|error| format!("no {knob}: {error}"))?;
        Ok(this)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Throttle {
    fn drop(&mut self) {
        if let Some(mut stdin) = self.keeper.stdin.take() {
            let _ = stdin.flush();
        }
        let _ = self.keeper.wait();
    }
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
