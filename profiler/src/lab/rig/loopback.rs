//! A block device made of a file.

use std::{
    fs::File,
    os::fd::AsRawFd as _,
    path::{Path, PathBuf},
};

use super::Reason;

/// A loop device. The kernel detaches it with its last user.
#[derive(Debug)]
pub(super) struct LoopDevice {
    path: PathBuf,
    device: File,
}

impl LoopDevice {
    /// Sets one up, past the file's page cache where the file system below allows it.
    pub(super) fn of(file: &Path) -> Result<Self, Reason> {
        let why = |what: &str| format!("{what}: {}", std::io::Error::last_os_error());
        let control = open(Path::new("/dev/loop-control"))?;
        let file = open(file)?;
        // Somebody else may take the free one first.
        for _ in 0..10 {
            // SAFETY: takes no argument.
            let number = unsafe { libc::ioctl(control.as_raw_fd(), LOOP_CTL_GET_FREE) };
            if number < 0 {
                return Err(why("no free loop device"));
            }
            let path = PathBuf::from(format!("/dev/loop{number}"));
            let device = open(&path)?;
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
            if unsafe { libc::ioctl(device.as_raw_fd(), LOOP_CONFIGURE, &raw const config) } == 0 {
                return Ok(Self { path, device });
            }
        }
        Err(why("no loop device could be set up"))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        // SAFETY: a loop device that this value has set up. Those who still have it open
        // keep it until they close it.
        unsafe { libc::ioctl(self.device.as_raw_fd(), LOOP_CLR_FD) };
    }
}

fn open(path: &Path) -> Result<File, Reason> {
    let file = File::options().read(true).write(true).open(path);
    file.map_err(|error| format!("{}: {error}", path.display()))
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
