//! The file that is read. Whoever it belongs to, it is only ever read.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, StatxAttributes, StatxFlags};
use rustix::io::Errno;

use super::place::Place;

/// A file that can be read cold: its data comes from somewhere else than memory.
#[derive(Debug)]
pub struct Subject {
    file: File,
    path: PathBuf,
    size: u64,
    place: Place,
    direct: Option<DirectAlign>,
}

/// What the file asks of an `O_DIRECT` read. In bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirectAlign {
    /// Of the buffer's address.
    pub memory: u32,
    /// Of the offset and the length.
    pub offset: u32,
}

/// File systems that lie in memory, or are made up as they are read: nothing of them
/// is ever cold. The numbers are those of linux/magic.h.
const NEVER_COLD: [(u32, &str); 13] = [
    (0x0102_1994, "tmpfs"),
    (0x8584_58f6, "ramfs"),
    (0x9584_58f6, "hugetlbfs"),
    (0x0000_9fa0, "proc"),
    (0x6265_6572, "sysfs"),
    (0x6462_6720, "debugfs"),
    (0x7472_6163, "tracefs"),
    (0xcafe_4a11, "bpf"),
    (0x0027_e0eb, "cgroup"),
    (0x6367_7270, "cgroup2"),
    (0x6265_6570, "configfs"),
    (0x7363_6673, "securityfs"),
    (0xde5e_81e4, "efivarfs"),
];

/// ZFS keeps a cache of its own (ARC) beside the page cache, and no advice empties it.
const ZFS: u32 = 0x2fc1_2fc1;

impl Subject {
    /// Opens a file that the user names. Nothing but regular files is ever opened:
    /// opening a device or a pipe may by itself do something.
    ///
    /// # Errors
    /// It is missing, a directory or no regular file, unreadable, empty, or on a file
    /// system where nothing is ever cold.
    pub fn open(path: &Path) -> Result<Self> {
        // Debug: a path may hold control characters.
        let name = format!("{path:?}");
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let seen = match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(seen) => seen,
            Err(Errno::NOENT) => bail!("{name} does not exist: give a file that does"),
            Err(error) => return Err(error).with_context(|| format!("cannot open {name}")),
        };
        let stat = rustix::fs::fstat(&seen)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {}
            FileType::Directory => bail!("{name} is a directory: give a file"),
            kind => bail!("{name} is a {}: give a regular file", kind_name(kind)),
        }
        let file = File::open(proc_path(&seen))
            .with_context(|| format!("cannot read {name} (it belongs to user {})", stat.st_uid))?;
        Self::of(file, path.to_owned())
    }

    /// Looks at an open regular file, which `path` is shown for.
    pub(crate) fn of(file: File, path: PathBuf) -> Result<Self> {
        let name = format!("{path:?}");
        check_cold_possible(&file, &name)?;
        let mask = StatxFlags::BASIC_STATS | StatxFlags::DIOALIGN;
        let stat = rustix::fs::statx(&file, "", AtFlags::EMPTY_PATH, mask)
            .with_context(|| format!("cannot look at {name}"))?;
        ensure!(
            stat.stx_size > 0,
            "{name} is empty: give a file that has something to read"
        );
        ensure!(
            !stat.stx_attributes.contains(StatxAttributes::DAX),
            "{name} lies in persistent memory (DAX) and is read without a page cache: nothing \
             of it is ever cold; give a file on a disk"
        );
        let place = Place::of(&file).with_context(|| format!("cannot tell where {name} lies"))?;
        let told = StatxFlags::from_bits_retain(stat.stx_mask).contains(StatxFlags::DIOALIGN);
        let direct = match (told, stat.stx_dio_mem_align, stat.stx_dio_offset_align) {
            (true, _, 0) => None,
            (true, memory, offset) => Some(DirectAlign { memory, offset }),
            // The kernel (before 6.1) or the file system does not say. What the device
            // asks for is right for most; opening will tell.
            (false, ..) => {
                let align = place
                    .device
                    .as_ref()
                    .map_or(4096, |device| device.logical_block_size);
                Some(DirectAlign {
                    memory: align,
                    offset: align,
                })
            }
        };
        Ok(Self {
            size: stat.stx_size,
            file,
            path,
            place,
            direct,
        })
    }

    /// What it was opened by; of the own file, the folder that it is in.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its size in bytes when it was opened.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Its file system and device.
    pub const fn place(&self) -> &Place {
        &self.place
    }

    /// What it asks of an `O_DIRECT` read; `None` if it takes none.
    pub const fn direct(&self) -> Option<DirectAlign> {
        self.direct
    }

    /// The open file, to ask about it.
    pub const fn file(&self) -> &File {
        &self.file
    }
}

impl AsFd for Subject {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// A descriptor that names the same file but gives no right to it: whoever gets it
/// must open it again with their own.
pub(crate) fn name_only(file: impl AsFd) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    rustix::fs::open(proc_path(&file), flags, Mode::empty())
        .context("cannot open a file again by /proc/self/fd: is /proc mounted?")
}

pub(crate) fn proc_path(file: impl AsFd) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_fd().as_raw_fd()).into()
}

/// Fails if nothing in the file system of `file` (a file or folder) is ever cold.
pub(crate) fn check_cold_possible(file: impl AsFd, name: &str) -> Result<()> {
    let magic = rustix::fs::fstatfs(file)
        .with_context(|| format!("cannot ask for the file system of {name}"))?
        .f_type;
    // The numbers have 32 bits; the field's width and sign are the architecture's.
    let magic = magic as u32;
    if let Some((_, system)) = NEVER_COLD.iter().find(|(number, _)| *number == magic) {
        bail!(
            "{name} is on {system}, which lies in memory: nothing of it is ever cold; \
             give a place on a disk"
        );
    }
    ensure!(
        magic != ZFS,
        "{name} is on zfs, which keeps a cache of its own that cannot be emptied for one file: \
         give a place on another file system"
    );
    Ok(())
}

const fn kind_name(kind: FileType) -> &'static str {
    match kind {
        FileType::CharacterDevice => "character device",
        FileType::BlockDevice => "block device",
        FileType::Fifo => "pipe",
        FileType::Socket => "socket",
        _ => "file of another kind",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_subject_says_why() {
        let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        let empty = dir.path().join("empty");
        File::create(&empty).unwrap();
        let fifo = dir.path().join("fi\u{1b}fo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let table: [(&Path, &str); 7] = [
            (&dir.path().join("missing"), "does not exist"),
            (dir.path(), "is a directory"),
            (&empty, "is empty"),
            (&fifo, "fi\\u{1b}fo\" is a pipe"),
            (Path::new("/dev/null"), "is a character device"),
            (Path::new("/proc/self/status"), "is on proc"),
            (&dir.path().join("empty/x"), "cannot open"),
        ];
        for (path, want) in table {
            let error = Subject::open(path).unwrap_err().to_string();
            assert!(error.contains(want), "{path:?}: {error}");
        }
    }

    #[test]
    fn memory_is_never_cold() {
        let Ok(file) = tempfile::NamedTempFile::new_in("/dev/shm") else {
            return;
        };
        std::fs::write(file.path(), "x").unwrap();
        let error = Subject::open(file.path()).unwrap_err().to_string();
        assert!(error.contains("is on tmpfs"), "{error}");
    }

    #[test]
    fn a_file_is_described() {
        let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
        let subject = Subject::open(path).unwrap();
        assert_eq!(subject.size(), std::fs::metadata(path).unwrap().len());
        if let Some(align) = subject.direct() {
            assert!(align.offset.is_power_of_two() && align.memory.is_power_of_two());
        }
    }
}
