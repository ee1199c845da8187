//! The loaded programs and their maps.

use std::{
    collections,
    os::fd::{AsFd as _, AsRawFd as _, RawFd},
    sync::Mutex,
    thread,
};

use anyhow::{Context as _, Result, bail};
use aya::{
    Btf, Ebpf, EbpfLoader, Pod,
    maps::{HashMap, Map, MapData, PerCpuArray, RingBuf},
    programs::{BtfTracePoint, Program},
};
use profiler_common::{
    bpf_user::BpfUser,
    control::{CONTROL_ENDS_TOLD, CONTROL_STARTS_TOLD, Control, Fixed, STACK_FRAMES, STACKS},
    counter::Counters,
    fields::{Bits, Offsets},
    histogram::{BUCKETS, CLASSES, Settled},
};

use super::{
    cast::{self, Cast},
    control::Orders,
    entry::{self, Choice, Entry, Kind, Way, is_entry},
    hooks::{self, Hook, HookState, Need, PLAN, Place},
    kernel::Kernel,
    mapped::Window,
    program,
    refusal::{in_one_line, is_of_the_verifier},
    selfcost::{self, Misses},
    types::Types,
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
#[expect(missing_debug_implementations, reason = "aya's ring has none")]
pub struct Probes {
    ebpf: Ebpf,
    hooks: Vec<HookState>,
    orders: Orders,
    ring: Option<RingBuf<MapData>>,
    entry: Entry,
    preemptible: Option<bool>,
    notes: Vec<String>,
    /// What was counted while they were tested.
    before: Counters,
    misses_before: Misses,
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
        let (kernel, mut types, loader) = Kernel::read()?;
        let loaded = Self::load_as(options, &kernel, &mut types, loader, kernel.cast);
        let loaded = match (loaded, kernel.cast) {
            (Err(first), Some(_)) if is_of_the_verifier(&first) => {
                Self::load_copying(options, &kernel, &mut types, first)
            }
            (loaded, _) => loaded,
        };
        types.forget();
        loaded
    }

    /// Loads probes that copy what they know by its address only, as the others were refused.
    fn load_copying(
        options: &Options,
        kernel: &Kernel,
        types: &mut Types,
        refused: anyhow::Error,
    ) -> Result<Self> {
        match Self::load_as(options, kernel, types, EbpfLoader::new(), None) {
            Ok(mut probes) => {
                probes.notes.push(format!(
                    "fields are copied, which is dearer, since probes with bpf_rdonly_cast were \
                     refused: {}",
                    in_one_line(&refused)
                ));
                Ok(probes)
            }
            Err(error) => Err(refused.context(format!(
                "the probes are refused with bpf_rdonly_cast, and without it ({})",
                in_one_line(&error)
            ))),
        }
    }

    fn load_as(
        options: &Options,
        kernel: &Kernel,
        types: &mut Types,
        loader: EbpfLoader<'static>,
        cast: Option<Cast>,
    ) -> Result<Self> {
        let btf = types.get()?;
        let (offsets, bits) = (Plain(kernel.offsets), Plain(kernel.bits));
        let fixed = Plain(kernel.fixed(cast));
        let log_level = if options.verbose { 5u8 } else { 0 };
        let object = cast::link(OBJECT, cast, kernel.symbols)?;
        let mut loader: EbpfLoader<'_> = loader;
        let mut ebpf = loader
            .btf(Some(btf))
            .allow_unsupported_maps()
            .map_max_entries("RING", options.ring_bytes)
            .override_global("OFFSETS", &offsets, true)
            .override_global("BITS", &bits, true)
            .override_global("FIXED", &fixed, true)
            .override_global("AYA_LOG_LEVEL", &log_level, true)
            .load(&object)
            .map_err(explain)?;
        let mut choice = Choice::new(options.way, &mut ebpf, kernel, btf);
        let tp_btf_first = choice.order.first() == Some(&Kind::TpBtf);
        // What is likely to be attached: the kernel can have a function and refuse it.
        let likely = hooks::carry_out(|hook| kernel.look_for(hook));
        let first = |hook: &Hook| {
            let is_it = |state: &HookState| state.attached && state.hook.name == hook.name;
            likely.iter().any(is_it) && (tp_btf_first || !is_entry(hook.name))
        };
        let verified = verify(&mut ebpf, btf, first);
        let hooks = attach_plan(&mut ebpf, kernel, btf, verified)?;
        let mut orders = Orders::new(ebpf.map("CONTROL").context("no map CONTROL")?)?;
        orders.hooks_tell(told(&hooks));
        types.forget();
        let mut ring = ring(&ebpf)?;
        let entry = choice.attach(&object, &mut ebpf, types, &mut orders, &mut ring)?;
        let mut probes = Self {
            ebpf,
            hooks,
            orders,
            ring: Some(ring),
            entry,
            preemptible: choice.preemptible,
            notes: choice.notes,
            before: Counters::ZERO,
            misses_before: Misses::default(),
        };
        probes.before = probes.counters()?;
        probes.misses_before = probes.misses()?;
        Ok(probes)
    }

    /// What became of each hook of the plan.
    pub fn hooks(&self) -> &[HookState] {
        &self.hooks
    }

    /// How begins and ends of calls are seen.
    pub fn entry(&self) -> Kind {
        self.entry.kind
    }

    /// Can programs on `sys_enter` be preempted here? `None` if it was not measured.
    pub fn preemptible(&self) -> Option<bool> {
        self.preemptible
    }

    /// What did not go as it does on other kernels: ways that were refused, and why.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The loaded object, for `aya-log`.
    pub fn ebpf_mut(&mut self) -> &mut Ebpf {
        &mut self.ebpf
    }

    /// Tells the kernel side what to watch from now on.
    pub fn control(&mut self, control: Control) {
        self.orders.give(control);
    }

    /// Takes the ring out; it can be taken once.
    ///
    /// # Errors
    ///
    /// It was taken before.
    pub fn take_ring(&mut self) -> Result<RingBuf<MapData>> {
        self.ring.take().context("the ring was taken before")
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

    /// What the kernel side has counted of itself since it was loaded and tested.
    ///
    /// # Errors
    ///
    /// The map of counters cannot be read.
    pub fn counters(&self) -> Result<Counters> {
        let map = self.ebpf.map("COUNTERS").context("no map COUNTERS")?;
        let map = PerCpuArray::<_, Counters>::try_from(map)?;
        let mut sum = Counters::ZERO;
        for one in map.get(&0, 0)?.iter() {
            sum.add(one);
        }
        Ok(sum.since(&self.before))
    }

    /// What was settled quietly since the probes were loaded.
    ///
    /// # Errors
    ///
    /// The maps of sums and buckets cannot be read.
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

    /// What the programs cost, in ns, while the kernel measured it.
    ///
    /// # Errors
    ///
    /// /proc does not say.
    pub fn run_ns(&self) -> Result<u64> {
        selfcost::run_ns(self.programs())
    }

    /// Runs that the kernel skipped since the probes were loaded and tested, by hook.
    ///
    /// # Errors
    ///
    /// /proc does not say.
    pub fn misses(&self) -> Result<Misses> {
        Ok(Misses::read(self.programs())?.since(&self.misses_before))
    }

    /// Processes that made BPF map system calls while something was watched.
    ///
    /// # Errors
    ///
    /// The map cannot be read.
    pub fn bpf_users(&self) -> Result<Vec<(u32, BpfUser)>> {
        let name = "BPF_USERS_BY_PID";
        let map = self
            .ebpf
            .map(name)
            .with_context(|| format!("no map {name}"))?;
        let map = HashMap::<_, u32, BpfUser>::try_from(map)?;
        Ok(map.iter().collect::<Result<_, _>>()?)
    }

    /// The loaded programs: the hook that each is on, and its descriptor.
    fn programs(&self) -> impl Iterator<Item = (&str, RawFd)> {
        // Others are not loaded: this kernel has no such hook.
        let loaded = self.ebpf.programs().filter_map(|(name, program)| {
            let fd = program.fd().ok()?.as_fd().as_raw_fd();
            Some((entry::hook_of(name), fd))
        });
        let session = self.entry.session.iter();
        loaded.chain(session.map(|session| (Kind::Session.name(), session.program())))
    }
}

/// Newtype for globals: aya asks for `Pod` of the value itself.
#[derive(Clone, Copy)]
#[repr(transparent)]
struct Plain<T: Copy>(T);

// SAFETY: only used with `Offsets`, `Bits` and `Fixed`, which are plain memory themselves.
unsafe impl Pod for Plain<Offsets> {}
// SAFETY: as above.
unsafe impl Pod for Plain<Bits> {}
// SAFETY: as above.
unsafe impl Pod for Plain<Fixed> {}

pub(super) static OBJECT: &[u8] =
    aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/profiler-ebpf"));

/// The ring, by a descriptor of its own: the map has to stay with the others, as a session of
/// kprobes is loaded with them.
fn ring(ebpf: &Ebpf) -> Result<RingBuf<MapData>> {
    let Some(Map::RingBuf(map)) = ebpf.map("RING") else {
        bail!("no ring RING");
    };
    let map = MapData::from_fd(map.fd().as_fd().try_clone_to_owned()?)?;
    Ok(RingBuf::try_from(Map::RingBuf(map))?)
}

/// What the kernel said to programs, by their hook.
type Verified = collections::HashMap<&'static str, Result<()>>;

/// Hands programs to the kernel, which verifies each before it takes it: most of what a
/// start takes. They do not wait for each other there, so it is done on two CPUs.
fn verify(ebpf: &mut Ebpf, btf: &Btf, wanted: impl Fn(&Hook) -> bool) -> Verified {
    let wanted = PLAN.iter().filter(|hook| wanted(hook));
    let mut wanted: collections::HashMap<String, &Hook> =
        wanted.map(|hook| (hook.program(), hook)).collect();
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

/// Attaches all hooks of the plan but those that see calls.
fn attach_plan(
    ebpf: &mut Ebpf,
    kernel: &Kernel,
    btf: &Btf,
    mut verified: Verified,
) -> Result<Vec<HookState>> {
    let mut refused = None;
    let hooks = hooks::carry_out(|hook| {
        if is_entry(hook.name) {
            return Ok(());
        }
        let attached = match verified.remove(hook.name) {
            Some(result) => result,
            None => kernel
                .look_for(hook)
                .and_then(|()| verify_one(program(ebpf, &hook.program())?, hook, btf)),
        };
        let attached = attached.and_then(|()| attach(program(ebpf, &hook.program())?));
        match attached {
            Err(error) if hook.need == Need::Required && refused.is_none() => {
                refused = Some(error.context(format!(
                    "cannot attach to {}, without which {}",
                    hook.name, hook.without_it
                )));
                bail!("it is required")
            }
            attached => attached,
        }
    });
    refused.map_or(Ok(hooks), Err)
}

/// What the kernel side has to know of the hooks, as `CONTROL_*` bits.
fn told(hooks: &[HookState]) -> u32 {
    let is_attached = |name| {
        let mut hooks = hooks.iter();
        hooks.any(|state| state.attached && state.hook.name == name)
    };
    let starts = u32::from(is_attached("block_io_start")) * CONTROL_STARTS_TOLD;
    let ends = u32::from(is_attached("block_io_done")) * CONTROL_ENDS_TOLD;
    starts | ends
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
