//! A file of our own: incompressible, and without a name, so that nothing of it stays
//! behind in any ending, not even SIGKILL or a power cut.

use std::fmt;
use std::fs::File;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::fs::{FallocateFlags, Gid, Mode, Uid};
use rustix::io::Errno;

use super::identity::Identity;
use super::subject::{Subject, check_cold_possible};

/// Maker of the reader's own file.
#[derive(Debug)]
pub struct OwnFile;

/// The one who was told of the progress asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted")
    }
}

impl std::error::Error for Interrupted {}

/// Written, and told of, at a time.
const CHUNK: usize = 1 << 20;
/// Written between two waits for the disk: keeps the progress true and a wish to stop
/// from waiting behind hundreds of MiB.
const SYNC_EVERY: u64 = 32 << 20;

impl OwnFile {
    /// Makes a file of `size` bytes in the folder `dir`, readable by `owner`, and
    /// waits until it is on the disk.
    ///
    /// It has no name from the start (`O_TMPFILE`, else it is unlinked at once): it is
    /// gone when the last descriptor of it is closed. `progress` is told how many bytes
    /// are written, about every MiB.
    ///
    /// # Errors
    /// The folder can't be written to or lies in memory, there is not enough space (with
    /// the bytes needed and available), or [`Interrupted`] if `progress` breaks.
    pub fn create(
        dir: &Path,
        size: u64,
        owner: &Identity,
        progress: &mut dyn FnMut(u64) -> ControlFlow<()>,
    ) -> Result<Subject> {
        ensure!(
            size > 0,
            "a file of 0 bytes has nothing to read: use a larger --size"
        );
        let folder = File::open(dir).with_context(|| format!("cannot open the folder {dir:?}"))?;
        check_cold_possible(&folder, &format!("{dir:?}"))?;
        let mut file = tempfile::tempfile_in(dir)
            .with_context(|| format!("cannot make a file in {dir:?}: use another --dir"))?;
        rustix::fs::fchown(
            &file,
            Some(Uid::from_raw(owner.uid)),
            Some(Gid::from_raw(owner.gid)),
        )
        .with_context(|| format!("cannot give the file in {dir:?} to user {}", owner.uid))?;

        rustix::fs::fchmod(&file, Mode::RUSR | Mode::WUSR)
            .with_context(|| format!("cannot protect the file in {dir:?}"))?;

        let available = || rustix::fs::fstatvfs(&folder).map(|s| s.f_bavail * s.f_frsize);
        let no_space = |available: u64| {
            anyhow::anyhow!(
                "no space in {dir:?}: the file needs {size} bytes, {available} are available; \
                 use a smaller --size or another --dir"
            )
        };
        // Asked before, since fallocate takes all there is until it finds that it is not
        // enough, and meanwhile nobody else has any.
        let before = available().with_context(|| format!("cannot ask for the space in {dir:?}"))?;
        if size > before {
            return Err(no_space(before));
        }
        // All of the space at first: laid out in few extents.
        match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, size) {
            // Not every file system can; then the writes will tell.
            Ok(()) | Err(Errno::OPNOTSUPP) => {}
            Err(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => return Err(no_space(before)),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot make space in {dir:?}"));
            }
        }
        match fill(&mut file, size, progress) {
            Ok(ControlFlow::Continue(())) => {}
            Ok(ControlFlow::Break(())) => bail!(Interrupted),
            Err(error) if error.kind() == std::io::ErrorKind::StorageFull => {
                return Err(no_space(before));
            }
            Err(error) => {
                return Err(error).with_context(|| format!("cannot write the file in {dir:?}"));
            }
        }
        Subject::of(file, dir.to_owned())
    }
}

/// Writes `size` bytes that no file system or disk can compress or share.
fn fill(
    file: &mut File,
    size: u64,
    progress: &mut dyn FnMut(u64) -> ControlFlow<()>,
) -> std::io::Result<ControlFlow<()>> {
    let mut random = fastrand::Rng::new();
    let mut chunk = vec![0; CHUNK];
    let mut done = 0;
    while done < size {
        let part = &mut chunk[..CHUNK.min((size - done).try_into().unwrap_or(CHUNK))];
        random.fill(part);
        file.write_all(part)?;
        done += part.len() as u64;
        if done.is_multiple_of(SYNC_EVERY) {
            file.sync_data()?;
        }
        if progress(done).is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    file.sync_all()?;
    Ok(ControlFlow::Continue(()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{FileExt as _, MetadataExt as _};

    use super::*;

    fn go_on(_: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    fn dir() -> tempfile::TempDir {
        tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap()
    }

    #[test]
    fn it_is_random_nameless_and_owned() {
        let dir = dir();
        let owner = if rustix::process::geteuid().is_root() {
            Identity {
                uid: 4711,
                gid: 4712,
                groups: vec![],
            }
        } else {
            Identity::current().unwrap()
        };
        let size = (3 << 20) + 5;
        let mut told = vec![];
        let mut progress = |bytes| {
            told.push(bytes);
            ControlFlow::Continue(())
        };
        let subject = OwnFile::create(dir.path(), size, &owner, &mut progress).unwrap();
        assert_eq!(told, [1 << 20, 2 << 20, 3 << 20, size]);
        assert_eq!(subject.size(), size);

        let meta = subject.file().metadata().unwrap();
        assert_eq!(
            (meta.nlink(), meta.uid(), meta.gid()),
            (0, owner.uid, owner.gid)
        );
        assert_eq!(meta.mode() & 0o777, 0o600);
        assert!(meta.blocks() * 512 >= size, "the file has holes");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);

        // Bytes that are equally frequent carry eight bits each: nothing to compress.
        let mut counts = [0u32; 256];
        let mut bytes = vec![0; size as usize];
        subject.file().read_exact_at(&mut bytes, 0).unwrap();
        bytes.iter().for_each(|&b| counts[usize::from(b)] += 1);
        let share = |n: u32| f64::from(n) / bytes.len() as f64;
        let bits: f64 = counts.iter().map(|&n| -share(n) * share(n).log2()).sum();
        assert!(bits > 7.999, "{bits} bits in a byte");
        assert_ne!(bytes[..4096], bytes[4096..8192]);
    }

    #[test]
    fn a_wish_to_stop_leaves_nothing() {
        let dir = dir();
        let owner = Identity::current().unwrap();
        let mut stop = |bytes| match bytes {
            0x20_0000.. => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        };
        let error = OwnFile::create(dir.path(), 64 << 20, &owner, &mut stop).unwrap_err();
        assert!(error.is::<Interrupted>(), "{error:?}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn no_space_says_how_much_there_is() {
        let dir = dir();
        let owner = Identity::current().unwrap();
        let error = OwnFile::create(dir.path(), 1 << 43, &owner, &mut go_on).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("needs 8796093022208 bytes"), "{error}");
        assert!(!error.contains(" 0 are available"), "{error}");
    }

    #[test]
    fn a_place_that_does_not_do() {
        let owner = Identity::current().unwrap();
        for (dir, want) in [
            ("/proc/self", "is on proc"),
            ("/nowhere", "cannot open the folder"),
        ] {
            let error = OwnFile::create(Path::new(dir), 4096, &owner, &mut go_on).unwrap_err();
            assert!(error.to_string().contains(want), "{error}");
        }
    }
}
