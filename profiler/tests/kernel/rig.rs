//! That the disks are what they say, and leave nothing behind.

use std::{
    fs,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

use profiler::lab::rig::{Disk, Kind, SlowDisk};

use crate::harness::{needs_kernel, on_disk, skip};

/// The type of the file system that a path lies on, as the kernel lists its mounts.
fn kind_of(path: &Path) -> Option<String> {
    let mounts = fs::read_to_string("/proc/thread-self/mounts").expect("the mounts");
    let mut lines = mounts.lines().map(|line| line.split(' '));
    lines.find_map(|mut words| {
        (words.nth(1)? == path.to_str()?)
            .then(|| words.next())?
            .map(str::to_owned)
    })
}

/// Waits until nothing is left of a disk: the kernel lets go of it a little later.
fn gone(device: &Path, mounted: &Path) {
    let name = device.file_name().expect("a name").to_str().expect("UTF-8");
    let file = PathBuf::from(format!("/sys/block/{name}/loop/backing_file"));
    // Somebody else may have the device by now, with another file.
    let ours = || {
        fs::read_to_string(&file).is_ok_and(|file| {
            let folder = mounted.parent().expect("a folder").to_str().expect("UTF-8");
            file.starts_with(folder)
        })
    };
    let end = Instant::now() + Duration::from_secs(10);
    while ours() {
        assert!(Instant::now() < end, "{} is still there", device.display());
        sleep(Duration::from_millis(20));
    }
    assert_eq!(kind_of(mounted), None);
}

#[test]
fn disks_of_every_kind_are_made_and_undone() {
    needs_kernel!();
    for kind in Kind::ALL {
        let disk = match Disk::with(kind, 0, &on_disk()) {
            Ok(disk) => disk,
            Err(why) => skip!("{why}"),
        };
        let (device, mounted) = (disk.device().to_owned(), disk.path().to_owned());
        assert_eq!(kind_of(&mounted).as_deref(), Some(kind.name()));
        let file = disk.file("file", 1 << 20).expect("room on the disk");
        assert_eq!(fs::read(file).expect("a file").len(), 1 << 20);
        drop(disk);
        gone(&device, &mounted);
    }
}

#[test]
fn slow_disks_of_every_kind_are_slow() {
    needs_kernel!();
    for kind in Kind::ALL {
        let disk = match SlowDisk::with(kind, &on_disk()) {
            Ok(disk) => disk,
            Err(why) => skip!("{why}"),
        };
        let device = disk.device().to_owned();
        let mounted = disk.data().parent().expect("a folder").to_owned();
        assert_eq!(kind_of(&mounted).as_deref(), Some(kind.name()));
        disk.cool(&disk.data()).expect("a cold file");
        let delay = Duration::from_millis(8);
        disk.delay(delay, Duration::ZERO);
        fs::read(disk.data()).expect("a file");
        let reads = disk.reads();
        assert!(
            !reads.is_empty(),
            "{}: nobody asked the device",
            kind.name()
        );
        let short = reads
            .iter()
            .filter(|read| u128::from(read.end_ns - read.start_ns) < delay.as_nanos());
        assert_eq!(short.count(), 0);
        drop(disk);
        gone(&device, &mounted);
    }
}
