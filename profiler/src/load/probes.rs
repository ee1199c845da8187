//! The loaded programs and their maps.

use std::{
    collections::HashMap,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    thread,
};

use anyhow::{Context as _, Result, bail};
use aya::{
    Btf, Ebpf, EbpfLoader, Pod,
    maps::{MapData, PerCpuArray, RingBuf},
    programs::{BtfTracePoint, Program},
};
use profiler_common::{
    control::{
        CONTROL_ENDS_TOLD, CONTROL_STARTS_TOLD, Control, Fixed, Offsets, STACK_FRAMES, STACKS,
    },
    counter::Counters,
    histogram::{BUCKETS, CLASSES, Settled},
};

use super::{
    ProgramCost,
    cast::{self, Cast},
    entry::{Entry, Way},
    hooks::{self, Hook, HookState, Need, PLAN, Place},
    kernel::Kernel,
    mapped::{Mapped, Window},
    program,
};

/// What can be chosen about loading.
#[derive(Clone, Debug)]
pub struct Options {
    /// Size of the ring in bytes: a power of two, and a multiple of the page size.
    pub ring_bytes: u32,
    /// Let the kernel side say what it does (`aya-log`).
    pub verbose: bool,
    /// How to see begins and ends of calls.
    pub way: Way,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ring_bytes: 16 << 20,
            verbose: false,
            way: Way::Auto,
        }
    }
}

/// The probes, in the kernel. Dropping it takes them out again.
#[derive(Debug)]
pub struct Probes {
    ebpf: Ebpf,
    hooks: Vec<HookState>,
    control: Mapped<Control>,
    entry: Entry,
    /// Ways to see begins and ends of calls that were tried in vain.
    tried: Vec<String>,
    /// How often something was watched.
    scenario: u32,
}

/// What the kernel side has summed so far; differences of two are a scenario's.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Sums of the quiet calls, by class.
    pub settled: [Settled; CLASSES],
    /// Their histogram: `class * BUCKETS + bucket`.
    pub buckets: Vec<u64>,
}

impl Probes {
    /// Loads and attaches everything that this kernel offers.
    ///
    /// # Errors
    ///
    /// No BTF, no right to load programs, or a required hook that this kernel lacks.
    pub fn load(options: &Options) -> Result<Self> {
        let (kernel, loader) = Kernel::read()?;
        let loaded = match Self::load_as(options, &kernel, loader, kernel.cast) {
            // The kernel can have the function and refuse it, as one without a JIT does.
            Err(_) if kernel.cast.is_some() => {
                Self::load_as(options, &kernel, EbpfLoader::new(), None)
            }
            result => result,
        };
        kernel.forget();
        loaded
    }

    fn load_as(
        options: &Options,
        kernel: &Kernel,
        loader: EbpfLoader<'static>,
        cast: Option<Cast>,
    ) -> Result<Self> {
        let btf = &kernel.btf;
        let (offsets, fixed) = (Plain(kernel.offsets), Plain(kernel.fixed(cast)));
        let log_level = if options.verbose { 5u8 } else { 0 };
        let object = cast::link(OBJECT, cast, kernel.watch)?;
        let mut loader: EbpfLoader<'_> = loader;
        let mut ebpf = loader
            .btf(Some(btf))
            .allow_unsupported_maps()
            .map_max_entries("RING", options.ring_bytes)
            .override_global("OFFSETS", &offsets, true)
            .override_global("FIXED", &fixed, true)
            .override_global("AYA_LOG_LEVEL", &log_level, true)
            .load(&object)
            .map_err(explain)?;
        let (entry, tried) = Entry::choose(options.way, &object, &mut ebpf, kernel)?;
        // What is likely to be attached: the kernel can have a function and refuse it.
        let likely = hooks::carry_out(|hook| kernel.look_for(hook));
        let first = |hook: &Hook| {
            let is_it = |state: &HookState| state.attached && state.hook.name == hook.name;
            likely.iter().any(is_it) && !entry.replaces(hook.name)
        };
        let mut verified = verify(&mut ebpf, btf, first);
        let hooks = hooks::carry_out(|hook| {
            if entry.replaces(hook.name) {
                return Ok(());
            }
            match verified.remove(hook.name) {
                Some(result) => result?,
                None => {
                    kernel.look_for(hook)?;
                    verify_one(program(&mut ebpf, &hook.program())?, hook, btf)?;
                }
            }
            attach(program(&mut ebpf, &hook.program())?)
        });
        let missing = |state: &&HookState| state.hook.need == Need::Required && !state.attached;
        if let Some(HookState { hook, reason, .. }) = hooks.iter().find(missing) {
            bail!(
                "cannot attach to {}, without which {}: {}",
                hook.name,
                hook.without_it,
                reason.as_deref().unwrap_or("no reason given")
            );
        }
        let control = Mapped::new(ebpf.map("CONTROL").context("no map CONTROL")?)?;
        let mut probes = Self {
            ebpf,
            control,
            hooks,
            entry,
            tried,
            scenario: 0,
        };
        // From now on the kernel side knows what is told.
        probes.control(Control::default());
        Ok(probes)
    }

    /// What the kernel side has to know of the hooks, as `CONTROL_*` bits.
    fn told(&self) -> u32 {
        let is_attached = |name| {
            let mut hooks = self.hooks.iter();
            hooks.any(|state| state.attached && state.hook.name == name)
        };
        let starts = u32::from(is_attached("block_io_start")) * CONTROL_STARTS_TOLD;
        let ends = u32::from(is_attached("block_io_done")) * CONTROL_ENDS_TOLD;
        starts | ends
    }

    /// What became of each hook of the plan.
    pub fn hooks(&self) -> &[HookState] {
        &self.hooks
    }

    /// How begins and ends of calls are seen: `tp_btf`, `kprobe.session` or `raw_syscalls`.
    pub fn entry(&self) -> &'static str {
        self.entry.name()
    }

    /// Better ways that this kernel refused, and why.
    pub fn refused_entries(&self) -> &[String] {
        &self.tried
    }

    /// The loaded object, for `aya-log`.
    pub fn ebpf_mut(&mut self) -> &mut Ebpf {
        &mut self.ebpf
    }

    /// Tells the kernel side what to watch from now on.
    pub fn control(&mut self, mut control: Control) {
        if control.target != 0 {
            self.scenario += 1;
        }
        control.scenario = self.scenario;
        control.flags |= self.told();
        let to = self.control.entry().as_ptr();
        // SAFETY: the mapped entry. The target is written first where it is taken away, and
        // last where it is given: a program that sees it sees what goes with it.
        unsafe {
            let target = AtomicU32::from_ptr(&raw mut (*to).target);
            target.store(0, Ordering::Release);
            (&raw mut (*to).flags).write_volatile(control.flags);
            (&raw mut (*to).scenario).write_volatile(control.scenario);
            (&raw mut (*to).threshold_ns).write_volatile(control.threshold_ns);
            target.store(control.target, Ordering::Release);
        }
    }

    /// Takes the ring out; it can be taken once.
    pub fn take_ring(&mut self) -> Result<RingBuf<MapData>> {
        let map = self
            .ebpf
            .take_map("RING")
            .context("the ring was taken before")?;
        Ok(RingBuf::try_from(map)?)
    }

    /// The kernel stacks by id; each ends with its first frame of 0.
    ///
    /// # Errors
    ///
    /// They are no array, or too many files are open.
    pub fn stacks(&self) -> Result<Window<[u64; STACK_FRAMES]>> {
        let map = self.ebpf.map("FRAMES").context("no map FRAMES")?;
        Window::new(map, STACKS)
    }

    /// What the kernel side has counted of itself since it was loaded.
    pub fn counters(&self) -> Result<Counters> {
        let map = self.ebpf.map("COUNTERS").context("no map COUNTERS")?;
        let map = PerCpuArray::<_, Counters>::try_from(map)?;
        let mut sum = Counters::ZERO;
        for one in map.get(&0, 0)?.iter() {
            sum.add(one);
        }
        Ok(sum)
    }

    /// What was settled quietly since the probes were loaded.
    pub fn snapshot(&self) -> Result<Snapshot> {
        let sums = self.ebpf.map("SETTLED").context("no map SETTLED")?;
        let sums = PerCpuArray::<_, Settled>::try_from(sums)?;
        let buckets = self.ebpf.map("HISTOGRAM").context("no map HISTOGRAM")?;
        let buckets = PerCpuArray::<_, u64>::try_from(buckets)?;
        let mut snapshot = Snapshot {
            settled: Default::default(),
            buckets: vec![0; CLASSES * BUCKETS],
        };
        for (class, sum) in snapshot.settled.iter_mut().enumerate() {
            for one in sums.get(&(class as u32), 0)?.iter() {
                sum.calls += one.calls;
                sum.ns += one.ns;
                sum.bytes += one.bytes;
            }
            // A class without calls has empty buckets: reading them is most of the cost.
            if sum.calls == 0 {
                continue;
            }
            for bucket in class * BUCKETS..(class + 1) * BUCKETS {
                snapshot.buckets[bucket] = buckets.get(&(bucket as u32), 0)?.iter().sum();
            }
        }
        Ok(snapshot)
    }

    /// What the programs cost and missed.
    pub fn cost(&self) -> Result<ProgramCost> {
        let session = match &self.entry {
            Entry::Session(session) => Some(session.program()),
            Entry::TpBtf | Entry::Classic => None,
        };
        ProgramCost::read(&self.ebpf, session)
    }
}

/// Newtype for globals: aya asks for `Pod` of the value itself.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Plain<T: Copy>(T);

// SAFETY: only used with `Offsets` and `Fixed`, which are plain memory themselves.
unsafe impl Pod for Plain<Offsets> {}
// SAFETY: as above.
unsafe impl Pod for Plain<Fixed> {}

pub(super) static OBJECT: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/profiler-ebpf"));

/// Hands programs to the kernel, which verifies each before it takes it: most of what a
/// start takes. They do not wait for each other there, so it is done on two CPUs.
fn verify(
    ebpf: &mut Ebpf,
    btf: &Btf,
    wanted: impl Fn(&Hook) -> bool,
) -> HashMap<&'static str, Result<()>> {
    let wanted = PLAN.iter().filter(|hook| wanted(hook));
    let mut wanted: HashMap<String, &Hook> = wanted.map(|hook| (hook.program(), hook)).collect();
    let programs = ebpf
        .programs_mut()
        .filter_map(|(name, program)| Some((wanted.remove(name)?, program)))
        .collect::<Vec<_>>();
    let programs = Mutex::new(programs);
    let next = || programs.lock().ok()?.pop();
    let work = || {
        std::iter::from_fn(next)
            .map(|(hook, program)| (hook.name, verify_one(program, hook, btf)))
            .collect::<Vec<_>>()
    };
    thread::scope(|scope| {
        let other = scope.spawn(work);
        let mut results = work();
        results.extend(other.join().unwrap_or_default());
        results.into_iter().collect()
    })
}

fn verify_one(program: &mut Program, hook: &Hook, btf: &Btf) -> Result<()> {
    match (program, hook.place()) {
        (Program::BtfTracePoint(program), Place::Tracepoint(name)) => program.load(name, btf)?,
        (Program::FEntry(program), Place::Entry(name)) => program.load(name, btf)?,
        (Program::FExit(program), Place::Return(name)) => program.load(name, btf)?,
        _ => bail!("the program for {} is of another kind", hook.name),
    }
    Ok(())
}

fn attach(program: &mut Program) -> Result<()> {
    match program {
        Program::FEntry(program) => {
            program.attach()?;
        }
        Program::FExit(program) => {
            program.attach()?;
        }
        program => {
            let program: &mut BtfTracePoint = program.try_into()?;
            program.attach()?;
        }
    }
    Ok(())
}

/// Says what to do about the errors that are the machine's and not the program's.
fn explain(error: aya::EbpfError) -> anyhow::Error {
    let error = anyhow::Error::from(error);
    let denied = error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|io| io.kind() == std::io::ErrorKind::PermissionDenied)
    });
    if denied {
        error.context(
            "the kernel does not let this process load probes: start it as root (with sudo), \
             or with CAP_BPF, CAP_PERFMON and CAP_SYS_RESOURCE",
        )
    } else {
        error.context("cannot load the probes")
    }
}
