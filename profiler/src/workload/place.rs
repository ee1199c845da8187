//! Where a file lies: its file system, the device below, and how far that reads ahead.

use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use rustix::fs::{fstat, major, minor};

/// Where a file lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file system's name, as mount(8) says it: ext4, xfs.
    pub filesystem: String,
    /// The block device; `None` where there is none (network, FUSE, overlay).
    pub device: Option<Device>,
    /// The most that readahead fetches at once, in KiB; `None` where nobody says.
    pub read_ahead_kb: Option<u64>,
    /// The number that the kernel knows the file system by, major and minor. Files may
    /// tell another one: btrfs has one for each subvolume.
    pub superblock: (u32, u32),
}

/// A block device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// Major device number.
    pub major: u32,
    /// Minor device number; a partition has its own.
    pub minor: u32,
    /// Its name in /dev: vda1.
    pub name: String,
    /// The disk that it is a part of, or itself: vda.
    pub disk: String,
    /// The least that the device reads, in bytes.
    pub logical_block_size: u32,
}

impl Place {
    /// Where an open file lies.
    ///
    /// # Errors
    /// The file or /proc cannot be looked at.
    pub fn of(file: impl AsFd) -> Result<Self> {
        let dev = fstat(&file)?.st_dev;
        let mount = Mount::of(&file)?;
        let device = match major(dev) {
            // Numbers with major 0 stand for no device.
            0 => device_of_source(&mount.source),
            _ => Device::by_number(major(dev), minor(dev)),
        };
        let bdi = bdi(&mount, major(dev), minor(dev), device.as_ref());
        let read_ahead_kb = bdi.and_then(|dir| number(&dir.join("read_ahead_kb")));
        Ok(Self {
            filesystem: mount.filesystem,
            device,
            read_ahead_kb,
            superblock: mount.superblock.unwrap_or((major(dev), minor(dev))),
        })
    }
}

impl Device {
    fn by_number(major: u32, minor: u32) -> Option<Self> {
        let dir = fs::canonicalize(format!("/sys/dev/block/{major}:{minor}")).ok()?;
        let disk = if dir.join("partition").exists() {
            dir.parent()?
        } else {
            &dir
        };
        let name = |dir: &Path| Some(dir.file_name()?.to_string_lossy().into_owned());
        let logical_block_size = number(&disk.join("queue/logical_block_size")).unwrap_or(512);
        Some(Self {
            major,
            minor,
            name: name(&dir)?,
            disk: name(disk)?,
            logical_block_size: u32::try_from(logical_block_size).ok()?,
        })
    }
}

/// The folder in /sys of what reads ahead for the file system ("backing device").
fn bdi(mount: &Mount, major: u32, minor: u32, device: Option<&Device>) -> Option<PathBuf> {
    // btrfs has one of its own, which is named by the file system and not by a number.
    if let (0, "btrfs", Some(device)) = (major, mount.filesystem.as_str(), device) {
        let systems = fs::read_dir("/sys/fs/btrfs")
            .ok()?
            .flatten()
            .map(|entry| entry.path());
        let found = systems
            .filter(|dir| dir.join("devices").join(&device.name).exists())
            .map(|dir| dir.join("bdi"))
            .find(|dir| dir.exists());
        if found.is_some() {
            return found;
        }
    }
    let own = PathBuf::from(format!("/sys/class/bdi/{major}:{minor}"));
    let disk = device.map(|device| PathBuf::from(format!("/sys/block/{}/queue", device.disk)));
    [Some(own), disk]
        .into_iter()
        .flatten()
        .find(|dir| dir.join("read_ahead_kb").exists())
}

fn device_of_source(source: &str) -> Option<Device> {
    let stat = rustix::fs::stat(source).ok()?;
    let block = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_block_device();
    block
        .then(|| Device::by_number(major(stat.st_rdev), minor(stat.st_rdev)))
        .flatten()
}

fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// What /proc/self/mountinfo says about the mount of a file.
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    filesystem: String,
    source: String,
    superblock: Option<(u32, u32)>,
}

impl Mount {
    fn of(file: impl AsFd) -> Result<Self> {
        use std::os::fd::AsRawFd as _;
        let info = format!("/proc/self/fdinfo/{}", file.as_fd().as_raw_fd());
        let info = fs::read_to_string(&info).with_context(|| format!("cannot read {info}"))?;
        let mounts = fs::read_to_string("/proc/self/mountinfo")
            .context("cannot read /proc/self/mountinfo")?;
        let id = info.lines().find_map(|line| line.strip_prefix("mnt_id:"));
        Ok(id
            .and_then(|id| Self::find(&mounts, id.trim()))
            // A mount of another namespace, or one that is gone already.
            .unwrap_or_else(|| Self {
                filesystem: "unknown".into(),
                source: String::new(),
                superblock: None,
            }))
    }

    /// Lines are `id parent major:minor root point options [tags…] - type source super`.
    fn find(mounts: &str, id: &str) -> Option<Self> {
        let line = mounts
            .lines()
            .find(|line| line.split(' ').next() == Some(id))?;
        let (of_mount, of_filesystem) = line.split_once(" - ")?;
        let mut fields = of_filesystem.split(' ');
        let (major, minor) = of_mount.split(' ').nth(2)?.split_once(':')?;
        Some(Self {
            filesystem: fields.next()?.into(),
            source: fields.next()?.into(),
            superblock: major.parse().ok().zip(minor.parse().ok()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mountinfo_is_found_by_id() {
        let mounts = "\
            2 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda rw\n\
            25 2 0:5 / /dev rw - devtmpfs devtmpfs rw\n";
        let mount = |fs: &str, source: &str, superblock| {
            Some(Mount {
                filesystem: fs.into(),
                source: source.into(),
                superblock: Some(superblock),
            })
        };
        assert_eq!(
            Mount::find(mounts, "2"),
            mount("ext4", "/dev/vda", (254, 0))
        );
        assert_eq!(
            Mount::find(mounts, "25"),
            mount("devtmpfs", "devtmpfs", (0, 5))
        );
        assert_eq!(Mount::find(mounts, "5"), None);
    }

    #[test]
    fn this_very_program_lies_somewhere() {
        let place = Place::of(fs::File::open("/proc/self/exe").unwrap()).unwrap();
        assert_ne!(place.filesystem, "unknown");
        if let Some(device) = place.device {
            assert!(device.name.starts_with(&device.disk), "{device:?}");
            assert!(device.logical_block_size.is_power_of_two());
            assert!(place.read_ahead_kb.is_some());
        }
    }
}
