//! The state that a file starts in: brought about, and verified, never assumed.

use std::fs::File;
use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::fs::{Advice, fadvise, fdatasync};
use rustix::io::Errno;

use super::own::Interrupted;
use super::residency::{Residency, residency};
use super::scenario::State;
use super::spec::page_size;
use super::subject::Subject;

/// Times that pages are dropped, or read, before it is given up.
const ATTEMPTS: u32 = 5;
/// Between two of them: what holds a page may be a read that is just ending.
const PAUSE: Duration = Duration::from_millis(20);

/// Brings the whole file into a state and verifies it. Only this file's pages are
/// touched.
///
/// `progress` is told how many bytes were read so far (nothing is read for
/// [`State::Cold`]).
///
/// # Errors
/// The state could not be reached (with how many pages are in the way, and what may be
/// the reason) or not be verified, or [`Interrupted`] if `progress` breaks.
pub fn bring_about(
    subject: &Subject,
    state: State,
    progress: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<Residency> {
    match state {
        State::Warm => warm(subject, progress),
        State::Cold => cold(subject),
    }
}

/// Drops what the whole machine has cached and does not use: pages of all files, and
/// directory entries and inodes. Every program on the machine pays for it.
///
/// # Errors
/// This process is not root's, or /proc is read-only.
pub fn drop_caches() -> Result<()> {
    // What is dirty is not dropped.
    rustix::fs::sync();
    std::fs::write("/proc/sys/vm/drop_caches", "3")
        .context("cannot drop the machine's caches: it takes root; leave out --drop-caches")
}

fn warm(subject: &Subject, progress: &mut dyn FnMut(u64) -> ControlFlow<()>) -> Result<Residency> {
    let file = subject.file();
    let memory = {
        let info = rustix::system::sysinfo();
        info.totalram.saturating_mul(u64::from(info.mem_unit))
    };
    let size = subject.size();
    ensure!(
        size <= memory,
        "the file ({size} bytes) cannot be in the cache as a whole, the machine has {memory} \
         bytes of memory: use a smaller one"
    );
    let mut now = residency(file)?;
    for _ in 0..ATTEMPTS {
        read_through(file, size, progress)?;
        now = residency(file)?;
        if now.is_warm() {
            return Ok(now);
        }
    }
    bail!(
        "only {} of the file's {} pages stay in the cache: memory is short, or a memory limit \
         holds (cgroup); use a smaller file",
        now.resident,
        now.total
    )
}

fn read_through(
    file: &File,
    size: u64,
    progress: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> Result<()> {
    use std::os::unix::fs::FileExt as _;
    let mut buffer = vec![0; 1 << 20];
    let mut done = 0;
    while done < size {
        match file
            .read_at(&mut buffer, done)
            .context("cannot read the file to warm it")?
        {
            0 => bail!("the file shrank from {size} to {done} bytes while it was read"),
            read => done += read as u64,
        }
        if progress(done).is_break() {
            bail!(Interrupted);
        }
    }
    Ok(())
}

fn cold(subject: &Subject) -> Result<Residency> {
    let file = subject.file();
    let mut now = residency(file)?;
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            sleep(PAUSE);
        }
        // Dirty pages can't be dropped. Writing back needs no right to write, and what
        // is in the file stays what it is.
        if now.dirty != Some(0) {
            match fdatasync(file) {
                // A file system mounted read-only has nothing to write back.
                Ok(()) | Err(Errno::INVAL | Errno::ROFS) => {}
                Err(error) => return Err(error).context("cannot write the file's pages back"),
            }
        }
        fadvise(file, 0, None, Advice::DontNeed).context("cannot drop the file's pages")?;
        now = residency(file)?;
        if now.is_cold() {
            fetch_layout(file);
            return Ok(now);
        }
    }
    bail!(
        "the file cannot be made cold: {} of its {} pages ({} bytes each) stay in the cache, \
         because another process maps it (`fuser -v` on it names who), reads it just now or has \
         it locked in memory; end that, or use another file",
        now.resident,
        now.total,
        page_size()
    )
}

/// Has the file system fetch where the file's blocks are, without touching its data.
///
/// The layout is metadata, cached apart from the data, and may be gone as well (after
/// [`drop_caches`], or when memory was short). A read that has to fetch it first waits
/// for two requests, one after the other. That is true of a machine just booted, but
/// it muddies a measurement of cold data: how many reads it hits depends on how the
/// file happens to be laid out. (Measured on a fresh mount of ext4, a file of 8,192
/// extents: 8,292 requests without this for reading it, 8,192 with it, one a block.) Where the file system can't do this, nothing is lost
/// but that: the report tells metadata from data anyway.
fn fetch_layout(file: &File) {
    // ext4 reads all of its extent tree for this flag (ext4_fiemap and ext4_ext_precache
    // in fs/ext4/extents.c); the others refuse it, but read theirs to answer the question.
    if fiemap(file, FIEMAP_FLAG_CACHE).is_err() {
        let _ = fiemap(file, 0);
    }
}

const FIEMAP_FLAG_CACHE: u32 = 4;

/// `struct fiemap` of linux/fiemap.h, without room for extents: they are only counted.
#[repr(C)]
struct Fiemap {
    start: u64,
    length: u64,
    flags: u32,
    mapped_extents: u32,
    extent_count: u32,
    reserved: u32,
}

fn fiemap(file: impl AsFd, flags: u32) -> rustix::io::Result<()> {
    use rustix::ioctl::{Updater, ioctl, opcode};
    /// `FS_IOC_FIEMAP` of linux/fs.h.
    const OPCODE: rustix::ioctl::Opcode = opcode::read_write::<Fiemap>(b'f', 11);
    let mut ask = Fiemap {
        start: 0,
        length: u64::MAX,
        flags,
        mapped_extents: 0,
        extent_count: 0,
        reserved: 0,
    };
    // SAFETY: the opcode is that of `struct fiemap`, which `Fiemap` is laid out as; with
    // `extent_count` 0 the kernel writes nothing behind it.
    unsafe { ioctl(file, Updater::<OPCODE, Fiemap>::new(&mut ask)) }
}

#[cfg(test)]
mod tests {
    use super::super::{Identity, OwnFile};
    use super::*;

    fn go_on(_: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn own() -> Subject {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        OwnFile::create(dir, 4 << 20, &Identity::current().unwrap(), &mut go_on).unwrap()
    }

    #[test]
    fn cold_and_warm_and_cold_again() {
        let subject = own();
        for _ in 0..2 {
            let cold = bring_about(&subject, State::Cold, &mut go_on).unwrap();
            assert_eq!((cold.resident, cold.total), (0, (4 << 20) / page_size()));
            let warm = bring_about(&subject, State::Warm, &mut go_on).unwrap();
            assert_eq!(warm.resident, warm.total);
            // Memory may be reclaimed at any time, but it shows.
            let now = residency(subject.file()).unwrap();
            assert_eq!(now.resident + now.evicted.unwrap_or(0), now.total);
        }
    }

    #[test]
    fn dirty_pages_become_cold_too() {
        use std::os::unix::fs::FileExt as _;
        let subject = own();
        subject.file().write_all_at(&[1; 9000], 4096).unwrap();
        assert!(
            bring_about(&subject, State::Cold, &mut go_on)
                .unwrap()
                .is_cold()
        );
        let mut back = [0; 9000];
        subject.file().read_exact_at(&mut back, 4096).unwrap();
        assert_eq!(back, [1; 9000]);
    }

    #[test]
    fn pages_in_use_are_told() {
        use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};
        let subject = own();
        bring_about(&subject, State::Warm, &mut go_on).unwrap();
        // SAFETY: a new mapping of a file that nobody else has; unmapped below.
        let map = unsafe {
            mmap(
                std::ptr::null_mut(),
                1 << 20,
                ProtFlags::READ,
                MapFlags::SHARED | MapFlags::POPULATE,
                subject.file(),
                0,
            )
        }
        .unwrap();
        let error = bring_about(&subject, State::Cold, &mut go_on)
            .unwrap_err()
            .to_string();
        // SAFETY: the mapping made above, to which nothing refers.
        unsafe { munmap(map, 1 << 20) }.unwrap();
        let pages = (1 << 20) / page_size();
        assert!(error.contains(&format!(": {pages} of its ")), "{error}");
        assert!(error.contains("another process maps it"), "{error}");
        assert!(
            bring_about(&subject, State::Cold, &mut go_on)
                .unwrap()
                .is_cold()
        );
    }

    #[test]
    fn warming_can_be_stopped() {
        let subject = own();
        let mut stop = |_| ControlFlow::Break(());
        let error = bring_about(&subject, State::Warm, &mut stop).unwrap_err();
        assert!(error.is::<Interrupted>());
    }

    #[test]
    fn the_layout_is_fetched_without_data() {
        let subject = own();
        bring_about(&subject, State::Cold, &mut go_on).unwrap();
        fetch_layout(subject.file());
        assert!(residency(subject.file()).unwrap().is_cold());
    }
}
