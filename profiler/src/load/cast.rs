//! The kernel's function `bpf_rdonly_cast`, by which the probes read what they know only by
//! its address.
//!
//! Kernel functions are called by their number in the kernel's BTF. aya does not link them,
//! so the object file calls a helper that does not exist ([`STAND_IN_CAST`]), and the right
//! call is written in its place before aya sees the file.

use anyhow::{Context as _, Result};
use object::{Object as _, ObjectSection as _, SectionKind};
use profiler_common::control::{STAND_IN_CAST, STAND_IN_PREEMPT, STAND_IN_SESSION};

use super::fields::Fields;

/// Numbers in the kernel's BTF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cast {
    function: u32,
    /// A struct that begins with an `unsigned long`.
    pub(super) word: u32,
    /// `struct file`.
    pub(super) file: u32,
}

/// Numbers in the kernel's BTF of symbols that only some programs refer to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Symbols {
    /// Function `bpf_session_is_return`, since 6.10.
    pub(super) session: Option<u32>,
    /// Variable `__preempt_count`, since 6.13.
    pub(super) preempt_count: Option<u32>,
}

impl Symbols {
    pub(super) fn of(fields: &Fields) -> Self {
        Self {
            session: fields.function("bpf_session_is_return"),
            preempt_count: fields.variable("__preempt_count"),
        }
    }
}

/// Of an instruction (`struct bpf_insn`), 8 bytes.
const INSTRUCTION: usize = 8;
/// `BPF_JMP | BPF_CALL`
const CALL: u8 = 0x85;
/// Source register of a call that makes it one of a kernel function.
const BPF_PSEUDO_KFUNC_CALL: u8 = 2;
/// `BPF_LD | BPF_IMM | BPF_DW`, of a load that takes two instructions
const LOAD: u8 = 0x18;
/// Source register of such a load that makes it one of a variable's address.
const BPF_PSEUDO_BTF_ID: u8 = 3;
/// `BPF_ALU64 | BPF_MOV | BPF_X`
const MOVE: u8 = 0xbf;

impl Cast {
    /// What this kernel has; `None` before 6.2.
    pub(super) fn of(fields: &Fields) -> Option<Self> {
        Some(Self {
            function: fields.function("bpf_rdonly_cast")?,
            word: fields.record_number("cpumask")?,
            file: fields.record_number("file")?,
        })
    }
}

/// The object file with the function's number where its stand-in is called. Without the
/// function the call is never reached, but has to be something that the kernel knows. What
/// stands for the numbers of `symbols` stays where the kernel lacks them: the programs that
/// need them are not loaded then.
pub(super) fn link(file: &[u8], cast: Option<Cast>, symbols: Symbols) -> Result<Vec<u8>> {
    let parsed = object::File::parse(file).context("the probes' object file")?;
    let ranges = parsed
        .sections()
        .filter(|section| section.kind() == SectionKind::Text)
        .filter_map(|section| section.file_range());
    let mut linked = file.to_vec();
    for (from, length) in ranges {
        let section = linked
            .get_mut(from as usize..(from + length) as usize)
            .context("a section of the probes' object file is cut off")?;
        for instruction in section.chunks_exact_mut(INSTRUCTION) {
            let stands_for = |stand_in: i32| instruction[4..] == stand_in.to_le_bytes();
            if instruction[..2] == [CALL, 0] && stands_for(STAND_IN_CAST) {
                let (code, registers, number) = match cast {
                    Some(cast) => (CALL, BPF_PSEUDO_KFUNC_CALL << 4, cast.function),
                    // r0 = r1
                    None => (MOVE, 1 << 4, 0),
                };
                instruction[..2].copy_from_slice(&[code, registers]);
                instruction[4..].copy_from_slice(&number.to_le_bytes());
            } else if instruction[..2] == [CALL, 0]
                && stands_for(STAND_IN_SESSION)
                && let Some(function) = symbols.session
            {
                instruction[1] = BPF_PSEUDO_KFUNC_CALL << 4;
                instruction[4..].copy_from_slice(&function.to_le_bytes());
            } else if instruction[0] == LOAD
                && stands_for(STAND_IN_PREEMPT)
                && let Some(variable) = symbols.preempt_count
            {
                instruction[1] |= BPF_PSEUDO_BTF_ID << 4;
                instruction[4..].copy_from_slice(&variable.to_le_bytes());
            }
        }
    }
    Ok(linked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::probes::OBJECT;

    fn count(file: &[u8], instruction: [u8; 8]) -> usize {
        file.chunks_exact(8)
            .filter(|found| *found == instruction)
            .count()
    }

    #[test]
    fn every_stand_in_is_replaced() {
        let [a, b, c, d] = STAND_IN_CAST.to_le_bytes();
        let stand_in = [CALL, 0, 0, 0, a, b, c, d];
        let calls = count(OBJECT, stand_in);
        assert!(calls > 0);
        let cast = Cast {
            function: 0x1234,
            word: 1,
            file: 2,
        };
        let linked = link(OBJECT, Some(cast), Symbols::default()).expect("an object file");
        assert_eq!(count(&linked, stand_in), 0);
        assert_eq!(count(&linked, [CALL, 0x20, 0, 0, 0x34, 0x12, 0, 0]), calls);
        let without = link(OBJECT, None, Symbols::default()).expect("an object file");
        assert_eq!(count(&without, stand_in), 0);
        assert_eq!(without.len(), OBJECT.len());
    }

    #[test]
    fn what_is_no_object_file_is_an_error() {
        assert!(link(b"no object file", None, Symbols::default()).is_err());
    }
}
