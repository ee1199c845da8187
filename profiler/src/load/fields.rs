//! Looks up fields and constants in the kernel's BTF.

use anyhow::{Context as _, Result, bail};
use btf_rs::{Backend, Btf, BtfType as _, Struct, Type};

/// The running kernel's own description of its types.
pub(super) struct Fields(Btf);

impl Fields {
    /// Reads BTF from a file, on a live system [`super::offsets::BTF`].
    pub(super) fn read(path: &str) -> Result<Self> {
        let btf = Btf::from_file_with_backend(path, Backend::Mmap)
            .or_else(|_| Btf::from_file(path))
            .with_context(|| {
                format!(
                    "cannot read the kernel's type information at {path}: the kernel must be \
                     built with CONFIG_DEBUG_INFO_BTF=y (all current distributions' are)"
                )
            })?;
        Ok(Self(btf))
    }

    /// Does the kernel have this raw tracepoint?
    pub(super) fn has_tracepoint(&self, name: &str) -> bool {
        self.0
            .resolve_ids_by_name(&format!("btf_trace_{name}"))
            .is_ok_and(|ids| !ids.is_empty())
    }

    /// Byte offset of `path` ("a.b.c") in struct `name`; `None` if there is no such
    /// struct or field.
    pub(super) fn offset(&self, name: &str, path: &str) -> Option<u32> {
        self.bits(name, path).map(|bits| bits / 8)
    }

    /// The byte that holds a one-bit field, and the bit's mask in it.
    pub(super) fn bit(&self, name: &str, path: &str) -> Option<(u32, u32)> {
        self.bits(name, path)
            .map(|bits| (bits / 8, 1 << (bits % 8)))
    }

    fn bits(&self, name: &str, path: &str) -> Option<u32> {
        let mut owner = self.record(name)?;
        let mut bits = 0;
        let mut parts = path.split('.').peekable();
        while let Some(part) = parts.next() {
            let (offset, field) = self.member(&owner, part, 0)?;
            bits += offset;
            if parts.peek().is_some() {
                owner = self.as_record(field)?;
            }
        }
        Some(bits)
    }

    fn record(&self, name: &str) -> Option<Struct> {
        // A forward declaration may have the same name.
        self.0
            .resolve_types_by_name(name)
            .ok()?
            .into_iter()
            .find_map(|found| match found {
                Type::Struct(found) => Some(found),
                _ => None,
            })
    }

    fn as_record(&self, found: Type) -> Option<Struct> {
        let mut found = found;
        loop {
            found = match found {
                Type::Struct(found) | Type::Union(found) => return Some(found),
                Type::Typedef(next) => self.0.resolve_chained_type(&next).ok()?,
                Type::Const(next) | Type::Volatile(next) => {
                    self.0.resolve_chained_type(&next).ok()?
                }
                _ => return None,
            };
        }
    }

    /// A member by name, also inside unnamed structs and unions.
    fn member(&self, owner: &Struct, name: &str, depth: u32) -> Option<(u32, Type)> {
        if depth > 8 {
            return None;
        }
        for member in &owner.members {
            let its_name = self.0.resolve_name(member).ok()?;
            let found = self.0.resolve_chained_type(member).ok()?;
            if its_name == name {
                return Some((member.bit_offset(), found));
            }
            if its_name.is_empty()
                && let Some(inner) = self.as_record(found)
                && let Some((offset, found)) = self.member(&inner, name, depth + 1)
            {
                return Some((member.bit_offset() + offset, found));
            }
        }
        None
    }

    /// The values of enumeration constants, in the order asked for. The kernel keeps
    /// some of them in enumerations without a name, so all of those are looked at.
    pub(super) fn constants<const N: usize>(
        &self,
        named: &[&str],
        wanted: [&str; N],
    ) -> Result<[Option<u32>; N]> {
        let mut values = [None; N];
        let mut look = |found: Type| -> Result<()> {
            let Type::Enum(found) = found else {
                return Ok(());
            };
            for member in &found.members {
                if member.get_name_offset().is_none() {
                    bail!("the kernel's type information is malformed");
                }
                let name = self.0.resolve_name(member)?;
                if let Some(at) = wanted.iter().position(|&wanted| wanted == name) {
                    values[at] = Some(member.val());
                }
            }
            Ok(())
        };
        for name in named {
            for found in self.0.resolve_types_by_name(name).unwrap_or_default() {
                look(found)?;
            }
        }
        Ok(values)
    }
}
