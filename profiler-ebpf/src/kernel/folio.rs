//! Folios.

use super::{Folio, bit};

impl Folio {
    /// The number of pages in it.
    #[inline(always)]
    pub(crate) fn pages(self) -> u64 {
        if self.flags() >> bit!(folio_head) & 1 == 0 {
            return 1;
        }
        1 << (self.order() & 31)
    }

    /// Is it being written back?
    #[inline(always)]
    pub(crate) fn is_in_writeback(self) -> bool {
        self.flags() >> bit!(folio_writeback) & 1 != 0
    }
}
