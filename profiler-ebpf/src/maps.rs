//! Everything that is shared with the collector or between probes.

use core::ptr::NonNull;

use aya_ebpf::{
    bindings::{BPF_F_MMAPABLE, BPF_F_NO_PREALLOC, BPF_LOCAL_STORAGE_GET_F_CREATE, bpf_map_type},
    btf_maps::{HashMap, RingBuf, StackTrace},
    helpers::generated::bpf_task_storage_get,
    macros::{btf_map, map},
    maps::{Array, PerCpuArray},
};
use profiler_common::{
    bpf_user::{BPF_USERS, BpfUser},
    calls::{Entry, NUMBERS},
    control::{Control, Fixed, STACK_FRAMES, STACKS},
    counter::Counters,
    fact::RequestFacts,
    fields::{Bits, Offsets},
    histogram::{BUCKETS, CLASSES, Settled},
};

use crate::{
    kernel::Task,
    thread::{Sleeper, State, Thread},
};

/// Field offsets of the running kernel; set and frozen by the loader.
#[unsafe(no_mangle)]
pub(crate) static OFFSETS: Offsets = Offsets::ABSENT;

/// Bits of its words; set and frozen by the loader.
#[unsafe(no_mangle)]
pub(crate) static BITS: Bits = Bits::ABSENT;

/// What is fixed for the session; set and frozen by the loader.
#[unsafe(no_mangle)]
pub(crate) static FIXED: Fixed = Fixed {
    self_pid: 0,
    calls: [0; NUMBERS],
    page_shift: 0,
    o_direct: 0,
    type_word: 0,
    type_file: 0,
};

/// Reads a constant of the session; the verifier knows its value.
macro_rules! constant {
    ($from:ident $(. $field:ident)+) => {{
        // SAFETY: a live static; volatile because the loader changes what the
        // compiler sees.
        unsafe { core::ptr::read_volatile(&raw const $crate::maps::$from$(.$field)+) }
    }};
}
pub(crate) use constant;

/// Which of the calls that the probes know a system call is, by its number.
#[inline(always)]
pub(crate) fn call(number: u64) -> Entry {
    let calls = (&raw const FIXED.calls).cast::<u8>();
    if number as usize >= NUMBERS {
        return Entry::NONE;
    }
    // SAFETY: within the table; volatile because the loader changes what the compiler sees.
    Entry(unsafe { core::ptr::read_volatile(calls.add(number as usize)) })
}

/// Facts on their way to the collector. The size is set by the loader.
#[btf_map]
pub(crate) static RING: RingBuf<u8, { 16 << 20 }> = RingBuf::new();

/// State of the watched threads. Freed by the kernel with its thread, so a reused
/// thread id never meets an old state.
#[btf_map]
static THREADS: TaskStorage<State> = TaskStorage::new();

/// One byte for each process id that ends in these bits: was a process of that id ever
/// watched? A thread has no state unless the byte of its process is set, and reading it
/// costs no helper call: so a probe leaves unwatched processes alone after three loads. A
/// byte is never cleared; that an id comes back costs its new owner the look-up, no more.
#[map]
static EVER_WATCHED: Array<[u8; EVER_WATCHED_IDS]> = Array::with_max_entries(1, 0);
const EVER_WATCHED_IDS: usize = 1 << 16;

/// Requests between submission and the end of their accounting, by address. An
/// address belongs to one tag of one queue, so there are at most as many live
/// entries as the devices have tags; one that was left behind is overwritten when
/// its tag is used again. All of it is there from the start (1.5 MiB): to take memory for
/// each entry made a request 90 ns dearer.
#[btf_map]
pub(crate) static REQUESTS: HashMap<u64, Submission, 16384, 0> = HashMap::new();

/// Kernel stacks by id: only for their ids.
#[btf_map]
pub(crate) static STACK_IDS: StackTrace<{ STACKS }, 0, { STACK_FRAMES }> = StackTrace::new();

/// Their frames, where the collector can read them without a system call.
#[map]
pub(crate) static FRAMES: Array<[u64; STACK_FRAMES]> =
    Array::with_max_entries(STACKS as u32, BPF_F_MMAPABLE);

/// What is being completed on each CPU.
#[map]
pub(crate) static COMPLETING: PerCpuArray<Completing> = PerCpuArray::with_max_entries(1, 0);

#[map]
pub(crate) static COUNTERS: PerCpuArray<Counters> = PerCpuArray::with_max_entries(1, 0);

/// Quiet calls: one number a class and bucket.
#[map]
pub(crate) static HISTOGRAM: PerCpuArray<u64> =
    PerCpuArray::with_max_entries((CLASSES * BUCKETS) as u32, 0);

/// Quiet calls: sums a class.
#[map]
pub(crate) static SETTLED: PerCpuArray<Settled> = PerCpuArray::with_max_entries(CLASSES as u32, 0);

/// Runs of [`crate::probes`]' test of preemption: all, and those that could be preempted.
#[map]
pub(crate) static PREEMPTIBLE: Array<[u64; 2]> = Array::with_max_entries(1, 0);

/// Who makes BPF map system calls, by process. Full, it takes no more.
#[btf_map]
pub(crate) static BPF_USERS_BY_PID: HashMap<u32, BpfUser, { BPF_USERS }, 0> = HashMap::new();

#[map]
static CONTROL: Array<Control> = Array::with_max_entries(1, BPF_F_MMAPABLE);

/// What the collector asked for.
#[inline(always)]
pub(crate) fn control() -> Control {
    CONTROL.get(0).copied().unwrap_or_default()
}

/// A request as its submitter left it.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Submission {
    pub submitted_ns: u64,
    pub issued_ns: u64,
    /// The operation that submitted it, and when that began; 0: no watched one.
    pub op: u64,
    pub call_ns: u64,
    pub tid: u32,
    pub pid: u32,
    pub flags: u32,
    pub unused: u32,
    pub comm: [u8; 16],
}

/// Completions in progress on one CPU, innermost last. An interrupt that completes
/// a request can come in the middle of another completion.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Completing {
    pub depth: u32,
    pub unused: u32,
    pub slots: [Completion; Completing::DEPTH],
}

impl Completing {
    pub(crate) const DEPTH: usize = 4;
}

/// One of them.
#[repr(C)]
#[derive(Clone, Copy)]
pub(crate) struct Completion {
    pub request: u64,
    /// Task that was current: a wake-up by another task is not part of this.
    pub tid: u32,
    pub unused: u32,
    pub facts: RequestFacts,
}

/// A map that keeps one `T` with each task. aya has no type for it: this is the
/// definition that the loader reads from BTF, like those in `aya_ebpf::btf_maps`.
#[repr(C)]
struct TaskStorage<T> {
    r#type: *const [i32; bpf_map_type::BPF_MAP_TYPE_TASK_STORAGE as usize],
    key: *const i32,
    value: *const T,
    max_entries: *const [i32; 0],
    map_flags: *const [i32; BPF_F_NO_PREALLOC as usize],
}

// SAFETY: the pointers are never followed; the kernel serialises what they describe.
unsafe impl<T> Sync for TaskStorage<T> {}

impl<T> TaskStorage<T> {
    const fn new() -> Self {
        Self {
            r#type: core::ptr::null(),
            key: core::ptr::null(),
            value: core::ptr::null(),
            max_entries: core::ptr::null(),
            map_flags: core::ptr::null(),
        }
    }

    /// The task's value; null where it has none.
    #[inline(always)]
    fn get(&'static self, task: Task, flags: u64) -> *mut T {
        // SAFETY: a task that the verifier trusts (a tracepoint argument or the
        // current task), the map stands in BTF, a null value means zeroes.
        unsafe {
            bpf_task_storage_get(
                (&raw const *self).cast_mut().cast(),
                task.as_ptr().cast_mut().cast(),
                core::ptr::null_mut(),
                flags,
            )
            .cast()
        }
    }
}

/// State of a thread, if it is watched: of the current task, or of one that is switched out or in
/// on this CPU.
#[inline(always)]
pub(crate) fn thread(task: Task) -> Option<Thread> {
    // SAFETY: a live state; where the task is, is the caller's to know.
    state(task).map(|state| unsafe { Thread::new(state) })
}

/// State of a thread that is woken, if it is watched.
#[inline(always)]
pub(crate) fn sleeper(task: Task) -> Option<Sleeper> {
    // SAFETY: a live state.
    state(task).map(|state| unsafe { Sleeper::new(state) })
}

#[inline(always)]
fn state(task: Task) -> Option<NonNull<State>> {
    if !ever_watched(task.pid()) {
        return None;
    }
    NonNull::new(THREADS.get(task, 0))
}

/// State of a thread that is watched from now on: as [`thread`], or of one that has not run yet.
#[inline(always)]
pub(crate) fn new_thread(task: Task) -> Option<Thread> {
    let byte = EVER_WATCHED.get_ptr_mut(0)?;
    // SAFETY: within the array. Whoever else writes it writes the same.
    unsafe { *byte.cast::<u8>().add(its_byte(task.pid())) = 1 };
    let state = NonNull::new(THREADS.get(task, BPF_LOCAL_STORAGE_GET_F_CREATE.into()));
    // SAFETY: as in `thread`.
    state.map(|state| unsafe { Thread::new(state) })
}

#[inline(always)]
fn ever_watched(pid: u32) -> bool {
    let Some(bytes) = EVER_WATCHED.get_ptr(0) else {
        return false;
    };
    // SAFETY: within the array; volatile because other CPUs write it.
    unsafe { core::ptr::read_volatile(bytes.cast::<u8>().add(its_byte(pid))) != 0 }
}

#[inline(always)]
fn its_byte(pid: u32) -> usize {
    pid as usize & (EVER_WATCHED_IDS - 1)
}
