//! A disk that takes a set time for each request: a loop device on a slow file.

use std::{
    fs::{self, File},
    os::{fd::AsRawFd as _, unix::fs::OpenOptionsExt as _},
    path::{Path, PathBuf},
    process::Command,
    thread::sleep,
    time::Duration,
};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use rustix::fs::{Advice, fadvise};
use tempfile::TempDir;

use super::{Served, SlowFiles, private_mounts};
use crate::harness;

/// A disk with an ext4 on it that has one file.
pub(crate) struct SlowDisk {
    files: SlowFiles,
    device: PathBuf,
    loop_device: File,
    mounted: PathBuf,
    _folder: TempDir,
}

/// Bytes of the file.
const SIZE: usize = 32 << 20;

impl SlowDisk {
    /// Makes and mounts it; fast at first. Why not, if it cannot.
    pub(crate) fn new() -> Result<Self, String> {
        private_mounts()?;
        let folder = harness::folder();
        let dir = |name: &str| {
            let path = folder.path().join(name);
            fs::create_dir(&path)
                .map(|()| path)
                .map_err(|error| error.to_string())
        };
        let (content, served, mounted) = (dir("content")?, dir("served")?, dir("mounted")?);
        let data = harness::file(&folder, "data", SIZE);
        fs::rename(data, content.join("data")).map_err(|error| error.to_string())?;
        let image = folder.path().join("image");
        File::create(&image)
            .and_then(|file| file.set_len(4 * SIZE as u64))
            .map_err(|error| error.to_string())?;
        let made = Command::new("mkfs.ext4")
            .args([
                "-q",
                "-F",
                "-E",
                "lazy_itable_init=0,lazy_journal_init=0",
                "-d",
            ])
            .args([&content, &image])
            .output()
            .map_err(|error| format!("no mkfs.ext4: {error}"))?;
        if !made.status.success() {
            return Err(format!("mkfs.ext4: {made:?}"));
        }
        let files = SlowFiles::serve(&image, &served)?;
        let (device, loop_device) = attach(&files.direct())?;
        mount(
            Some(&device),
            &mounted,
            Some("ext4"),
            MsFlags::empty(),
            None::<&str>,
        )
        .map_err(|error| format!("cannot mount {}: {error}", device.display()))?;
        Ok(Self {
            files,
            device,
            loop_device,
            mounted,
            _folder: folder,
        })
    }

    /// The file on it.
    pub(crate) fn data(&self) -> PathBuf {
        self.mounted.join("data")
    }

    /// The block device.
    pub(crate) fn device(&self) -> &Path {
        &self.device
    }

    /// Takes the file's pages out of the cache, and leaves what describes it in there.
    pub(crate) fn cool(&self, path: &Path) {
        let file = File::open(path).expect("the file");
        std::io::copy(&mut &file, &mut std::io::sink()).expect("to be read");
        file.sync_all().expect("nothing to write");
        fadvise(&file, 0, None, Advice::DontNeed).expect("to be dropped");
    }

    pub(crate) fn delay(&self, read: Duration, write: Duration) {
        self.files.reads();
        self.files.delay(read, write);
    }

    pub(crate) fn reads(&self) -> Vec<Served> {
        self.files.reads()
    }
}

impl Drop for SlowDisk {
    fn drop(&mut self) {
        self.files.delay(Duration::ZERO, Duration::ZERO);
        for _ in 0..50 {
            if umount2(&self.mounted, MntFlags::empty()).is_ok() {
                break;
            }
            sleep(Duration::from_millis(20));
        }
        // SAFETY: a loop device that this value has set up. Those who still have it open
        // keep it until they close it.
        unsafe { libc::ioctl(self.loop_device.as_raw_fd(), LOOP_CLR_FD) };
    }
}

/// Numbers and structures of linux/loop.h.
const LOOP_CLR_FD: libc::c_ulong = 0x4C01;
const LOOP_CONFIGURE: libc::c_ulong = 0x4C0A;
const LOOP_CTL_GET_FREE: libc::c_ulong = 0x4C82;
const LO_FLAGS_AUTOCLEAR: u32 = 4;
const LO_FLAGS_DIRECT_IO: u32 = 16;

#[repr(C)]
struct LoopConfig {
    fd: u32,
    block_size: u32,
    numbers: [u64; 5],
    number: u32,
    encryption: [u32; 2],
    flags: u32,
    names: [u8; 64 + 64 + 32],
    init: [u64; 2],
    reserved: [u64; 8],
}

const _: () = assert!(size_of::<LoopConfig>() == 304);

/// Makes a block device of a file. The kernel undoes it with the last user.
fn attach(path: &Path) -> Result<(PathBuf, File), String> {
    let why = |what: &str| format!("{what}: {}", std::io::Error::last_os_error());
    let open = |path: &Path, flags: i32| {
        let options = File::options()
            .read(true)
            .write(true)
            .custom_flags(flags)
            .open(path);
        options.map_err(|error| format!("{}: {error}", path.display()))
    };
    let control = open(Path::new("/dev/loop-control"), 0)?;
    let file = open(path, 0)?;
    // Somebody else may take the free one first.
    for _ in 0..10 {
        // SAFETY: takes no argument.
        let number = unsafe { libc::ioctl(control.as_raw_fd(), LOOP_CTL_GET_FREE) };
        if number < 0 {
            return Err(why("no free loop device"));
        }
        let device = PathBuf::from(format!("/dev/loop{number}"));
        let loop_device = open(&device, 0)?;
        let config = LoopConfig {
            fd: file.as_raw_fd() as u32,
            block_size: 512,
            numbers: [0; 5],
            number: 0,
            encryption: [0; 2],
            flags: LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO,
            names: [0; 160],
            init: [0; 2],
            reserved: [0; 8],
        };
        // SAFETY: a live structure of the layout that the call expects.
        if unsafe { libc::ioctl(loop_device.as_raw_fd(), LOOP_CONFIGURE, &raw const config) } == 0 {
            return Ok((device, loop_device));
        }
    }
    Err(why("no loop device could be set up"))
}
