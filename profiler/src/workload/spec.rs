//! What one run of the reader does, and whether it can be done.

use std::ops::Range;
use std::path::PathBuf;

use anyhow::{Result, bail, ensure};
use serde::{Deserialize, Serialize};

use super::style::{Advice, Pattern, Style};
use super::subject::DirectAlign;

/// The most ops of a run: each is recorded in 32 bytes of memory.
pub(super) const MAX_READS: u64 = 4 << 20;
/// The most threads of a run.
const MAX_THREADS: u32 = 256;
/// The most bytes of all threads' buffers together.
const MAX_BUFFERS: u64 = 1 << 30;

/// What one run of the reader does. Sizes in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// The file to open, unless the reader is handed one.
    pub path: PathBuf,
    /// How much of the file is read: its size when it was looked at.
    pub file_size: u64,
    /// Through what each block is read.
    pub style: Style,
    /// The order of the blocks.
    pub pattern: Pattern,
    /// What the kernel is told about the order.
    pub advice: Advice,
    /// Bytes asked for by a read.
    pub block_size: u32,
    /// From the start of a block to that of the next: `block_size`, or more where two
    /// blocks must not share a page.
    pub stride: u64,
    /// Threads that read, each its share of the order.
    pub threads: u32,
    /// Reads over all threads. More than there are blocks begins again.
    pub reads: u64,
    /// What the random order is made from.
    pub seed: u64,
}

impl Spec {
    /// How many blocks the file has; the last may be a short one.
    pub const fn blocks(&self) -> u64 {
        match self.stride {
            0 => 0,
            stride => self.file_size.div_ceil(stride),
        }
    }

    /// Which of the reads, by their number in the order, are `thread`'s.
    pub fn share(&self, thread: u32) -> Range<u64> {
        let cut = |n: u32| self.reads * u64::from(n) / u64::from(self.threads.max(1));
        cut(thread)..cut(thread + 1)
    }

    /// Says whether the run can be done as it stands.
    ///
    /// `direct` is what the file asks of an `O_DIRECT` read; `None` if it takes none.
    ///
    /// # Errors
    /// What is wrong, and what to change.
    pub fn validate(&self, direct: Option<DirectAlign>) -> Result<()> {
        let Self {
            file_size,
            block_size,
            threads,
            reads,
            ..
        } = *self;
        ensure!(
            file_size > 0,
            "the file is empty: give one that has something to read"
        );
        ensure!(
            block_size > 0,
            "a block of 0 bytes reads nothing: use --block-size 4K or another"
        );
        ensure!(
            u64::from(block_size) <= file_size,
            "a block of {block_size} bytes is larger than the file ({file_size} {}): \
             use a smaller --block-size, or a larger --size or file",
            if file_size == 1 { "byte" } else { "bytes" }
        );
        ensure!(
            self.stride >= u64::from(block_size),
            "blocks of {block_size} bytes cannot start every {} bytes",
            self.stride
        );
        ensure!(
            threads > 0,
            "0 threads read nothing: use --threads 1 or more"
        );
        ensure!(
            threads <= MAX_THREADS,
            "{threads} threads are too many: use --threads {MAX_THREADS} or fewer"
        );
        ensure!(
            u64::from(block_size) * u64::from(threads) <= MAX_BUFFERS,
            "{threads} threads with blocks of {block_size} bytes need more than {} MiB of \
             buffers: use a smaller --block-size or fewer --threads",
            MAX_BUFFERS >> 20
        );
        ensure!(reads > 0, "0 reads show nothing: use --reads 1 or more");
        ensure!(
            reads <= MAX_READS,
            "{reads} reads are too many, each is kept in memory: use --reads {MAX_READS} or \
             fewer, or a larger --block-size"
        );
        ensure!(
            u64::from(threads) <= reads,
            "{threads} threads have only {reads} reads between them: use fewer --threads or a \
             smaller --block-size"
        );
        match (self.style.is_direct(), direct) {
            (true, None) => {
                bail!(
                    "the file system takes no O_DIRECT reads of this file: leave the direct \
                       scenarios out or use a file on another file system"
                )
            }
            (true, Some(align)) => self.validate_direct(align),
            (false, _) => Ok(()),
        }
    }

    fn validate_direct(&self, align: DirectAlign) -> Result<()> {
        let DirectAlign { memory, offset } = align;
        ensure!(
            u64::from(memory) <= page_size(),
            "O_DIRECT wants buffers aligned to {memory} bytes here, more than a page: leave the \
             direct scenarios out"
        );
        ensure!(
            self.block_size.is_multiple_of(offset.max(1)),
            "O_DIRECT reads whole multiples of {offset} bytes here, not {}: use --block-size {} \
             or another multiple",
            self.block_size,
            self.block_size.next_multiple_of(offset)
        );
        Ok(())
    }
}

/// Bytes of a page.
pub(crate) fn page_size() -> u64 {
    rustix::param::page_size() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Spec {
        Spec {
            path: "/f".into(),
            file_size: 1 << 20,
            style: Style::Buffered,
            pattern: Pattern::Sequential,
            advice: Advice::Normal,
            block_size: 4096,
            stride: 4096,
            threads: 2,
            reads: 256,
            seed: 1,
        }
    }

    #[test]
    fn what_is_wrong_and_what_to_do() {
        const ALIGN: Option<DirectAlign> = Some(DirectAlign {
            memory: 4,
            offset: 512,
        });
        type Change = fn(&mut Spec);
        let table: [(Change, Option<DirectAlign>, Option<&str>); 15] = [
            (|_| (), None, None),
            (|s| s.style = Style::Direct, ALIGN, None),
            (|s| s.style = Style::Mapped, None, None),
            (|s| s.block_size = 1000, ALIGN, None),
            (|s| s.file_size = 0, None, Some("the file is empty")),
            (|s| s.block_size = 0, None, Some("use --block-size 4K")),
            (
                |s| (s.block_size, s.stride) = (2 << 20, 2 << 20),
                None,
                Some("larger than the file"),
            ),
            (|s| s.threads = 0, None, Some("use --threads 1 or more")),
            (
                |s| s.threads = 257,
                None,
                Some("use --threads 256 or fewer"),
            ),
            (|s| s.reads = 0, None, Some("use --reads 1 or more")),
            (
                |s| s.reads = MAX_READS + 1,
                None,
                Some("use --reads 4194304 or fewer"),
            ),
            (|s| s.reads = 1, None, Some("only 1 reads between them")),
            (|s| s.style = Style::Direct, None, Some("takes no O_DIRECT")),
            (
                |s| (s.style, s.block_size) = (Style::Direct, 1000),
                ALIGN,
                Some("use --block-size 1024 or another multiple"),
            ),
            (
                |s| (s.style, s.block_size) = (Style::Direct, 512),
                Some(DirectAlign {
                    memory: 1 << 20,
                    offset: 512,
                }),
                Some("more than a page"),
            ),
        ];
        for (i, (change, direct, wrong)) in table.into_iter().enumerate() {
            let mut spec = good();
            change(&mut spec);
            spec.stride = spec.stride.max(u64::from(spec.block_size));
            match (spec.validate(direct), wrong) {
                (Ok(()), None) => {}
                (Err(error), Some(text)) => {
                    assert!(error.to_string().contains(text), "row {i}: {error}");
                }
                (got, _) => panic!("row {i}: {got:?}, want {wrong:?}"),
            }
        }
    }

    #[test]
    fn buffers_are_bounded() {
        let spec = Spec {
            file_size: 1 << 40,
            block_size: 64 << 20,
            stride: 64 << 20,
            threads: 32,
            ..good()
        };
        assert!(
            spec.validate(None)
                .unwrap_err()
                .to_string()
                .contains("1024 MiB of buffers")
        );
    }

    #[test]
    fn shares_are_all_of_the_reads() {
        let spec = Spec {
            threads: 3,
            reads: 10,
            ..good()
        };
        assert_eq!([0, 1, 2].map(|t| spec.share(t)), [0..3, 3..6, 6..10]);
    }
}
