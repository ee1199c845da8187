//! What /sys says of a disk.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// `/sys/block/DISK/stat`, of it what concerns reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stat {
    /// Read requests completed.
    pub reads: u64,
    /// Sectors of 512 bytes read.
    pub sectors: u64,
}

/// Counts of a whole disk; `None` if there is none of that name.
pub fn stat(disk: &str) -> Option<Stat> {
    let text = fs::read_to_string(format!("/sys/block/{disk}/stat")).ok()?;
    let mut words = text.split_ascii_whitespace();
    let reads = words.next()?.parse().ok()?;
    let sectors = words.nth(1)?.parse().ok()?;
    Some(Stat { reads, sectors })
}

/// Whether a disk's queue keeps accounts; without them no completion can be told apart.
pub fn keeps_accounts(disk: &str) -> Option<bool> {
    let text = fs::read_to_string(format!("/sys/block/{disk}/queue/iostats")).ok()?;
    Some(text.trim() == "1")
}

/// The I/O scheduler of a disk.
pub fn scheduler(disk: &str) -> Option<String> {
    let text = fs::read_to_string(format!("/sys/block/{disk}/queue/scheduler")).ok()?;
    // [none] mq-deadline
    let chosen = text.split_once('[')?.1.split_once(']')?.0;
    Some(chosen.to_owned())
}

/// Names of all block devices, by the kernel's `dev_t` (major << 20 | minor).
pub fn names() -> BTreeMap<u32, String> {
    let Ok(devices) = fs::read_dir("/sys/class/block") else {
        return BTreeMap::new();
    };
    devices
        .flatten()
        .filter_map(|device| {
            let text = fs::read_to_string(device.path().join("dev")).ok()?;
            let (major, minor) = text.trim().split_once(':')?;
            let dev = major.parse::<u32>().ok()? << 20 | minor.parse::<u32>().ok()?;
            Some((dev, device.file_name().to_string_lossy().into_owned()))
        })
        .collect()
}

/// Names of the block devices that file systems are mounted from, among `names`.
pub fn mounted(names: &BTreeMap<u32, String>) -> BTreeSet<String> {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    sources(&mounts, names)
}

/// Whether a mounted file system is on this disk: on itself or a partition, or on a device
/// mapper or RAID device that has either.
pub fn is_below(disk: &str, mounted: &BTreeSet<String>) -> bool {
    let sys = Path::new("/sys/block").join(disk);
    let is_held = |device: &Path| {
        fs::read_dir(device.join("holders")).is_ok_and(|mut holders| holders.next().is_some())
    };
    let mut partitions = fs::read_dir(&sys)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().join("partition").exists());
    mounted.contains(disk)
        || is_held(&sys)
        || partitions.any(|partition| {
            mounted.contains(&*partition.file_name().to_string_lossy())
                || is_held(&partition.path())
        })
}

/// The devices that mounts (proc_pid_mountinfo(5)) name by number or, as btrfs, whose numbers
/// are its own, by source.
fn sources(mounts: &str, names: &BTreeMap<u32, String>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for mount in mounts.lines() {
        let number = mount
            .split(' ')
            .nth(2)
            .and_then(|word| word.split_once(':'));
        let number = number.and_then(|(major, minor)| {
            Some(major.parse::<u32>().ok()? << 20 | minor.parse::<u32>().ok()?)
        });
        found.extend(number.and_then(|dev| names.get(&dev)).cloned());
        let source = mount
            .split_once(" - ")
            .and_then(|(_, rest)| rest.split(' ').nth(1));
        found.extend(
            source
                .and_then(|path| path.strip_prefix("/dev/"))
                .map(str::to_owned),
        );
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_names_its_device_by_number_or_by_source() {
        let names = BTreeMap::from([(8 << 20 | 1, "sda1".to_owned())]);
        let mounts = "\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/root rw
23 22 0:41 / /data rw,relatime shared:2 - btrfs /dev/vdb rw,space_cache=v2
24 22 0:5 / /dev rw,nosuid - devtmpfs udev rw
";
        let found = sources(mounts, &names);
        assert!(found.contains("sda1") && found.contains("vdb"), "{found:?}");
        assert!(!found.contains("udev"));
        assert!(is_below("sda1", &found) && !is_below("zram0", &BTreeSet::new()));
    }
}
