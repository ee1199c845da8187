//! How a file is read: through what, in which order, and what the kernel is told of it.

use serde::{Deserialize, Serialize};

/// Through what a block is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Style {
    /// `pread(2)` through the page cache.
    Buffered,
    /// `pread(2)` with `O_DIRECT`, past the page cache.
    Direct,
    /// One load from each page of a shared mapping.
    Mapped,
}

/// In which order the blocks are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pattern {
    /// From the first block upwards.
    Sequential,
    /// By a permutation of the blocks: none twice before all were read once.
    Random,
}

/// What the kernel is told about the order (`posix_fadvise`, `madvise`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Advice {
    /// Nothing: readahead is as the device has it.
    Normal,
    /// Random: no readahead.
    Random,
}
