//! Bios, and whose pages they fill.

use super::{BLOCK_DEVICE, Bio, FORMAT, Operation, at, bit, word};

impl Bio {
    /// A request need not have one.
    #[inline(always)]
    pub(crate) fn is_null(self) -> bool {
        self.0.is_null()
    }

    #[inline(always)]
    pub(crate) fn operation(self) -> Operation {
        Operation(self.opf())
    }

    /// Has a cgroup's limit held it?
    #[inline(always)]
    pub(crate) fn was_throttled(self) -> bool {
        u32::from(self.flags()) & bit!(bio_throttled) != 0
    }
}

/// Whose pages a bio fills, told by its first page.
pub(crate) struct Origin {
    /// The mapping that has the page; 0: anonymous memory (`O_DIRECT`).
    pub mapping: u64,
    /// Index of the page in it.
    pub index: u64,
}

impl Origin {
    /// The words looked at here carry marks in their low bits, or are masked, which the
    /// verifier does not allow with a pointer: so they are read as numbers.
    #[inline(always)]
    pub(crate) fn of(bio: Bio) -> Self {
        let page = word(bio.io_vec().address(), at!(bio_vec.page));
        let page = head_page(page, word(page, at!(page.compound_head)));
        let mapping = word(page, at!(page.mapping));
        // Anonymous memory has bits set that no address_space has.
        let mapping = if mapping & 3 == 0 { mapping } else { 0 };
        Self {
            mapping,
            index: word(page, at!(folio.index)),
        }
    }

    /// Is it a block device's own mapping? That is where file systems keep the blocks
    /// that describe files.
    #[inline(always)]
    pub(crate) fn is_block_device(&self) -> bool {
        if self.mapping == 0 {
            return false;
        }
        let host = word(self.mapping, at!(mapping.host));
        let mode = word(host, at!(inode.mode)) as u16;
        mode & FORMAT == BLOCK_DEVICE
    }
}

/// The page that has a folio's mapping: a tail page has something else in its place.
/// `link` is odd in a tail page and then says where the head is: by its address, or (in
/// 7.3, with `HUGETLB_PAGE_OPTIMIZE_VMEMMAP`) by the mask that rounds down to it. A
/// mask is the negative of a power of two. Were a head's address one too, the same mask
/// would lead to it.
#[inline(always)]
fn head_page(page: u64, link: u64) -> u64 {
    if link & 1 == 0 {
        return page;
    }
    let head = link & !1;
    let size = head.wrapping_neg();
    if size & size.wrapping_sub(1) == 0 {
        page & head
    } else {
        head
    }
}
