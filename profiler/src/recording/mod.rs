//! A session's entries in a file, and back.
//!
//! A recording is the line [`MAGIC`], then blocks. A block has a head of 12 bytes, all little
//! endian: length of its compressed content (4 bytes), length of the content (4 bytes), CRC-32 of
//! these two and of the compressed content (4 bytes). The content is compressed as one LZ4 block,
//! and holds whole frames: tag (1 byte), length of the payload (4 bytes), payload. What the tags
//! mean is the session's; facts are payload as they came from the ring, one after the other.
//!
//! Each block can be read without the others. Whatever is damaged ends the recording there: the
//! blocks before it are whole.

mod entry;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

use profiler_common::layout::LAYOUT;

pub use entry::{
    Beginning, BpfUser, Closing, Counts, Ending, Entry, File, Hook, HookMisses, Host, Missed,
    Opening, Ops, OwnCost, Readings, Residency, Settled, Stack, Tick, Tool, Workload,
};
pub use reader::{Next, Reader, fill};
pub use writer::Writer;

/// The first bytes of every recording: what it is, and the number of its layout.
pub const MAGIC: &[u8; 21] = b"profiler.recording/3\n";

/// The layout of a recording: of its blocks, its frames and its facts.
pub const FORMAT: u32 = 3;

const _: () = assert!(
    LAYOUT == 2 && MAGIC[19] == b'0' + FORMAT as u8,
    "the facts have another layout, so recordings do too: give FORMAT and MAGIC the next number"
);

/// The first bytes of recordings of whichever layout.
pub const FAMILY: &[u8] = b"profiler.recording/";

/// No payload is larger, in bytes: a length beyond it is damage, not data.
pub const MAX_PAYLOAD: u32 = 16 << 20;

/// Length of a block's head, in bytes.
pub const BLOCK_HEAD: usize = 12;

/// A block ends with the frame that takes its content to this length, in bytes. Larger ones
/// compress no better; of smaller ones, the heads and first facts cost more.
pub const BLOCK: usize = 256 << 10;

const FRAME_HEAD: usize = 5;

/// No block's content is longer, in bytes.
const MAX_CONTENT: usize = BLOCK + FRAME_HEAD + MAX_PAYLOAD as usize;

/// LZ4 makes at most 255 bytes of one: a longer content cannot be what was compressed.
const MAX_RATIO: usize = 255;

fn checksum(lengths: &[u8], compressed: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(lengths);
    sum.update(compressed);
    sum.finalize()
}
