//! How much of a file is in the page cache: the proof of a state, and a witness.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;

use anyhow::{Context as _, Result, bail};
use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use super::spec::page_size;
use super::subject::proc_path;

/// How much of a file is in the page cache. In pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Residency {
    /// Pages of the file that are in the cache.
    pub resident: u64,
    /// Pages that the file has.
    pub total: u64,
    /// Resident pages that are not on the disk yet; `None` where `mincore` was asked,
    /// which does not tell.
    pub dirty: Option<u64>,
    /// Pages that were in the cache until memory was reclaimed, by whomever: kswapd, a
    /// memory limit, DAMON. Where a file was read but is not all resident, this says why.
    /// `None` as for `dirty`.
    pub evicted: Option<u64>,
    /// Who says so.
    pub source: Source,
}

/// The system call that told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// cachestat(2), since Linux 6.5.
    Cachestat,
    /// mincore(2).
    Mincore,
}

impl Residency {
    /// Every page is resident.
    pub const fn is_warm(&self) -> bool {
        self.resident >= self.total
    }

    /// No page is resident.
    pub const fn is_cold(&self) -> bool {
        self.resident == 0
    }
}

/// Asks how much of an open file is in the page cache.
///
/// # Errors
/// The kernel does not tell, or would not tell the truth: who neither owns a file nor
/// may write it is told by `mincore` that all of it is resident, and refused by
/// `cachestat` since Linux 6.14.
pub fn residency(file: &File) -> Result<Residency> {
    let size = file
        .metadata()
        .context("cannot ask for the file's size")?
        .len();
    let total = size.div_ceil(page_size());
    match cachestat(file, size) {
        Ok(stat) => Ok(Residency {
            resident: stat.cache,
            total,
            dirty: Some(stat.dirty + stat.writeback),
            evicted: Some(stat.evicted),
            source: Source::Cachestat,
        }),
        // Not there, not for this file system, or refused, also by a seccomp filter.
        Err(error) => {
            if !told_the_truth(file)? {
                bail!(
                    "whether the file is in the page cache cannot be verified: the kernel tells \
                     it only to the file's owner and to those who may write it; use a file of \
                     your own, or run as root (cachestat: {error})"
                );
            }
            let resident = mincore(file, size).context("mincore failed")?;
            Ok(Residency {
                resident,
                total,
                dirty: None,
                evicted: None,
                source: Source::Mincore,
            })
        }
    }
}

/// `struct cachestat` of linux/mman.h. In pages.
#[repr(C)]
#[derive(Default)]
struct Cachestat {
    cache: u64,
    dirty: u64,
    writeback: u64,
    evicted: u64,
    recently_evicted: u64,
}

/// The same number on every architecture that Rust's Linux targets know; `libc` does
/// not have it for all of them.
const SYS_CACHESTAT: libc::c_long = 451;

fn cachestat(file: &File, len: u64) -> io::Result<Cachestat> {
    let range: [u64; 2] = [0, len];
    let mut stat = Cachestat::default();
    // SAFETY: the kernel reads the 16 bytes of `range` and writes the 40 of `stat`, both
    // laid out as linux/mman.h has them.
    let result = unsafe {
        libc::syscall(
            SYS_CACHESTAT,
            file.as_raw_fd(),
            &raw const range,
            &raw mut stat,
            0,
        )
    };
    if result == 0 {
        Ok(stat)
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Whether `mincore` tells this process the truth (`can_do_mincore` in mm/mincore.c).
fn told_the_truth(file: &File) -> Result<bool> {
    use std::os::unix::fs::MetadataExt as _;
    let user = rustix::process::geteuid();
    if user.is_root() || file.metadata()?.uid() == user.as_raw() {
        return Ok(true);
    }
    let access = accessat(CWD, proc_path(file), Access::WRITE_OK, AtFlags::EACCESS);
    Ok(access.is_ok())
}

fn mincore(file: &File, size: u64) -> io::Result<u64> {
    // In windows, so that a file of terabytes needs no gigabytes of answers.
    const WINDOW: u64 = 1 << 30;
    let page = page_size();
    let mut answers = vec![0u8; WINDOW.min(size).div_ceil(page) as usize];
    let mut resident = 0;
    for start in (0..size).step_by(WINDOW as usize) {
        let len = WINDOW.min(size - start) as usize;
        // SAFETY: a new mapping at an address of the kernel's choice; nothing of it is read.
        let map = unsafe {
            mmap(
                std::ptr::null_mut(),
                len,
                ProtFlags::READ,
                MapFlags::SHARED,
                file,
                start,
            )?
        };
        // SAFETY: `map` is a mapping of `len` bytes, and `answers` has a byte for each of
        // its pages.
        let result = unsafe { libc::mincore(map, len, answers.as_mut_ptr()) };
        let error = io::Error::last_os_error();
        // SAFETY: the mapping made above, to which nothing refers.
        unsafe { munmap(map, len)? };
        if result != 0 {
            return Err(error);
        }
        let pages = (len as u64).div_ceil(page) as usize;
        resident += answers[..pages]
            .iter()
            .filter(|&&answer| answer & 1 != 0)
            .count() as u64;
    }
    Ok(resident)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn both_sources_say_the_same() {
        let mut file = tempfile::tempfile_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        file.write_all(&vec![1; 10_000]).unwrap();
        file.sync_all().unwrap();
        let total = 10_000u64.div_ceil(page_size());
        let got = residency(&file).unwrap();
        assert_eq!((got.resident, got.total), (total, total));
        assert!(got.is_warm() && !got.is_cold());
        assert_eq!(mincore(&file, 10_000).unwrap(), total);
    }

    #[test]
    fn what_the_kernel_would_lie_about_is_refused() {
        if rustix::process::geteuid().is_root() {
            eprintln!("left out: root is told everything");
            return;
        }
        let error = residency(&File::open("/bin/sh").unwrap())
            .unwrap_err()
            .to_string();
        assert!(error.contains("cannot be verified"), "{error}");
        assert!(residency(&tempfile::tempfile().unwrap()).is_ok());
    }
}
