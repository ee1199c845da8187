//! What the running kernel says of itself, before anything is loaded.

use std::{collections::HashMap, thread};

use anyhow::{Context as _, Result, anyhow, bail};
use aya::{Btf, EbpfLoader};
use profiler_common::{
    control::{CALLS, Fixed, Offsets},
    fact::{CALL_BPF, CALL_COUNTED, CALL_PREAD, CALL_PREADV, CALL_PREADV2, CALL_READ, CALL_READV},
};

use super::{
    cast::{Cast, Symbols},
    fields::Fields,
    hooks::{Hook, PLAN},
    offsets,
};

/// What the probes are fitted to.
pub(super) struct Kernel {
    pub(super) offsets: Offsets,
    pub(super) cast: Option<Cast>,
    pub(super) symbols: Symbols,
    /// A session of kprobes loses no return: `fprobe` rests on the function graph (since
    /// 6.14). Before that it has a limited number of returns, and loses more in silence.
    pub(super) keeps_returns: bool,
    /// It can hang programs on many functions at once.
    pub(super) has_fprobe: bool,
    /// Hooks of the plan that it lacks, and why.
    lacks: HashMap<&'static str, String>,
    pub(super) btf: Btf,
}

impl Kernel {
    /// Reads it, and makes a loader, which reads it once more for itself: all of that side
    /// by side, as it is much of what a start takes.
    pub(super) fn read() -> Result<(Self, EbpfLoader<'static>)> {
        thread::scope(|scope| {
            let btf = scope.spawn(Btf::from_sys_fs);
            let loader = scope.spawn(EbpfLoader::new);
            let fields = Fields::read(offsets::BTF)?;
            let lacks = |hook: &Hook| {
                let error = fields.look_for(hook).err()?;
                Some((hook.name, format!("{error:#}")))
            };
            let kernel = Self {
                offsets: offsets::look_up(&fields)
                    .map_err(|error| anyhow!("{error:#}; `profiler doctor` says what to do"))?,
                cast: Cast::of(&fields),
                symbols: Symbols::of(&fields),
                keeps_returns: fields.offset("fprobe", "hlist_array").is_some(),
                has_fprobe: fields.function("register_fprobe").is_some(),
                lacks: PLAN.iter().filter_map(lacks).collect(),
                btf: btf
                    .join()
                    .map_err(|_| anyhow!("the reader of the kernel's types has died"))?
                    .context("cannot read the kernel's type information")?,
            };
            let loader = loader
                .join()
                .map_err(|_| anyhow!("the probes' loader has died"))?;
            Ok((kernel, loader))
        })
    }

    /// Returns the memory that the kernel's types took, some 30 MiB: the allocator would keep
    /// it, and it would count as the session's.
    pub(super) fn forget(self) {
        drop(self);
        #[cfg(target_env = "gnu")]
        // SAFETY: gives back what is free, and touches nothing that is not.
        unsafe {
            libc::malloc_trim(0);
        }
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
            calls: calls(),
            o_direct: libc::O_DIRECT as u32,
            type_word: cast.map_or(0, |cast| cast.word),
            type_file: cast.map_or(0, |cast| cast.file),
        }
    }
}

/// The read family, what the kernel counts as reads besides, and `bpf`, by system call number.
fn calls() -> [u8; CALLS] {
    let mut calls = [0; CALLS];
    for (number, call) in [
        (libc::SYS_read, CALL_READ),
        (libc::SYS_pread64, CALL_PREAD),
        (libc::SYS_readv, CALL_READV),
        (libc::SYS_preadv, CALL_PREADV),
        (libc::SYS_preadv2, CALL_PREADV2),
        (libc::SYS_sendfile, CALL_COUNTED),
        (libc::SYS_copy_file_range, CALL_COUNTED),
        (libc::SYS_execve, CALL_COUNTED),
        (libc::SYS_execveat, CALL_COUNTED),
        (libc::SYS_bpf, CALL_BPF),
    ] {
        calls[number as usize] = call as u8;
    }
    calls
}
