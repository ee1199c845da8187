//! What a thread of the reader reads from, and the loop in which it does.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::ptr::NonNull;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::mm::{MapFlags, ProtFlags};
use rustix::time::{ClockId, clock_gettime};

use super::ops::Op;
use super::record::Log;
use super::spec::{Spec, page_size};
use super::style::{Advice, Style};

/// Where a thread's blocks come from.
#[derive(Debug)]
pub enum Source {
    /// A descriptor of the thread's own, since the kernel keeps the state of readahead
    /// with it.
    Descriptor {
        /// The open file.
        file: OwnedFd,
        /// What each block is read into.
        buffer: Pages,
        /// Bytes asked for by a read.
        block_size: u32,
    },
    /// The mapping that all threads share.
    Mapping {
        /// The mapped file.
        file: Arc<Pages>,
        /// Bytes of the file that are read.
        file_size: u64,
        /// Bytes of a block, of which one in each page is loaded.
        block_size: u32,
    },
}

impl Source {
    /// One for each thread.
    ///
    /// # Errors
    /// The file cannot be opened, mapped or advised on as the spec says.
    pub fn open_all(spec: &Spec) -> Result<Vec<Self>> {
        let Spec {
            block_size,
            file_size,
            ..
        } = *spec;
        match spec.style {
            Style::Mapped => {
                let file = open(spec)?;
                let file = Arc::new(Pages::of_file(&file, file_size, spec.advice)?);
                let one = |_| Self::Mapping {
                    file: file.clone(),
                    file_size,
                    block_size,
                };
                Ok((0..spec.threads).map(one).collect())
            }
            Style::Buffered | Style::Direct => {
                let one = |_| {
                    let file = open(spec)?;
                    if spec.advice == Advice::Random {
                        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::Random)
                            .context("cannot advise the kernel of the order")?;
                    }
                    Ok(Self::Descriptor {
                        file,
                        buffer: Pages::anonymous(block_size as usize)?,
                        block_size,
                    })
                };
                (0..spec.threads).map(one).collect()
            }
        }
    }

    /// Does the ops of a log; says how many there were and how many bytes they got.
    pub(super) fn read(&mut self, log: &mut Log<'_>) -> (u64, u64) {
        let (Self::Descriptor { block_size, .. } | Self::Mapping { block_size, .. }) = *self;
        each(log, block_size, |offset| self.read_block(offset))
    }

    /// Reads the block at an offset; says how many bytes that were, or a negative errno.
    #[inline]
    pub fn read_block(&mut self, offset: u64) -> i32 {
        match self {
            Self::Descriptor {
                file,
                buffer,
                block_size,
            } => {
                let buffer = &mut buffer.bytes_mut()[..*block_size as usize];
                match rustix::io::pread(&*file, buffer, offset) {
                    // At most the block size, which is checked to be small.
                    Ok(read) => read as i32,
                    Err(error) => -error.raw_os_error(),
                }
            }
            Self::Mapping {
                file,
                file_size,
                block_size,
            } => {
                let page = page_size();
                let end = (offset + u64::from(*block_size)).min(*file_size);
                // From the start of each page, so that a block that begins within
                // one touches that one and the next.
                let mut at = offset;
                while at < end {
                    file.touch(at as usize);
                    at = (at / page + 1) * page;
                }
                (end - offset) as i32
            }
        }
    }
}

/// `CLOCK_MONOTONIC` in ns, without entering the kernel (vDSO).
#[inline]
pub(super) fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

/// The hot loop: stamp, read, stamp, record.
#[inline(always)]
fn each(log: &mut Log<'_>, asked: u32, mut read: impl FnMut(u64) -> i32) -> (u64, u64) {
    let (mut ops, mut bytes) = (0, 0);
    while let Some(offset) = log.next() {
        let start_ns = now();
        let returned = read(offset);
        let end_ns = now();
        log.push(Op {
            offset,
            asked,
            returned,
            start_ns,
            end_ns,
        });
        ops += 1;
        bytes += u64::try_from(returned).unwrap_or(0);
    }
    (ops, bytes)
}

fn open(spec: &Spec) -> Result<OwnedFd> {
    let direct = if spec.style.is_direct() {
        OFlags::DIRECT
    } else {
        OFlags::empty()
    };
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | direct;
    let file = rustix::fs::open(spec.path.as_path(), flags, Mode::empty())
        .map_err(|error| why_not_opened(&spec.path, error, spec.style))?;
    let size = rustix::fs::fstat(&file)?.st_size;
    // Behind its end a mapping kills whoever touches it.
    if size.cast_unsigned() < spec.file_size {
        bail!(
            "the file shrank from {} to {size} bytes: use one that stays",
            spec.file_size
        );
    }
    Ok(file)
}

fn why_not_opened(path: &Path, error: Errno, style: Style) -> anyhow::Error {
    let user = rustix::process::geteuid().as_raw();
    let why = match error {
        Errno::ACCESS | Errno::PERM => format!(
            "the reader has the rights of user {user}, who may not read the file: make it \
             readable for them, or start the profiler as a user who may"
        ),
        Errno::INVAL if style.is_direct() => "the file system takes no O_DIRECT reads of \
             this file: leave the direct scenarios out or use a file on another file system"
            .to_owned(),
        _ => format!("the reader cannot open {path:?}"),
    };
    anyhow::Error::new(io::Error::from(error)).context(why)
}

/// A mapping of whole pages.
#[derive(Debug)]
pub struct Pages {
    base: NonNull<u8>,
    len: usize,
}

// SAFETY: plain memory that is owned, not bound to a thread.
unsafe impl Send for Pages {}
// SAFETY: through a shared reference it is only read, by volatile loads.
unsafe impl Sync for Pages {}

impl Pages {
    /// Memory that is there already, aligned to a page as `O_DIRECT` wants it.
    fn anonymous(len: usize) -> Result<Self> {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        let flags = MapFlags::PRIVATE | MapFlags::POPULATE;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let base =
            unsafe { rustix::mm::mmap_anonymous(std::ptr::null_mut(), len, protection, flags) }
                .with_context(|| format!("there is no memory for a buffer of {len} bytes"))?;
        let base = NonNull::new(base.cast()).context("mmap returned null")?;
        Ok(Self { base, len })
    }

    /// The file, nothing of it touched.
    fn of_file(file: &OwnedFd, size: u64, advice: Advice) -> Result<Self> {
        let len = usize::try_from(size).context("the file is too large to be mapped")?;
        // SAFETY: a new mapping at an address of the kernel's choice.
        let base = unsafe {
            rustix::mm::mmap(
                std::ptr::null_mut(),
                len,
                ProtFlags::READ,
                MapFlags::SHARED,
                file,
                0,
            )
        }
        .context("cannot map the file")?;
        let pages = Self {
            base: NonNull::new(base.cast()).context("mmap returned null")?,
            len,
        };
        if advice == Advice::Random {
            // SAFETY: the whole of the mapping above; the advice changes no byte of it.
            unsafe { rustix::mm::madvise(base, len, rustix::mm::Advice::Random) }
                .context("cannot advise the kernel of the order")?;
        }
        Ok(pages)
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: only called for anonymous memory, which is `len` bytes, initialized by
        // the kernel, and borrowed as `self` is.
        unsafe { std::slice::from_raw_parts_mut(self.base.as_ptr(), self.len) }
    }

    /// Loads the byte at `at`, and with it the page.
    #[inline]
    fn touch(&self, at: usize) {
        debug_assert!(at < self.len);
        // SAFETY: within the mapping, as every offset is below the size of the file. If
        // the file was cut meanwhile, SIGBUS ends the process, and the parent says so.
        unsafe { self.base.add(at).read_volatile() };
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: the mapping made above; all that refers to it borrows `self`.
        let _ = unsafe { rustix::mm::munmap(self.base.as_ptr().cast(), self.len) };
    }
}
