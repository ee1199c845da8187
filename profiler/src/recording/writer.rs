//! Entries → file.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use lz4_flex::block;

use super::{BLOCK, BLOCK_HEAD, MAGIC, MAX_PAYLOAD, checksum};

/// Writes a recording. Until it is [kept](Writer::keep), it is gone when it is dropped.
#[derive(Debug)]
pub struct Writer {
    file: File,
    path: PathBuf,
    /// Frames of the block that is not written yet.
    content: Vec<u8>,
    /// A block as it is written, to use its memory again.
    block: Vec<u8>,
    kept: bool,
}

impl Drop for Writer {
    fn drop(&mut self) {
        if self.kept {
            // Whoever finishes it hears of errors; here something else has failed already.
            let _ = self.end_block();
        } else {
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
            file,
            path: path.into(),
            content: Vec::new(),
            block: MAGIC.to_vec(),
            kept: false,
        };
        writer.write()?;
        Ok(writer)
    }

    /// The file, to give it to another owner.
    pub fn file(&self) -> &File {
        &self.file
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
        self.content.push(tag);
        self.content.extend_from_slice(&length.to_le_bytes());
        self.content.extend_from_slice(payload);
        if self.content.len() >= BLOCK {
            self.end_block()?;
        }
        Ok(())
    }

    /// Writes the frames that are still in memory, as a block. If the profiler is killed, they
    /// are in the recording.
    ///
    /// # Errors
    ///
    /// The file cannot be written (no space).
    pub fn end_block(&mut self) -> Result<()> {
        if self.content.is_empty() {
            return Ok(());
        }
        let room = block::get_maximum_output_size(self.content.len());
        self.block.resize(BLOCK_HEAD + room, 0);
        let length = block::compress_into(&self.content, &mut self.block[BLOCK_HEAD..])
            .context("cannot compress the recording")?;
        self.block.truncate(BLOCK_HEAD + length);
        // Both are below MAX_CONTENT and what LZ4 adds to it.
        self.block[..4].copy_from_slice(&(length as u32).to_le_bytes());
        self.block[4..8].copy_from_slice(&(self.content.len() as u32).to_le_bytes());
        let sum = checksum(&self.block[..8], &self.block[BLOCK_HEAD..]);
        self.block[8..BLOCK_HEAD].copy_from_slice(&sum.to_le_bytes());
        self.content.clear();
        self.write()
    }

    /// Writes what is still in memory.
    ///
    /// # Errors
    ///
    /// The file cannot be written (no space).
    pub fn finish(mut self) -> Result<()> {
        self.keep();
        self.end_block()
    }

    fn write(&mut self) -> Result<()> {
        self.file
            .write_all(&self.block)
            .with_context(|| format!("cannot write the recording {:?}", self.path))
    }
}
