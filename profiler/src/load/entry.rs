//! How begins and ends of calls are seen.
//!
//! In the order of preference where programs on `sys_enter` can be preempted: a session of
//! kprobes, the classic tracepoints, and as a last resort what is used elsewhere. All of
//! them hold each call against the kernel's own count, so what is missed is counted. A way
//! that is attached has to tell reads of our own ([`own_reads`]), or the next one is tried.

use anyhow::{Context as _, Result, bail};
use aya::{
    Btf, Ebpf,
    maps::{Array, MapData, RingBuf},
    programs::{BtfTracePoint, Program, ProgramError, TracePoint},
};

use super::{
    control::Orders,
    hooks::{Hook, PLAN},
    kernel::Kernel,
    own_reads, program,
    refusal::{in_one_line, is_of_an_address},
    session::Session,
    types::Types,
};
use crate::named::named;

/// Which way to take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Way {
    /// The first of the ways below that sees every call
    #[default]
    Auto,
    /// BTF raw tracepoints
    TpBtf,
    /// A kprobe session on the read calls: other calls cost nothing
    KprobeSession,
    /// Classic tracepoints
    RawSyscalls,
    /// A session where the kernel keeps all returns, else as `auto`
    #[value(skip)]
    QuietNeighbours,
}

named! {
    /// One of the ways that there are, and its name in reports.
    pub enum Kind {
        /// Raw tracepoints with BTF: the cheapest for a read.
        TpBtf "tp_btf",
        /// Never skipped because of itself, and free for calls that are no reads.
        Session "kprobe.session",
        /// Never skipped because of themselves; dearer for all calls of the machine.
        Classic "raw_syscalls",
    }
}

impl Kind {
    /// Its programs that aya loads, the one for ends first.
    fn programs(self) -> &'static [&'static str] {
        match self {
            Self::TpBtf => &HOOKS,
            Self::Session => &[],
            Self::Classic => &CLASSIC,
        }
    }
}

/// The hooks of the plan that this is about.
const HOOKS: [&str; 2] = ["sys_exit", "sys_enter"];
/// Programs that take the place of the plan's.
const CLASSIC: [&str; 2] = ["classic_sys_exit", "classic_sys_enter"];

/// Is it one of the plan's hooks that this is about?
pub(super) fn is_entry(hook: &str) -> bool {
    HOOKS.contains(&hook)
}

/// The hook that a program of the object file is on: it has its name, or stands for one.
pub(super) fn hook_of(program: &str) -> &str {
    if let Some(at) = CLASSIC.iter().position(|&classic| classic == program) {
        return HOOKS[at];
    }
    let is_its = |hook: &&Hook| hook.name != program && hook.program() == program;
    let on_function = PLAN.iter().find(is_its);
    on_function.map_or(program, |hook| hook.name)
}

/// What sees begins and ends now.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) kind: Kind,
    /// Where aya does not hold it.
    pub(super) session: Option<Session>,
}

impl Entry {
    fn attach(kind: Kind, object: &[u8], ebpf: &mut Ebpf, types: &mut Types) -> Result<Self> {
        let mut entry = Self {
            kind,
            session: None,
        };
        let attached = match kind {
            Kind::TpBtf => attach_tp_btf(ebpf, types),
            Kind::Classic => attach_classic(ebpf),
            Kind::Session => Session::attach(object, ebpf, types).map(|session| {
                entry.session = Some(session);
            }),
        };
        if let Err(error) = attached {
            entry.take_out(ebpf)?;
            return Err(error);
        }
        Ok(entry)
    }

    /// Takes it out of the kernel again.
    fn take_out(self, ebpf: &mut Ebpf) -> Result<()> {
        for name in self.kind.programs() {
            let unloaded = match program(ebpf, name)? {
                Program::BtfTracePoint(program) => program.unload(),
                Program::TracePoint(program) => program.unload(),
                _ => bail!("{name} is a program of another kind"),
            };
            match unloaded {
                Ok(()) | Err(ProgramError::NotLoaded) => {}
                Err(error) => {
                    return Err(error).with_context(|| format!("cannot take {name} out again"));
                }
            }
        }
        Ok(())
    }
}

/// The ways that are tried, in this order, and what there is to say about that.
pub(super) struct Choice {
    pub(super) order: Vec<Kind>,
    /// Can programs on `sys_enter` be preempted, as far as it was measured?
    pub(super) preemptible: Option<bool>,
    /// What the report should say.
    pub(super) notes: Vec<String>,
}

impl Choice {
    pub(super) fn new(way: Way, ebpf: &mut Ebpf, kernel: &Kernel, btf: &Btf) -> Self {
        let mut notes = Vec::new();
        // Kernels that do not say where they keep their count of preemption, those before 6.13
        // among them, cannot be asked.
        let measured = kernel
            .symbols
            .preempt_count
            .map(|_| is_preemptible(ebpf, btf));
        let assumed = release() >= FIRST_PREEMPTIBLE;
        if let Some(Err(error)) = &measured
            // A kernel built without the addresses of its variables cannot be tested, and below
            // 7.0 nothing hangs on that.
            && (assumed || !is_of_an_address(error))
        {
            let can = if assumed { "can" } else { "cannot" };
            notes.push(format!(
                "programs on sys_enter {can} be preempted by this kernel's release; the test of \
                 it failed: {}",
                in_one_line(error)
            ));
        }
        let preemptible = measured.and_then(Result::ok);
        if way == Way::QuietNeighbours && !kernel.keeps_returns {
            let why = if kernel.has_fprobe {
                "this kernel loses returns (fprobe before 6.14)"
            } else {
                "this kernel has no fprobe (CONFIG_FPROBE)"
            };
            notes.push(format!("kprobe.session was not tried: {why}"));
        }
        Self {
            order: order(way, preemptible.unwrap_or(assumed), kernel.keeps_returns),
            preemptible,
            notes,
        }
    }

    /// Attaches the first way that tells reads of our own.
    ///
    /// # Errors
    ///
    /// None does. The error is that of the way that comes first.
    pub(super) fn attach(
        &mut self,
        object: &[u8],
        ebpf: &mut Ebpf,
        types: &mut Types,
        orders: &mut Orders,
        ring: &mut RingBuf<MapData>,
    ) -> Result<Entry> {
        let notes = &mut self.notes;
        let (entry, refused) = first(&self.order, |kind| {
            let entry = Entry::attach(kind, object, ebpf, types)?;
            match own_reads::not_told(orders, ring) {
                Ok(missing) if missing.is_empty() => Ok(entry),
                Ok(missing) => {
                    entry.take_out(ebpf)?;
                    bail!("{}", blind(&missing))
                }
                Err(error) => {
                    notes.push(format!(
                        "{} was not tested with reads of our own: {error:#}",
                        kind.name()
                    ));
                    Ok(entry)
                }
            }
        })?;
        self.notes.extend(refused.iter().map(|(kind, error)| {
            format!(
                "begins and ends of calls are seen by {}; refused: {}: {}",
                entry.kind.name(),
                kind.name(),
                in_one_line(error)
            )
        }));
        Ok(entry)
    }
}

/// What is tried, the best first. Where programs on `sys_enter` can be preempted, raw
/// tracepoints miss calls of their own doing.
fn order(way: Way, preemptible: bool, keeps_returns: bool) -> Vec<Kind> {
    let mut order = match way {
        Way::TpBtf => return vec![Kind::TpBtf],
        Way::KprobeSession => return vec![Kind::Session],
        Way::RawSyscalls => return vec![Kind::Classic],
        Way::Auto | Way::QuietNeighbours if preemptible => {
            return vec![Kind::Session, Kind::Classic, Kind::TpBtf];
        }
        Way::Auto | Way::QuietNeighbours => vec![Kind::TpBtf, Kind::Classic],
    };
    // Elsewhere a session that loses returns does so in silence.
    if keeps_returns {
        let at = if way == Way::QuietNeighbours { 0 } else { 2 };
        order.insert(at, Kind::Session);
    }
    order
}

/// The ways before it that were refused, and why.
type RefusedWays = Vec<(Kind, anyhow::Error)>;

/// The first way that can be had, and those before it that could not.
///
/// # Errors
///
/// None can: the first one's error, with what is to be said of the others.
fn first<T>(order: &[Kind], mut have: impl FnMut(Kind) -> Result<T>) -> Result<(T, RefusedWays)> {
    let mut refused = RefusedWays::new();
    for &kind in order {
        match have(kind) {
            Ok(entry) => return Ok((entry, refused)),
            Err(error) => refused.push((kind, error)),
        }
    }
    let others = refused.iter().skip(1);
    let others: String = others
        .map(|(kind, error)| format!("; nor by {} ({})", kind.name(), in_one_line(error)))
        .collect();
    let Some((kind, error)) = refused.into_iter().next() else {
        bail!("there is no way to see begins and ends of calls");
    };
    Err(error.context(format!(
        "begins and ends of calls cannot be seen by {}{others}",
        kind.name()
    )))
}

/// Why a way is refused that does not tell these kinds of calls.
fn blind(missing: &[&str]) -> String {
    format!(
        "it is attached, but of reads of our own it told no {}",
        missing.join(", no ")
    )
}

/// Merged for Linux 7.0: a46023d5616e, f7d327654b88.
pub(super) const FIRST_PREEMPTIBLE: [u32; 2] = [7, 0];

/// The first two numbers of the kernel's release.
pub(super) fn release() -> [u32; 2] {
    let name = rustix::system::uname();
    numbers(&name.release().to_string_lossy())
}

fn numbers(release: &str) -> [u32; 2] {
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(|digits| digits.parse().unwrap_or(0));
    [numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)]
}

fn attach_tp_btf(ebpf: &mut Ebpf, types: &mut Types) -> Result<()> {
    for name in HOOKS {
        let program: &mut BtfTracePoint = program(ebpf, name)?.try_into()?;
        // Where it is the first choice, it was loaded with the others of the plan.
        if program.fd().is_err() {
            program.load(name, types.get()?)?;
        }
    }
    for name in HOOKS {
        let program: &mut BtfTracePoint = program(ebpf, name)?.try_into()?;
        program.attach()?;
    }
    Ok(())
}

fn attach_classic(ebpf: &mut Ebpf) -> Result<()> {
    for name in CLASSIC {
        let program: &mut TracePoint = program(ebpf, name)?.try_into()?;
        program.load()?;
    }
    for (name, tracepoint) in CLASSIC.into_iter().zip(HOOKS) {
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
    use super::*;

    #[test]
    fn a_release_begins_with_two_numbers() {
        assert_eq!(numbers("6.18.44-fc-v595"), [6, 18]);
        assert_eq!(numbers("7.0-rc1"), [7, 0]);
        assert_eq!(numbers("next"), [0, 0]);
        assert!(numbers("7.3.4+deb13-amd64") >= FIRST_PREEMPTIBLE);
    }

    const ALL: [Kind; 3] = [Kind::TpBtf, Kind::Session, Kind::Classic];

    #[test]
    fn what_misses_calls_of_its_own_doing_comes_last() {
        use Kind::{Classic, Session, TpBtf};
        for way in [Way::Auto, Way::QuietNeighbours] {
            assert_eq!(order(way, true, true), [Session, Classic, TpBtf]);
            // Before 6.14 a session would lose returns in silence.
            assert_eq!(order(way, false, false), [TpBtf, Classic]);
        }
        assert_eq!(order(Way::Auto, false, true), [TpBtf, Classic, Session]);
        let quiet = order(Way::QuietNeighbours, false, true);
        assert_eq!(quiet, [Session, TpBtf, Classic]);
    }

    #[test]
    fn a_way_that_was_asked_for_has_no_other() {
        for (way, kind) in [
            (Way::TpBtf, Kind::TpBtf),
            (Way::KprobeSession, Kind::Session),
            (Way::RawSyscalls, Kind::Classic),
        ] {
            for flags in 0..4 {
                assert_eq!(order(way, flags & 1 != 0, flags & 2 != 0), [kind]);
            }
        }
    }

    #[test]
    fn the_next_way_is_tried_and_the_refused_ones_are_told() {
        let order = [Kind::Session, Kind::Classic, Kind::TpBtf];
        let mut asked = Vec::new();
        let (had, refused) = first(&order, |kind| {
            asked.push(kind);
            match kind {
                Kind::Session => bail!("{}", blind(&["readv", "preadv2"])),
                kind => Ok(kind),
            }
        })
        .expect("the second can be had");
        assert_eq!((had, asked), (Kind::Classic, order[..2].to_vec()));
        let [(Kind::Session, why)] = &refused[..] else {
            panic!("{refused:?}");
        };
        let why = why.to_string();
        assert!(why.contains("told no readv, no preadv2"), "{why}");
    }

    #[test]
    fn where_none_can_be_had_each_says_why() {
        let error = first::<()>(&ALL, |kind| match kind {
            Kind::TpBtf => Err(std::io::Error::from_raw_os_error(libc::EINVAL).into()),
            kind => bail!("no {}", kind.name()),
        })
        .unwrap_err();
        let text = format!("{error:#}");
        for words in [
            "cannot be seen by tp_btf",
            "nor by kprobe.session (no kprobe.session)",
            "nor by raw_syscalls (no raw_syscalls)",
            "Invalid argument",
        ] {
            assert!(text.contains(words), "{text}");
        }
        // What the first one's error was can still be asked.
        assert!(error.downcast_ref::<std::io::Error>().is_some());
    }

    #[test]
    fn a_program_is_on_the_hook_that_the_plan_names() {
        for (program, hook) in [
            ("classic_sys_enter", "sys_enter"),
            ("fentry_filemap_fault", "fentry/filemap_fault"),
            ("sched_switch", "sched_switch"),
        ] {
            assert_eq!(hook_of(program), hook);
        }
    }

    #[test]
    fn the_plan_has_the_hooks_that_this_is_about() {
        let plan = PLAN.iter().map(|hook| hook.name);
        assert_eq!(plan.filter(|name| is_entry(name)).count(), HOOKS.len());
    }
}
