//! How begins and ends of calls are seen.
//!
//! In the order of preference where programs on `sys_enter` can be preempted: a session of
//! kprobes, the classic tracepoints, and as a last resort what is used elsewhere. All of
//! them hold each call against the kernel's own count, so what is missed is counted.

use anyhow::{Context as _, Result};
use aya::{
    Btf, Ebpf,
    maps::Array,
    programs::{BtfTracePoint, TracePoint},
};

use super::{cast::Watch, fields::Fields, kernel::Kernel, program, session::Session};

/// Which way to take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Way {
    /// The first of the others that misses nothing of its own doing
    #[default]
    Auto,
    /// Raw tracepoints with BTF
    TpBtf,
    /// A session of kprobes on the read calls: other calls cost nothing
    KprobeSession,
    /// The classic tracepoints
    RawSyscalls,
    /// A session where the kernel keeps all returns, else as `auto`
    #[value(skip)]
    QuietNeighbours,
}

/// Which programs see them.
#[derive(Debug)]
pub(super) enum Entry {
    /// Raw tracepoints with BTF: the cheapest for a read.
    TpBtf,
    /// Never skipped because of themselves, and free for calls that are no reads.
    Session(Session),
    /// Never skipped because of themselves; dearer for all calls of the machine.
    Classic,
}

/// How `auto` will see them, as far as that can be told without any right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outlook {
    pub way: &'static str,
    pub why: &'static str,
    /// No test at the start can change it.
    pub is_certain: bool,
}

impl Outlook {
    pub(super) fn of(fields: &Fields) -> Self {
        let watch = Watch::of(fields);
        let has_sessions = watch.session.is_some() && fields.function("register_fprobe").is_some();
        Self::foresee(watch.preempt_count.is_some(), has_sessions, release())
    }

    /// As [`Entry::choose`] goes about it.
    fn foresee(can_be_tested: bool, has_sessions: bool, release: [u32; 2]) -> Self {
        if !can_be_tested {
            return Self {
                way: TP_BTF,
                why: "this kernel does not show whether programs on system calls can be \
                      preempted; before Linux 7.0 they cannot",
                is_certain: true,
            };
        }
        if release < FIRST_PREEMPTIBLE {
            return Self {
                way: TP_BTF,
                why: "before Linux 7.0 programs on system calls cannot be preempted",
                is_certain: false,
            };
        }
        Self {
            way: if has_sessions { SESSION } else { RAW_SYSCALLS },
            why: "since Linux 7.0 programs on system calls can be preempted, and miss calls then",
            is_certain: false,
        }
    }
}

/// The names of the ways in reports.
const TP_BTF: &str = "tp_btf";
const SESSION: &str = "kprobe.session";
const RAW_SYSCALLS: &str = "raw_syscalls";

/// Programs that take the place of the plan's `sys_enter` and `sys_exit`.
const CLASSIC: [(&str, &str); 2] = [
    ("classic_sys_exit", "sys_exit"),
    ("classic_sys_enter", "sys_enter"),
];

impl Entry {
    /// Chooses and attaches. What was tried in vain is told by the second value.
    ///
    /// # Errors
    ///
    /// The way that was asked for by its name cannot be had.
    pub(super) fn choose(
        way: Way,
        object: &[u8],
        ebpf: &mut Ebpf,
        kernel: &Kernel,
    ) -> Result<(Self, Vec<String>)> {
        let mut tried = Vec::new();
        let session = match way {
            Way::TpBtf => false,
            Way::KprobeSession => {
                let session = Session::attach(object, ebpf)?;
                return Ok((Self::Session(session), tried));
            }
            Way::RawSyscalls => {
                attach_classic(ebpf)?;
                return Ok((Self::Classic, tried));
            }
            Way::QuietNeighbours if kernel.keeps_returns => true,
            Way::QuietNeighbours => {
                tried.push("kprobe.session: this kernel loses returns (fprobe before 6.14)".into());
                false
            }
            Way::Auto => false,
        };
        // A kernel that does not say where it keeps its count of preemption (before 6.13) runs
        // none of these programs preemptibly.
        let preemptible = matches!(way, Way::Auto | Way::QuietNeighbours)
            && kernel.watch.preempt_count.is_some()
            // A kernel built without the addresses of its variables refuses the test.
            && is_preemptible(ebpf, &kernel.btf).unwrap_or_else(|_| release() >= FIRST_PREEMPTIBLE);
        if session || preemptible {
            match Session::attach(object, ebpf) {
                Ok(session) => return Ok((Self::Session(session), tried)),
                Err(error) => tried.push(format!("kprobe.session: {error:#}")),
            }
        }
        if preemptible {
            match attach_classic(ebpf) {
                Ok(()) => return Ok((Self::Classic, tried)),
                Err(error) => tried.push(format!("raw_syscalls: {error:#}")),
            }
        }
        Ok((Self::TpBtf, tried))
    }

    /// As the report names it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::TpBtf => TP_BTF,
            Self::Session(_) => SESSION,
            Self::Classic => RAW_SYSCALLS,
        }
    }

    /// Do they take the place of the plan's hook?
    pub(super) fn replaces(&self, hook: &str) -> bool {
        !matches!(self, Self::TpBtf) && matches!(hook, "sys_enter" | "sys_exit")
    }
}

/// Merged for Linux 7.0: a46023d5616e, f7d327654b88.
const FIRST_PREEMPTIBLE: [u32; 2] = [7, 0];

/// The first two numbers of the kernel's release.
fn release() -> [u32; 2] {
    let name = rustix::system::uname();
    numbers(&name.release().to_string_lossy())
}

fn numbers(release: &str) -> [u32; 2] {
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(|digits| digits.parse().unwrap_or(0));
    [numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)]
}

fn attach_classic(ebpf: &mut Ebpf) -> Result<()> {
    for (name, _) in CLASSIC {
        let program: &mut TracePoint = program(ebpf, name)?.try_into()?;
        program.load()?;
    }
    for (name, tracepoint) in CLASSIC {
        let program: &mut TracePoint = program(ebpf, name)?.try_into()?;
        program.attach("raw_syscalls", tracepoint)?;
    }
    Ok(())
}

/// Can programs on `sys_enter` be preempted? Seen by one, in calls of our own.
///
/// # Errors
///
/// The program could not be loaded, or it saw nothing.
fn is_preemptible(ebpf: &mut Ebpf, btf: &Btf) -> Result<bool> {
    const NAME: &str = "can_be_preempted";
    let test: &mut BtfTracePoint = program(ebpf, NAME)?.try_into()?;
    test.load("sys_enter", btf)?;
    let link = test.attach()?;
    for _ in 0..8 {
        // SAFETY: takes nothing and changes nothing.
        unsafe { libc::syscall(libc::SYS_getppid) };
    }
    test.detach(link)?;
    test.unload()?;
    let map = ebpf.map("PREEMPTIBLE").context("no map PREEMPTIBLE")?;
    let [all, preemptible] = Array::<_, [u64; 2]>::try_from(map)?.get(&0, 0)?;
    if all == 0 {
        anyhow::bail!("the test of preemption saw none of its own calls");
    }
    Ok(preemptible > 0)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_release_begins_with_two_numbers() {
        assert_eq!(numbers("6.18.44-fc-v595"), [6, 18]);
        assert_eq!(numbers("7.0-rc1"), [7, 0]);
        assert_eq!(numbers("next"), [0, 0]);
        assert!(numbers("7.3.4+deb13-amd64") >= FIRST_PREEMPTIBLE);
    }

    #[test]
    fn what_cannot_be_tested_is_certain() {
        let old = Outlook::foresee(false, false, [6, 1]);
        assert!(old.way == "tp_btf" && old.is_certain);
        let usual = Outlook::foresee(true, true, [6, 18]);
        assert!(usual.way == "tp_btf" && !usual.is_certain);
        assert_eq!(Outlook::foresee(true, true, [7, 0]).way, "kprobe.session");
        assert_eq!(Outlook::foresee(true, false, [7, 3]).way, "raw_syscalls");
    }

    #[test]
    fn only_what_takes_their_place_replaces_the_plans_hooks() {
        let replaced: HashSet<_> = super::super::hooks::PLAN
            .iter()
            .map(|hook| hook.name)
            .filter(|name| Entry::Classic.replaces(name))
            .collect();
        assert_eq!(replaced, HashSet::from(["sys_enter", "sys_exit"]));
        assert!(!Entry::TpBtf.replaces("sys_enter"));
    }
}
