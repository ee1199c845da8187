//! A program that asks of each page whether it is in the page cache, then reads it.
//!
//! This test program, started [`again`] with [`WORD`].

use std::{
    fs::File,
    os::{fd::AsRawFd as _, unix::fs::FileExt as _},
    path::PathBuf,
    time::{Duration, Instant},
};

use rustix::fs::{Advice, fadvise};
use serde::{Deserialize, Serialize};

use crate::{again, player::now};

pub(crate) const WORD: &str = "profiler-test-pager";
pub(super) const PAGE: usize = 4096;

/// What it is told to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Visits {
    pub path: PathBuf,
    /// Where its record goes.
    pub record: PathBuf,
    pub count: u32,
    pub seed: u64,
}

/// A page, what was said of it, and what the read of it gave.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Visit {
    pub offset: u64,
    /// What `preadv2(RWF_NOWAIT)` returned: bytes, or a negative errno.
    pub nowait: i64,
    /// `mincore`: the page is resident.
    pub mapped: bool,
    /// `cachestat`: pages in the cache.
    pub cached: u64,
    pub returned: i64,
    pub start_ns: u64,
    pub end_ns: u64,
}

impl Visits {
    pub(super) fn command(&self) -> Vec<String> {
        again::command(WORD, self)
    }

    pub(super) fn made(&self) -> Vec<Visit> {
        again::read(&self.record)
    }
}

pub(crate) fn play(visits: &Visits) {
    again::write(&visits.record, &visit(visits));
}

fn visit(visits: &Visits) -> Vec<Visit> {
    let asked = Asked::open(visits);
    let mut random = fastrand::Rng::with_seed(visits.seed);
    let mut buffer = [0; PAGE];
    let pages = asked.bytes / PAGE;
    let one = |_| {
        let offset = (random.usize(..pages) * PAGE) as u64;
        let nowait = asked.nowait(offset);
        let (mapped, cached) = (asked.mincore(offset), asked.cachestat(offset));
        let start_ns = now();
        let read = asked.file.read_at(&mut buffer, offset);
        let end_ns = now();
        // So that the next visit may find it either way.
        if random.bool() {
            asked.drop(offset);
        }
        Visit {
            offset,
            nowait,
            mapped,
            cached,
            returned: read.map_or(-1, |bytes| bytes as i64),
            start_ns,
            end_ns,
        }
    };
    (0..visits.count).map(one).collect()
}

/// The file, and those who can be asked about its pages.
struct Asked {
    file: File,
    mapping: *mut libc::c_void,
    bytes: usize,
}

/// `cachestat`, the same number everywhere (linux/mman.h has the structures).
const SYS_CACHESTAT: libc::c_long = 451;

#[repr(C)]
struct CachestatRange {
    offset: u64,
    length: u64,
}

#[repr(C)]
#[derive(Default)]
struct Cachestat {
    cache: u64,
    others: [u64; 4],
}

impl Asked {
    fn open(visits: &Visits) -> Self {
        let file = File::open(&visits.path).expect("the file");
        // A read brings its own page only.
        fadvise(&file, 0, None, Advice::Random).expect("advice");
        let bytes = file.metadata().expect("its size").len() as usize;
        let (read, shared) = (libc::PROT_READ, libc::MAP_SHARED);
        // SAFETY: a new mapping, which is never touched.
        let mapping = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                read,
                shared,
                file.as_raw_fd(),
                0,
            )
        };
        assert_ne!(mapping, libc::MAP_FAILED);
        Self {
            file,
            mapping,
            bytes,
        }
    }

    /// Reads a page if that takes no wait. A page that is not there is fetched by this
    /// all the same: the state of before is brought back.
    fn nowait(&self, offset: u64) -> i64 {
        let mut page = [0_u8; PAGE];
        let buffer = libc::iovec {
            iov_base: page.as_mut_ptr().cast(),
            iov_len: PAGE,
        };
        let (fd, at) = (self.file.as_raw_fd(), offset as libc::off_t);
        // SAFETY: one live buffer of the length that is told.
        let read = unsafe { libc::preadv2(fd, &raw const buffer, 1, at, libc::RWF_NOWAIT) };
        if read >= 0 {
            return read as i64;
        }
        let error = std::io::Error::last_os_error().raw_os_error().unwrap_or(0);
        let end = Instant::now() + Duration::from_secs(1);
        while !self.mincore(offset) && Instant::now() < end {
            std::thread::yield_now();
        }
        self.drop(offset);
        -i64::from(error)
    }

    fn mincore(&self, offset: u64) -> bool {
        let mut resident = 0_u8;
        // SAFETY: a page of the mapping, and room for what is told of one page.
        let told = unsafe {
            let page = self.mapping.byte_add(offset as usize);
            libc::mincore(page, PAGE, &raw mut resident)
        };
        assert_eq!(told, 0, "mincore");
        resident & 1 != 0
    }

    fn cachestat(&self, offset: u64) -> u64 {
        let range = CachestatRange {
            offset,
            length: PAGE as u64,
        };
        let mut stat = Cachestat::default();
        let (range, to) = (&raw const range, &raw mut stat);
        // SAFETY: live structures of the layout that the call expects.
        let told = unsafe { libc::syscall(SYS_CACHESTAT, self.file.as_raw_fd(), range, to, 0) };
        assert_eq!(told, 0, "cachestat: {}", std::io::Error::last_os_error());
        stat.cache
    }

    /// Takes a page out of the cache.
    fn drop(&self, offset: u64) {
        let length = std::num::NonZeroU64::new(PAGE as u64);
        // A page that another CPU has just put on its list stays at first.
        for _ in 0..100 {
            fadvise(&self.file, offset, length, Advice::DontNeed).expect("advice");
            if !self.mincore(offset) {
                break;
            }
        }
    }
}
