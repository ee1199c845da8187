//! What the running kernel says of itself, before anything is loaded.

use std::{collections::HashMap, thread};

use anyhow::{Result, anyhow, bail};
use aya::EbpfLoader;
use profiler_common::{
    calls,
    control::Fixed,
    fields::{Bits, Offsets},
};

use super::{
    cast::{Cast, Symbols},
    fields::Fields,
    hooks::{Hook, PLAN},
    offsets,
    types::Types,
};

/// What the probes are fitted to.
pub(super) struct Kernel {
    pub(super) offsets: Offsets,
    pub(super) bits: Bits,
    pub(super) cast: Option<Cast>,
    pub(super) symbols: Symbols,
    /// A session of kprobes loses no return: `fprobe` rests on the function graph (since
    /// 6.14). Before that it has a limited number of returns, and loses more in silence.
    pub(super) keeps_returns: bool,
    /// It can hang programs on many functions at once.
    pub(super) has_fprobe: bool,
    /// Hooks of the plan that it lacks, and why.
    lacks: HashMap<&'static str, String>,
}

impl Kernel {
    /// Reads it, and makes a loader, which reads it once more for itself: all of that side
    /// by side, as it is much of what a start takes.
    pub(super) fn read() -> Result<(Self, Types, EbpfLoader<'static>)> {
        thread::scope(|scope| {
            let types = scope.spawn(Types::read);
            let loader = scope.spawn(EbpfLoader::new);
            let fields = Fields::read(offsets::BTF)?;
            let lacks = |hook: &Hook| {
                let error = fields.look_for(hook).err()?;
                Some((hook.name, format!("{error:#}")))
            };
            let kernel = Self {
                offsets: offsets::look_up(&fields).map_err(what_to_do)?,
                bits: offsets::bits(&fields).map_err(what_to_do)?,
                cast: Cast::of(&fields),
                symbols: Symbols::of(&fields),
                keeps_returns: fields.offset("fprobe", "hlist_array").is_some(),
                has_fprobe: fields.function("register_fprobe").is_some(),
                lacks: PLAN.iter().filter_map(lacks).collect(),
            };
            let types = types
                .join()
                .map_err(|_| anyhow!("the reader of the kernel's types has died"))??;
            let loader = loader
                .join()
                .map_err(|_| anyhow!("the probes' loader has died"))?;
            Ok((kernel, types, loader))
        })
    }

    /// Does it have what this hook hangs on?
    ///
    /// # Errors
    ///
    /// It does not, and why.
    pub(super) fn look_for(&self, hook: &Hook) -> Result<()> {
        match self.lacks.get(hook.name) {
            Some(why) => bail!("{why}"),
            None => Ok(()),
        }
    }

    pub(super) fn fixed(&self, cast: Option<Cast>) -> Fixed {
        Fixed {
            self_pid: std::process::id(),
            calls: calls::by_number(),
            page_shift: rustix::param::page_size().ilog2(),
            o_direct: libc::O_DIRECT as u32,
            type_word: cast.map_or(0, |cast| cast.word),
            type_file: cast.map_or(0, |cast| cast.file),
        }
    }
}

fn what_to_do(error: anyhow::Error) -> anyhow::Error {
    anyhow!("{error:#}; `profiler doctor` says what to do")
}

#[cfg(test)]
mod tests {
    use profiler_common::calls::CALLS;

    #[test]
    fn the_table_has_the_numbers_of_this_architecture() {
        let numbers = [
            ("read", libc::SYS_read),
            ("pread64", libc::SYS_pread64),
            ("readv", libc::SYS_readv),
            ("preadv", libc::SYS_preadv),
            ("preadv2", libc::SYS_preadv2),
            ("sendfile", libc::SYS_sendfile),
            ("copy_file_range", libc::SYS_copy_file_range),
            ("execve", libc::SYS_execve),
            ("execveat", libc::SYS_execveat),
            ("finit_module", libc::SYS_finit_module),
            ("kexec_file_load", libc::SYS_kexec_file_load),
            ("bpf", libc::SYS_bpf),
        ];
        for call in CALLS {
            let number = numbers.iter().find(|(name, _)| *name == call.name);
            let number = number.map(|(_, number)| *number as usize);
            assert_eq!(call.number(), number, "{}", call.name);
        }
    }
}
