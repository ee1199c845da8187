//! Kernel stacks by id, with the names of their functions.

use std::{
    collections::HashMap,
    fs::File,
    io::{BufRead as _, BufReader},
    thread::{self, JoinHandle},
};

use anyhow::{Context as _, Error, Result, anyhow, bail};

/// Functions of the kernel, by address: about 8 MiB for a whole kernel.
#[derive(Debug)]
pub struct Symbols {
    /// Address and where the name begins in `names`, by address.
    starts: Vec<(u64, u32)>,
    names: String,
}

impl Symbols {
    /// Reads `/proc/kallsyms`.
    ///
    /// # Errors
    ///
    /// It cannot be read, or shows no addresses to this user (`kernel.kptr_restrict`).
    pub fn read() -> Result<Self> {
        let file = File::open("/proc/kallsyms").context("cannot read /proc/kallsyms")?;
        let mut symbols = Self {
            // More than a kernel has: what is not used is not resident, what has to grow is
            // there twice meanwhile.
            starts: Vec::with_capacity(1 << 18),
            names: String::with_capacity(8 << 20),
        };
        let mut file = BufReader::with_capacity(1 << 18, file);
        let mut line = String::new();
        loop {
            line.clear();
            if file
                .read_line(&mut line)
                .context("cannot read /proc/kallsyms")?
                == 0
            {
                break;
            }
            symbols.line(&line);
        }
        if symbols.starts.is_empty() {
            bail!(
                "/proc/kallsyms names no function: it is covered, or the kernel has no CONFIG_KALLSYMS"
            );
        }
        if symbols.starts.iter().all(|(address, _)| *address == 0) {
            bail!("/proc/kallsyms shows no addresses: kernel.kptr_restrict hides them");
        }
        symbols.starts.sort_unstable_by_key(|(address, _)| *address);
        Ok(symbols)
    }

    fn line(&mut self, line: &str) {
        // ffffffff81000000 T name [module]
        let mut words = line.split_ascii_whitespace();
        let (Some(address), Some(kind), Some(name)) = (words.next(), words.next(), words.next())
        else {
            return;
        };
        let Ok(address) = u64::from_str_radix(address, 16) else {
            return;
        };
        if matches!(kind, "t" | "T" | "w" | "W")
            && let Ok(start) = u32::try_from(self.names.len())
        {
            self.starts.push((address, start));
            self.names.push_str(name);
            self.names.push('\n');
        }
    }

    /// The function that holds an address.
    pub fn name(&self, address: u64) -> Option<&str> {
        let after = self.starts.partition_point(|(start, _)| *start <= address);
        let (_, start) = self.starts.get(after.checked_sub(1)?)?;
        self.names[*start as usize..].split('\n').next()
    }
}

/// [`Symbols`] on their way.
///
/// To read them takes some 70 ms, nearly all of it the kernel's. The collector runs before its
/// target; so it must not do that itself, or the target stands still for so long.
#[derive(Debug)]
pub struct Reading {
    /// A thread of its own, which has no such place.
    thread: Option<JoinHandle<Result<Symbols>>>,
    symbols: Result<Symbols>,
}

impl Reading {
    /// Begins to read.
    pub fn start() -> Self {
        let builder = thread::Builder::new().name("symbols".into());
        let (thread, error) = match builder.spawn(Symbols::read) {
            Ok(thread) => (
                Some(thread),
                anyhow!("nobody has asked for the symbols yet"),
            ),
            Err(error) => {
                let error = Error::from(error).context("cannot start a thread to read the symbols");
                (None, error)
            }
        };
        Self {
            thread,
            symbols: Err(error),
        }
    }

    /// The symbols; waits for them if need be.
    ///
    /// # Errors
    ///
    /// They cannot be had.
    pub fn get(&mut self) -> Result<&Symbols, &Error> {
        if let Some(thread) = self.thread.take() {
            let gone = |_| Err(anyhow!("the thread that reads the symbols is gone"));
            self.symbols = thread.join().unwrap_or_else(gone);
        }
        self.symbols.as_ref()
    }

    /// Why somebody who asked for the symbols did not get them; `None` if nobody did.
    pub fn failure(&self) -> Option<String> {
        match &self.symbols {
            Err(error) if self.thread.is_none() => Some(format!("{error:#}")),
            _ => None,
        }
    }
}

/// Ids that the kernel side has for stacks: no session has more of them.
const MAX_STACKS: usize = 16 * 1024;

/// Functions in a stack, and characters of a function's name, at most: the kernel keeps
/// no more of either.
const MAX_FRAMES: usize = 128;
const MAX_NAME: usize = 512;

/// Stacks that have been met, innermost frame first.
#[derive(Debug, Default)]
pub struct Stacks {
    known: HashMap<u32, Vec<String>>,
}

/// Frames of the probe itself and of how the scheduler comes to be called: the same in
/// every stack, and no help to anybody.
fn is_noise(name: &str) -> bool {
    name.starts_with("bpf_")
        || name.starts_with("__bpf_")
        || name.starts_with("__traceiter_")
        || name.starts_with("trace_event_")
        || matches!(
            name,
            "__schedule"
                | "schedule"
                | "try_to_wake_up"
                | "__traceiter"
                | "sched_waking"
                | "sched_switch"
        )
}

/// The innermost frames that are noise are left out.
pub fn without_noise(frames: Vec<String>) -> Vec<String> {
    let first = frames
        .iter()
        .position(|name| !is_noise(name))
        .unwrap_or(frames.len());
    frames.into_iter().skip(first).collect()
}

impl Stacks {
    /// Makes a stack known.
    ///
    /// # Errors
    ///
    /// No kernel has such a stack, or so many.
    pub fn insert(&mut self, id: u32, frames: Vec<String>) -> Result<()> {
        if frames.len() > MAX_FRAMES || frames.iter().any(|name| name.len() > MAX_NAME) {
            bail!("stack {id} is larger than the kernel keeps them");
        }
        if self.known.len() >= MAX_STACKS && !self.known.contains_key(&id) {
            bail!("more stacks than the kernel keeps");
        }
        self.known.insert(id, frames);
        Ok(())
    }

    /// Its frames.
    pub fn frames(&self, id: u32) -> Option<&[String]> {
        self.known.get(&id).map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_belongs_to_the_function_before_it() {
        let mut symbols = Symbols {
            starts: Vec::new(),
            names: String::new(),
        };
        for line in [
            "ffffffff81000000 T first",
            "ffffffff81000100 t second [module]",
            "ffffffff81000180 d data",
            "nonsense",
        ] {
            symbols.line(line);
        }
        assert_eq!(symbols.name(0xffff_ffff_8100_0000), Some("first"));
        assert_eq!(symbols.name(0xffff_ffff_8100_00ff), Some("first"));
        assert_eq!(symbols.name(0xffff_ffff_8100_0190), Some("second"));
        assert_eq!(symbols.name(0x1000), None);
    }

    #[test]
    fn only_the_innermost_noise_goes() {
        let frames = [
            "bpf_trace_run4",
            "__schedule",
            "io_schedule",
            "schedule",
            "filemap_read",
        ];
        let left = without_noise(frames.map(String::from).to_vec());
        assert_eq!(left, ["io_schedule", "schedule", "filemap_read"]);
    }
}
