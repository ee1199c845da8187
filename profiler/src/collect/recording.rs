//! A session's entries in a file, and back.
//!
//! A recording is the line [`MAGIC`], then frames: tag (one byte), length of the
//! payload (4 bytes, little endian), CRC-32 of tag and payload (4 bytes), payload.
//! What the tags mean is the session's; facts are payload as they came from the ring,
//! one after the other. Whatever is damaged ends the recording there: what came before
//! is whole.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufReader, BufWriter, Read, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};
use profiler_common::layout::LAYOUT;

/// The first bytes of every recording: what it is, and the layout of its facts.
pub const MAGIC: &[u8; 21] = b"profiler.recording/2\n";
const _: () = assert!(LAYOUT == 2, "MAGIC ends with the layout's number");

/// The first bytes of recordings of whichever version.
pub const FAMILY: &[u8] = b"profiler.recording/";

/// No frame is larger: a length beyond it is damage, not data.
pub const MAX_PAYLOAD: u32 = 16 << 20;

const FRAME_HEAD: usize = 9;

/// Writes a recording. Until it is [kept](Writer::keep), it is gone when it is dropped.
#[derive(Debug)]
pub struct Writer {
    file: BufWriter<File>,
    path: PathBuf,
    kept: bool,
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.kept {
            // It was made by us, and nothing worth keeping is in it.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Writer {
    /// Creates a recording, readable by its owner only: it says what was read when.
    ///
    /// # Errors
    ///
    /// The file exists already, or cannot be created.
    pub fn create(path: &Path) -> Result<Self> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(path)
            .with_context(|| format!("cannot create the recording {path:?}"))?;
        let mut writer = Self {
            file: BufWriter::with_capacity(1 << 20, file),
            path: path.into(),
            kept: false,
        };
        writer.bytes(MAGIC)?;
        Ok(writer)
    }

    /// The file, to give it to another owner.
    pub fn file(&self) -> &File {
        self.file.get_ref()
    }

    /// From now on there is something in it, however it ends.
    pub fn keep(&mut self) {
        self.kept = true;
    }

    /// Adds a frame.
    ///
    /// # Errors
    ///
    /// The file cannot be written (no space), or the payload is larger than
    /// [`MAX_PAYLOAD`].
    pub fn frame(&mut self, tag: u8, payload: &[u8]) -> Result<()> {
        let length = u32::try_from(payload.len())
            .ok()
            .filter(|length| *length <= MAX_PAYLOAD)
            .with_context(|| format!("{} bytes are too many for a frame", payload.len()))?;
        self.bytes(&[tag])?;
        self.bytes(&length.to_le_bytes())?;
        self.bytes(&checksum(tag, payload).to_le_bytes())?;
        self.bytes(payload)
    }

    /// Writes what is still in memory.
    pub fn finish(mut self) -> Result<()> {
        self.keep();
        self.file
            .flush()
            .with_context(|| format!("cannot write the recording {:?}", self.path))
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        self.file
            .write_all(bytes)
            .with_context(|| format!("cannot write the recording {:?}", self.path))
    }
}

/// What comes next in a recording.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// A whole frame; its payload is in the reader's buffer.
    Frame(u8),
    /// The recording ends here, as it should.
    End,
    /// It is damaged from here on: why.
    Damaged(String),
}

/// Reads a recording.
#[derive(Debug)]
pub struct Reader<R> {
    from: R,
    payload: Vec<u8>,
    at: u64,
}

impl Reader<BufReader<File>> {
    /// Opens a recording.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot open {path:?}"))?;
        Self::new(BufReader::with_capacity(1 << 20, file))
            .with_context(|| format!("cannot read {path:?}"))
    }
}

impl<R: Read> Reader<R> {
    /// Begins to read.
    ///
    /// # Errors
    ///
    /// It does not begin like a recording of this version.
    pub fn new(mut from: R) -> Result<Self> {
        let mut magic = [0; MAGIC.len()];
        let got = fill(&mut from, &mut magic)?;
        if got < MAGIC.len() || magic != *MAGIC {
            if got == MAGIC.len() && magic.starts_with(FAMILY) {
                bail!(
                    "it is a recording of another version, whose facts have another layout; \
                     this program reads layout {LAYOUT}: read it with the profiler that made it"
                );
            }
            bail!("it is not a recording");
        }
        Ok(Self {
            from,
            payload: Vec::new(),
            at: MAGIC.len() as u64,
        })
    }

    /// Reads the next frame.
    ///
    /// # Errors
    ///
    /// The file cannot be read. Damage is not an error: see [`Next::Damaged`].
    pub fn frame(&mut self) -> Result<Next> {
        let mut head = [0; FRAME_HEAD];
        let got = fill(&mut self.from, &mut head)?;
        if got == 0 {
            return Ok(Next::End);
        }
        let at = self.at;
        let damaged = |what: &str| Ok(Next::Damaged(format!("byte {at}: {what}")));
        if got < FRAME_HEAD {
            return damaged("it is cut off in the middle of a frame");
        }
        let tag = head[0];
        let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
        let sum = u32::from_le_bytes([head[5], head[6], head[7], head[8]]);
        if length > MAX_PAYLOAD {
            return damaged("a frame has an absurd length");
        }
        // Grows with what is there, not with what the length claims.
        self.payload.clear();
        let read = (&mut self.from)
            .take(length.into())
            .read_to_end(&mut self.payload)?;
        if read < length as usize {
            return damaged("it is cut off in the middle of a frame");
        }
        if checksum(tag, &self.payload) != sum {
            return damaged("a frame's checksum does not fit its content");
        }
        self.at += (FRAME_HEAD + read) as u64;
        Ok(Next::Frame(tag))
    }

    /// The payload of the frame that was read last.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }
}

fn checksum(tag: u8, payload: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&[tag]);
    sum.update(payload);
    sum.finalize()
}

/// Fills as much of `to` as there is: a pipe may give it in many parts.
///
/// # Errors
///
/// It cannot be read.
pub fn fill(from: &mut impl Read, to: &mut [u8]) -> io::Result<usize> {
    let mut got = 0;
    while got < to.len() {
        match from.read(&mut to[got..]) {
            Ok(0) => break,
            Ok(n) => got += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording() -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r");
        let mut writer = Writer::create(&path).unwrap();
        writer.frame(1, b"first").unwrap();
        writer.frame(2, b"").unwrap();
        writer.frame(3, &[7; 300]).unwrap();
        writer.finish().unwrap();
        std::fs::read(path).unwrap()
    }

    type Frames = Vec<(u8, Vec<u8>)>;

    /// The frames that can be read, and whether the end was as it should be.
    fn frames(bytes: &[u8]) -> Option<(Frames, bool)> {
        let mut reader = Reader::new(bytes).ok()?;
        let mut frames = Vec::new();
        loop {
            match reader.frame().ok()? {
                Next::Frame(tag) => frames.push((tag, reader.payload().to_vec())),
                Next::End => return Some((frames, true)),
                Next::Damaged(_) => return Some((frames, false)),
            }
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let (frames, whole) = frames(&recording()).unwrap();
        assert!(whole);
        assert_eq!(
            frames,
            [(1, b"first".to_vec()), (2, vec![]), (3, vec![7; 300])]
        );
    }

    #[test]
    fn cut_anywhere_what_came_before_is_whole() {
        let bytes = recording();
        let (all, _) = frames(&bytes).unwrap();
        for cut in 0..bytes.len() {
            let Some((some, whole)) = frames(&bytes[..cut]) else {
                assert!(cut < MAGIC.len(), "cut at {cut}");
                continue;
            };
            assert!(all.starts_with(&some), "cut at {cut}");
            // Only a cut between two frames looks like an end.
            assert!(!whole || some.len() < all.len(), "cut at {cut}");
        }
    }

    #[test]
    fn no_flipped_bit_goes_unnoticed() {
        let bytes = recording();
        let (all, _) = frames(&bytes).unwrap();
        for bit in MAGIC.len() * 8..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let (some, whole) = frames(&bytes).unwrap();
            assert!(!whole && all.starts_with(&some), "bit {bit}");
        }
    }
}
