//! What /sys says of a disk.

use std::{collections::BTreeMap, fs};

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
