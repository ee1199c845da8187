//! File → entries.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    ops::Range,
    path::Path,
};

use anyhow::{Context as _, Result, bail};
use lz4_flex::block;

use super::{
    BLOCK_HEAD, FAMILY, FORMAT, FRAME_HEAD, MAGIC, MAX_CONTENT, MAX_PAYLOAD, MAX_RATIO, checksum,
};

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
    compressed: Vec<u8>,
    content: Vec<u8>,
    /// Where the payload that was read last lies in the content.
    payload: Range<usize>,
    /// Where the next block begins in the file.
    at: u64,
}

impl Reader<BufReader<File>> {
    /// Opens a recording.
    ///
    /// # Errors
    ///
    /// It cannot be opened, or does not begin like a recording of this layout.
    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).with_context(|| format!("cannot open {path:?}"))?;
        Self::new(BufReader::with_capacity(1 << 18, file))
            .with_context(|| format!("cannot read {path:?}"))
    }
}

impl<R: Read> Reader<R> {
    /// Begins to read.
    ///
    /// # Errors
    ///
    /// It does not begin like a recording of this layout.
    pub fn new(mut from: R) -> Result<Self> {
        let mut magic = [0; MAGIC.len()];
        let got = fill(&mut from, &mut magic)?;
        if got < MAGIC.len() || magic != *MAGIC {
            if got == MAGIC.len() && magic.starts_with(FAMILY) {
                let theirs = magic[FAMILY.len()..].split(|byte| *byte == b'\n').next();
                let theirs = theirs.unwrap_or_default().escape_ascii();
                bail!(
                    "it is a recording of another layout ({theirs}); this program reads layout \
                     {FORMAT}: read it with the profiler that made it"
                );
            }
            bail!("it is not a recording");
        }
        Ok(Self {
            from,
            compressed: Vec::new(),
            content: Vec::new(),
            payload: 0..0,
            at: MAGIC.len() as u64,
        })
    }

    /// Reads the next frame.
    ///
    /// # Errors
    ///
    /// The file cannot be read. Damage is not an error: see [`Next::Damaged`].
    pub fn frame(&mut self) -> Result<Next> {
        if self.payload.end == self.content.len() {
            let at = self.at;
            match self.block()? {
                Block::Whole => {}
                Block::None => return Ok(Next::End),
                Block::Damaged(what) => return Ok(Next::Damaged(format!("byte {at}: {what}"))),
            }
        }
        let rest = &self.content[self.payload.end..];
        let &[tag, a, b, c, d, ref after @ ..] = rest else {
            return Ok(self.misfit("a block ends in the middle of a frame"));
        };
        let length = u32::from_le_bytes([a, b, c, d]);
        if length > MAX_PAYLOAD || length as usize > after.len() {
            return Ok(self.misfit("a frame is longer than its block"));
        }
        let start = self.payload.end + FRAME_HEAD;
        self.payload = start..start + length as usize;
        Ok(Next::Frame(tag))
    }

    /// The payload of the frame that was read last.
    pub fn payload(&self) -> &[u8] {
        &self.content[self.payload.clone()]
    }

    fn misfit(&self, what: &str) -> Next {
        Next::Damaged(format!("before byte {}: {what}", self.at))
    }

    /// Reads the next block. Takes as much memory as there are bytes, whatever its head claims:
    /// what is compressed grows with what is read, and the content with what that can hold.
    fn block(&mut self) -> Result<Block> {
        self.content.clear();
        self.payload = 0..0;
        let mut head = [0; BLOCK_HEAD];
        let got = fill(&mut self.from, &mut head)?;
        if got == 0 {
            return Ok(Block::None);
        }
        if got < BLOCK_HEAD {
            return Ok(Block::Damaged("it is cut off in the middle of a block"));
        }
        let number = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|n| head[at + n]));
        let (compressed, content) = (number(0) as usize, number(4) as usize);
        let possible = (1..=MAX_CONTENT).contains(&content)
            && compressed <= block::get_maximum_output_size(content)
            && content <= compressed.saturating_mul(MAX_RATIO);
        if !possible {
            return Ok(Block::Damaged("a block has an absurd length"));
        }
        self.compressed.clear();
        let read = (&mut self.from)
            .take(compressed as u64)
            .read_to_end(&mut self.compressed)?;
        if read < compressed {
            return Ok(Block::Damaged("it is cut off in the middle of a block"));
        }
        if checksum(&head[..8], &self.compressed) != number(8) {
            return Ok(Block::Damaged(
                "a block's checksum does not fit its content",
            ));
        }
        self.content.resize(content, 0);
        let got = block::decompress_into(&self.compressed, &mut self.content);
        if !got.is_ok_and(|got| got == content) {
            self.content.clear();
            return Ok(Block::Damaged("a block cannot be decompressed"));
        }
        self.at += (BLOCK_HEAD + read) as u64;
        Ok(Block::Whole)
    }
}

/// How a block was read.
enum Block {
    Whole,
    None,
    Damaged(&'static str),
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
