//! How a file is read: through what, in which order, and what the kernel is told of it.

use serde::{Deserialize, Serialize};

use crate::named::named;

named! {
    /// Through what a block is read.
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub enum Style {
        /// `pread(2)` through the page cache.
        Buffered "buffered",
        /// `pread(2)` with `O_DIRECT`, past the page cache.
        Direct "direct",
        /// One load from each page of a shared mapping.
        Mapped "mapped",
    }
}

/// What an op of the reader is to the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpIs {
    /// Exactly one read system call.
    OneCall,
    /// No call: a fault for each page that is not mapped yet.
    Faults,
}

impl Style {
    /// What an op is to the kernel. This is what makes the reader's own record a witness.
    pub const fn op_is(self) -> OpIs {
        match self {
            Self::Buffered | Self::Direct => OpIs::OneCall,
            Self::Mapped => OpIs::Faults,
        }
    }

    /// Whether it reads past the page cache, so that the file system sets rules for blocks and
    /// buffers.
    pub const fn is_direct(self) -> bool {
        match self {
            Self::Direct => true,
            Self::Buffered | Self::Mapped => false,
        }
    }
}

named! {
    /// In which order the blocks are read.
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub enum Pattern {
        /// From the first block upwards.
        Sequential "sequential",
        /// By a permutation of the blocks: none twice before all were read once.
        Random "random",
    }
}

named! {
    /// What the kernel is told about the order (`posix_fadvise`, `madvise`).
    #[derive(Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub enum Advice {
        /// Nothing: readahead is as the device has it.
        Normal "normal",
        /// Random: no readahead.
        Random "random",
    }
}
