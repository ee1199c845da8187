//! A program whose reads end in every way that a read can end.
//!
//! This test program, started [`again`] with [`WORD`].

use std::{
    ffi::CString,
    io::{Error, pipe},
    os::{fd::AsRawFd as _, unix::ffi::OsStrExt as _},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{again, player::now};

pub(crate) const WORD: &str = "profiler-test-odd";

/// How a read is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum How {
    Pread,
    /// `read` at the file's position.
    Read,
    /// `readv` into so many buffers.
    Readv(usize),
    /// `preadv2(RWF_NOWAIT)`
    Nowait,
    /// Into memory that is not there.
    BadBuffer,
    /// Of a descriptor that is not there.
    BadDescriptor,
    /// Of a pipe that has so many bytes.
    Pipe,
    /// Of an empty pipe that must not be waited for.
    EmptyPipe,
    /// Of an empty pipe, until a signal comes.
    Interrupted,
}

/// One read, and what it is made of.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Step {
    pub name: String,
    pub how: How,
    pub path: PathBuf,
    /// `O_*`
    pub flags: i32,
    /// The page that is taken out of the cache before.
    pub cool: Option<i64>,
    pub offset: i64,
    pub bytes: usize,
}

/// A step that was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Made {
    pub name: String,
    /// Bytes, or a negative errno.
    pub returned: i64,
    pub start_ns: u64,
    pub end_ns: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Steps {
    pub steps: Vec<Step>,
    pub rounds: u32,
    pub record: PathBuf,
}

impl Steps {
    pub(super) fn command(&self) -> Vec<String> {
        again::command(WORD, self)
    }

    pub(super) fn made(&self) -> Vec<Made> {
        again::read(&self.record)
    }
}

pub(crate) fn play(steps: &Steps) {
    let round = |_| steps.steps.iter().map(make);
    let made: Vec<Made> = (0..steps.rounds).flat_map(round).collect();
    again::write(&steps.record, &made);
}

/// A buffer as `O_DIRECT` wants it.
#[repr(align(4096))]
struct Buffer([u8; 1 << 16]);

fn make(step: &Step) -> Made {
    let mut buffer = Box::new(Buffer([0; 1 << 16]));
    let to: *mut libc::c_void = buffer.0.as_mut_ptr().cast();
    let made = |call: &dyn Fn() -> isize| {
        let start_ns = now();
        let returned = match call() {
            bytes @ 0.. => bytes as i64,
            _ => -i64::from(Error::last_os_error().raw_os_error().unwrap_or(0)),
        };
        let end_ns = now();
        let name = step.name.clone();
        Made {
            name,
            returned,
            start_ns,
            end_ns,
        }
    };
    let bytes = step.bytes.min(1 << 16);
    match step.how {
        // SAFETY: the kernel refuses the descriptor.
        How::BadDescriptor => made(&|| unsafe { libc::read(9_999, to, bytes) }),
        How::Pipe | How::EmptyPipe | How::Interrupted => {
            let (mut from, mut into) = pipe().expect("a pipe");
            let fd = from.as_raw_fd();
            match step.how {
                How::Pipe => {
                    std::io::Write::write_all(&mut into, &buffer.0[..bytes]).expect("room");
                }
                // SAFETY: a live descriptor, flags that a pipe knows.
                How::EmptyPipe => unsafe {
                    libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK);
                },
                _ => alarm(),
            }
            // SAFETY: a live buffer of at least so many bytes.
            let made = made(&|| unsafe { libc::read(fd, to, bytes) });
            drop((&mut from, into));
            made
        }
        _ => {
            let file = Opened::open(step);
            let (fd, at) = (file.0, step.offset);
            let count = if let How::Readv(count) = step.how {
                count
            } else {
                1
            };
            let part = libc::iovec {
                iov_base: to,
                iov_len: bytes / count,
            };
            let parts = vec![part; count];
            // SAFETY: live buffers of at least so many bytes, or, on purpose, none at all,
            // which the kernel refuses.
            made(&|| unsafe {
                match step.how {
                    How::Read => libc::read(fd, to, bytes),
                    How::Readv(count) => libc::readv(fd, parts.as_ptr(), count as i32),
                    How::Nowait => libc::preadv2(fd, parts.as_ptr(), 1, at, libc::RWF_NOWAIT),
                    How::BadBuffer => {
                        libc::pread(fd, std::ptr::without_provenance_mut(16), bytes, at)
                    }
                    _ => libc::pread(fd, to, bytes, at),
                }
            })
        }
    }
}

/// A signal in some milliseconds that ends a call instead of having it begun anew.
fn alarm() {
    extern "C" fn nothing(_: libc::c_int) {}
    let handler: extern "C" fn(libc::c_int) = nothing;
    // SAFETY: all zero is a valid action, and one without SA_RESTART; the handler does
    // nothing at all.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = handler as libc::sighandler_t;
        libc::sigaction(libc::SIGALRM, &raw const action, std::ptr::null_mut());
        let mut time: libc::itimerval = std::mem::zeroed();
        time.it_value.tv_usec = 5_000;
        libc::setitimer(libc::ITIMER_REAL, &raw const time, std::ptr::null_mut());
    }
}

/// A descriptor, closed when it is dropped.
struct Opened(i32);

impl Opened {
    fn open(step: &Step) -> Self {
        let path = CString::new(step.path.as_os_str().as_bytes()).expect("a path");
        let Step { offset, flags, .. } = *step;
        // SAFETY: a live path; the descriptor is ours from here on.
        let fd = unsafe { libc::open(path.as_ptr(), flags) };
        assert!(
            fd >= 0,
            "{}: {}",
            step.path.display(),
            Error::last_os_error()
        );
        // SAFETY: a live descriptor. What has no pages takes no advice, and what has no
        // position cannot be moved.
        unsafe {
            libc::posix_fadvise(fd, 0, 0, libc::POSIX_FADV_RANDOM);
            if let Some(page) = step.cool {
                libc::posix_fadvise(fd, page * 4096, 4096, libc::POSIX_FADV_DONTNEED);
            }
            libc::lseek(fd, offset, libc::SEEK_SET);
        }
        Self(fd)
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        // SAFETY: ours, and not used any more.
        unsafe { libc::close(self.0) };
    }
}

impl Step {
    /// A `pread` from a file that stays in the cache.
    pub(super) fn pread(name: &str, path: &Path, offset: i64, bytes: usize) -> Self {
        Self {
            name: name.into(),
            how: How::Pread,
            path: path.into(),
            flags: libc::O_RDONLY,
            cool: None,
            offset,
            bytes,
        }
    }

    /// The page that it begins in is cold.
    pub(super) fn cool(self) -> Self {
        let page = self.offset / 4096;
        self.cool_at(page)
    }

    pub(super) fn cool_at(self, page: i64) -> Self {
        Self {
            cool: Some(page),
            ..self
        }
    }

    pub(super) fn flags(self, flags: i32) -> Self {
        Self { flags, ..self }
    }

    pub(super) fn how(self, how: How) -> Self {
        Self { how, ..self }
    }
}
