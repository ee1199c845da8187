//! The kernel's types, as aya's loader reads them.

use anyhow::{Context as _, Result};
use aya::Btf;

/// Some 30 MiB, which are given back before the ring takes its room: both at once would be the
/// most that a session ever has. What is wanted again is read again.
#[derive(Debug)]
pub(super) struct Types(Option<Btf>);

impl Types {
    pub(super) fn read() -> Result<Self> {
        let btf = Btf::from_sys_fs().context("cannot read the kernel's type information")?;
        Ok(Self(Some(btf)))
    }

    /// # Errors
    ///
    /// They had been given back, and cannot be read again.
    pub(super) fn get(&mut self) -> Result<&Btf> {
        if self.0.is_none() {
            *self = Self::read()?;
        }
        self.0.as_ref().context("the kernel's types are gone")
    }

    /// Gives the memory back: the allocator would keep it, and it would count as the session's.
    pub(super) fn forget(&mut self) {
        self.0 = None;
        #[cfg(target_env = "gnu")]
        // SAFETY: gives back what is free, and touches nothing that is not.
        unsafe {
            libc::malloc_trim(0);
        }
    }
}
