//! The loaded programs and their maps.

use std::{collections::HashMap, sync::Mutex, thread};

use anyhow::{Context as _, Result, anyhow, bail};
use aya::{
    Btf, Ebpf, EbpfLoader, Pod,
    maps::{Array, MapData, PerCpuArray, RingBuf, StackTraceMap},
    programs::{BtfTracePoint, Program},
};
use profiler_common::{
    control::{Control, Fixed, Offsets},
    counter::Counters,
    histogram::{BUCKETS, CLASSES, Settled},
};

use super::{
    ProgramCost,
    cast::{self, Cast},
    hooks::{Hook, HookState, Need, PLAN},
    kernel::Kernel,
};

/// What can be chosen about loading.
#[derive(Clone, Debug)]
pub struct Options {
    /// Size of the ring in bytes: a power of two, and a multiple of the page size.
    pub ring_bytes: u32,
    /// Let the kernel side say what it does (`aya-log`).
    pub verbose: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ring_bytes: 16 << 20,
            verbose: false,
        }
    }
}

/// The probes, in the kernel. Dropping it takes them out again.
#[derive(Debug)]
pub struct Probes {
    ebpf: Ebpf,
    hooks: Vec<HookState>,
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
        let mut loader: EbpfLoader<'_> = loader;
        let mut ebpf = loader
            .btf(Some(btf))
            .allow_unsupported_maps()
            .map_max_entries("RING", options.ring_bytes)
            .override_global("OFFSETS", &offsets, true)
            .override_global("FIXED", &fixed, true)
            .override_global("AYA_LOG_LEVEL", &log_level, true)
            .load(&cast::link(OBJECT, cast)?)
            .map_err(explain)?;
        let first = |hook: &Hook| kernel.has(hook) && !matches!(hook.need, Need::Instead(_));
        let mut verified = verify(&mut ebpf, btf, first);
        let mut hooks: Vec<HookState> = Vec::with_capacity(PLAN.len());
        for hook in PLAN {
            if let Need::Instead(of) = hook.need
                && hooks
                    .iter()
                    .any(|other| other.hook.name == of && other.attached)
            {
                continue;
            }
            let verified = match verified.remove(hook.name) {
                Some(result) => result,
                None if kernel.has(&hook) => verify_one(program(&mut ebpf, hook.name)?, &hook, btf),
                None => Err(anyhow!("this kernel has no tracepoint {}", hook.name)),
            };
            let result = verified.and_then(|()| attach(&mut ebpf, hook.name));
            if let Err(error) = &result
                && hook.need == Need::Required
            {
                bail!(
                    "cannot attach to {}, without which {}: {error:#}",
                    hook.name,
                    hook.without_it
                );
            }
            hooks.push(HookState {
                hook,
                attached: result.is_ok(),
                reason: result.err().map(|error| format!("{error:#}")),
            });
        }
        Ok(Self { ebpf, hooks })
    }

    /// What became of each hook of the plan.
    pub fn hooks(&self) -> &[HookState] {
        &self.hooks
    }

    /// How begins and ends of calls are observed.
    pub fn entry(&self) -> &'static str {
        "tp_btf"
    }

    /// The loaded object, for `aya-log`.
    pub fn ebpf_mut(&mut self) -> &mut Ebpf {
        &mut self.ebpf
    }

    /// Tells the kernel side what to watch from now on.
    pub fn control(&mut self, control: Control) -> Result<()> {
        let map = self.ebpf.map_mut("CONTROL").context("no map CONTROL")?;
        let mut map = Array::<_, Control>::try_from(map)?;
        map.set(0, control, 0)
            .context("cannot tell the probes what to watch")
    }

    /// Takes the ring out; it can be taken once.
    pub fn take_ring(&mut self) -> Result<RingBuf<MapData>> {
        let map = self
            .ebpf
            .take_map("RING")
            .context("the ring was taken before")?;
        Ok(RingBuf::try_from(map)?)
    }

    /// Takes the stacks out; they can be taken once.
    pub fn take_stacks(&mut self) -> Result<StackTraceMap<MapData>> {
        let map = self
            .ebpf
            .take_map("STACKS")
            .context("the stacks were taken before")?;
        Ok(StackTraceMap::try_from(map)?)
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
        ProgramCost::read(&self.ebpf)
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
    let mut wanted: HashMap<&str, &Hook> = wanted.map(|hook| (hook.name, hook)).collect();
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
    let program: &mut BtfTracePoint = program.try_into()?;
    Ok(program.load(hook.name, btf)?)
}

fn attach(ebpf: &mut Ebpf, name: &str) -> Result<()> {
    let program: &mut BtfTracePoint = program(ebpf, name)?.try_into()?;
    program.attach()?;
    Ok(())
}

fn program<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut Program> {
    ebpf.program_mut(name)
        .with_context(|| format!("no program {name}"))
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
