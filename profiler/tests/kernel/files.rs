//! Which file a call was about.

use std::collections::BTreeSet;

use profiler::lab::rig::{Disk, Kind};

use crate::harness::{needs_kernel, on_disk, only, session, skip, sound};

/// ext4 gives the inode of a file that was deleted to the next one.
#[test]
fn a_file_with_the_inode_of_another_has_its_own_name() {
    needs_kernel!();
    let disk = match Disk::with(Kind::Ext4, 64 << 20, &on_disk()) {
        Ok(disk) => disk,
        Err(why) => skip!("{why}"),
    };
    // Whoever reads it stays, so that its descriptors can be looked at.
    let one = |name: &str| {
        format!("head -c 64k /dev/zero > {name}; timeout 1 tail -f {name} > /dev/null; rm {name}")
    };
    let script = format!(
        "cd {}; {}; {}",
        disk.path().display(),
        one("customers.db"),
        one("scratch.tmp")
    );
    let command: Vec<String> = ["sh", "-c", &script].map(String::from).into();
    let run = session(&["run", "--every-call", "--slowest", "1000"], &command);
    sound(&run.report);
    let calls = &only(&run.report).slowest;
    let of = |name: &str| {
        let path = disk.path().join(name);
        let calls = calls.iter();
        let inodes = calls
            .filter(|call| call.path.as_deref() == path.to_str())
            .filter_map(|call| call.file.as_ref().map(|file| file.inode));
        inodes.collect::<BTreeSet<u64>>()
    };
    let (first, second) = (of("customers.db"), of("scratch.tmp"));
    assert_eq!(first.len(), 1, "{calls:#?}");
    assert_eq!(
        first, second,
        "the second file is told under its name, and has the first one's inode"
    );
}
