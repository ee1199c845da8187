//! Looks up fields and constants in the kernel's BTF.

use std::collections::HashMap;

use anyhow::{Context as _, Result, bail};
use btf_rs::{Backend, Btf, BtfType as _, Struct, Type};
use profiler_common::fields::FIELDS;
use regex::Regex;

use super::hooks::{Hook, Place};

/// The running kernel's own description of its types.
pub(super) struct Fields {
    btf: Btf,
    /// Types with one of the names of [`NAMED`].
    named: HashMap<String, Vec<(u32, Type)>>,
}

/// What is asked for, together: whoever asks for one name has all types looked at (130,000),
/// and one at a time that was a third of a start. Another name is found too, at that cost.
/// The structures of [`FIELDS`] come to it.
const NAMED: &str = "cpumask|pageflags|req_flag_bits\
    |fprobe|bpf_rdonly_cast|bpf_session_is_return|__preempt_count|btf_trace_[a-z_]+\
    |register_ftrace_direct|register_fprobe|filemap_fault|filemap_map_pages|page_cache_a?sync_ra\
    |blk_update_request|blk_mq_end_request_batch";

/// Where a field lies in its structure, and how wide it is, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Location {
    pub(super) offset: u32,
    pub(super) width: u32,
}

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
        let mut fields = Self {
            named: HashMap::new(),
            btf,
        };
        let mut records: Vec<_> = FIELDS.iter().map(|field| field.record).collect();
        records.dedup();
        let named = format!("^(?:{}|{NAMED})$", records.join("|"));
        for id in fields.btf.resolve_ids_by_regex(&Regex::new(&named)?)? {
            let found = fields.btf.resolve_type_by_id(id)?;
            if let Some(named) = found.as_btf_type() {
                let name = fields.btf.resolve_name(named)?;
                fields.named.entry(name).or_default().push((id, found));
            }
        }
        Ok(fields)
    }

    /// All types of this name, with their numbers.
    fn named(&self, name: &str) -> Vec<(u32, Type)> {
        if let Some(known) = self.named.get(name) {
            return known.clone();
        }
        let ids = self.btf.resolve_ids_by_name(name).unwrap_or_default();
        let found = |id| Some((id, self.btf.resolve_type_by_id(id).ok()?));
        ids.into_iter().filter_map(found).collect()
    }

    /// Does the kernel have what this hook hangs on?
    ///
    /// # Errors
    ///
    /// It does not, and why.
    pub(super) fn look_for(&self, hook: &Hook) -> Result<()> {
        match hook.place() {
            Place::Tracepoint(name) => {
                if !self.named.contains_key(&format!("btf_trace_{name}")) {
                    bail!("this kernel has no tracepoint {name}");
                }
            }
            Place::Entry(name) | Place::Return(name) => {
                if !self.hangs_on_functions() {
                    bail!(
                        "this kernel lets no program hang on a function \
                         (CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS)"
                    );
                }
                if self.function(name).is_none() {
                    bail!("this kernel has no function {name}, or it is inlined");
                }
            }
        }
        Ok(())
    }

    /// Was the kernel built to let programs hang on functions?
    fn hangs_on_functions(&self) -> bool {
        self.function("register_ftrace_direct").is_some()
    }

    /// Number of a function.
    pub(super) fn function(&self, name: &str) -> Option<u32> {
        self.number(name, |found| matches!(found, Type::Func(_)))
    }

    /// Number of a variable.
    pub(super) fn variable(&self, name: &str) -> Option<u32> {
        self.number(name, |found| matches!(found, Type::Var(_)))
    }

    /// Number of a struct that is not only declared.
    pub(super) fn record_number(&self, name: &str) -> Option<u32> {
        self.number(name, |found| matches!(found, Type::Struct(_)))
    }

    fn number(&self, name: &str, wanted: impl Fn(&Type) -> bool) -> Option<u32> {
        let mut found = self.named(name).into_iter();
        found.find(|(_, found)| wanted(found)).map(|(id, _)| id)
    }

    /// Byte offset of `path` in struct `name`; `None` if there is no such struct or field.
    pub(super) fn offset(&self, name: &str, path: &str) -> Option<u32> {
        self.find(name, path).map(|(bits, _)| bits / 8)
    }

    /// The place of `path` ("a.b.c", or "a\[2\]") in struct `name`.
    pub(super) fn place(&self, name: &str, path: &str) -> Option<Location> {
        let (bits, found) = self.find(name, path)?;
        Some(Location {
            offset: bits / 8,
            width: self.width(found)?,
        })
    }

    /// The byte that holds a one-bit field, and the bit's mask in it.
    pub(super) fn bit(&self, name: &str, path: &str) -> Option<(u32, u32)> {
        self.find(name, path)
            .map(|(bits, _)| (bits / 8, 1 << (bits % 8)))
    }

    /// Offset in bits, and type.
    fn find(&self, name: &str, path: &str) -> Option<(u32, Type)> {
        let mut owner = self.record(name)?;
        let mut bits = 0;
        let mut parts = path.split('.').peekable();
        while let Some(part) = parts.next() {
            let (part, index) = indexed(part)?;
            let (offset, mut found) = self.member(&owner, part, 0)?;
            bits += offset;
            if let Some(index) = index {
                found = self.element(found, index)?;
                bits += 8 * index * self.width(found.clone())?;
            }
            if parts.peek().is_none() {
                return Some((bits, found));
            }
            owner = self.as_record(found)?;
        }
        None
    }

    /// The type of an array's element; `None` behind its end.
    fn element(&self, array: Type, index: u32) -> Option<Type> {
        match array {
            Type::Array(array) if (index as usize) < array.len() => {
                self.btf.resolve_chained_type(&array).ok()
            }
            _ => None,
        }
    }

    /// Bytes that a value of this type takes.
    fn width(&self, found: Type) -> Option<u32> {
        let mut found = found;
        let mut count = 1;
        loop {
            let bytes = match found {
                Type::Int(found) => found.size(),
                Type::Ptr(_) => size_of::<u64>(),
                Type::Struct(found) | Type::Union(found) => found.size(),
                Type::Enum(found) => found.size(),
                Type::Enum64(found) => found.size(),
                Type::Array(array) => {
                    count *= array.len();
                    found = self.btf.resolve_chained_type(&array).ok()?;
                    continue;
                }
                Type::Typedef(next) => {
                    found = self.btf.resolve_chained_type(&next).ok()?;
                    continue;
                }
                Type::Const(next) | Type::Volatile(next) => {
                    found = self.btf.resolve_chained_type(&next).ok()?;
                    continue;
                }
                _ => return None,
            };
            return u32::try_from(count * bytes).ok();
        }
    }

    fn record(&self, name: &str) -> Option<Struct> {
        // A forward declaration may have the same name.
        self.named(name)
            .into_iter()
            .find_map(|(_, found)| match found {
                Type::Struct(found) => Some(found),
                _ => None,
            })
    }

    fn as_record(&self, found: Type) -> Option<Struct> {
        let mut found = found;
        loop {
            found = match found {
                Type::Struct(found) | Type::Union(found) => return Some(found),
                Type::Typedef(next) => self.btf.resolve_chained_type(&next).ok()?,
                Type::Const(next) | Type::Volatile(next) => {
                    self.btf.resolve_chained_type(&next).ok()?
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
            let its_name = self.btf.resolve_name(member).ok()?;
            let found = self.btf.resolve_chained_type(member).ok()?;
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
                let name = self.btf.resolve_name(member)?;
                if let Some(at) = wanted.iter().position(|&wanted| wanted == name) {
                    values[at] = Some(member.val());
                }
            }
            Ok(())
        };
        for name in named {
            for (_, found) in self.named(name) {
                look(found)?;
            }
        }
        Ok(values)
    }
}

/// A path's part and the index behind it ("regs\[2\]").
fn indexed(part: &str) -> Option<(&str, Option<u32>)> {
    let Some((name, rest)) = part.split_once('[') else {
        return Some((part, None));
    };
    let index = rest.strip_suffix(']')?.parse().ok()?;
    Some((name, Some(index)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_may_have_an_index() {
        assert_eq!(indexed("i_size"), Some(("i_size", None)));
        assert_eq!(indexed("regs[12]"), Some(("regs", Some(12))));
        for malformed in ["regs[", "regs[]", "regs[x]", "regs[1"] {
            assert_eq!(indexed(malformed), None, "{malformed}");
        }
    }
}
