//! A program to be watched: this test program, started [`again`] with [`WORD`].
//!
//! It keeps a record of its reads, as the bundled reader does, and
//! talks with the test through a socket and `recv`, which is no call of the read family.

use std::{
    fs::{self, File, OpenOptions},
    io::Read as _,
    os::{
        fd::{AsRawFd as _, FromRawFd as _},
        unix::fs::{FileExt as _, OpenOptionsExt as _},
    },
    path::{Path, PathBuf},
    process::Command,
    sync::Barrier,
    thread,
    time::Duration,
};

pub(crate) use profiler::lab::rig::now;
use profiler::lab::rig::prefer;
use serde::{Deserialize, Serialize};

use crate::again;

pub(crate) const WORD: &str = "profiler-test-player";

/// One read as its caller saw it. Times are of `CLOCK_MONOTONIC`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Op {
    pub tid: u32,
    pub offset: u64,
    /// Bytes, or a negative errno.
    pub returned: i64,
    pub start_ns: u64,
    pub end_ns: u64,
}

impl Op {
    pub(crate) fn ns(&self) -> u64 {
        self.end_ns - self.start_ns
    }
}

/// What it is told to do, in one word on its command line.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Script {
    /// Where its record goes.
    pub record: PathBuf,
    /// The file to read; none: its standard input, to its end.
    pub path: Option<PathBuf>,
    pub block: u32,
    pub offset: u64,
    pub stride: u64,
    pub count: u64,
    pub direct: bool,
    /// Advise random: no readahead.
    pub random: bool,
    /// Ask for the block (`POSIX_FADV_WILLNEED`) before it is read.
    pub ahead: bool,
    /// Wait for a word on the standard input before each read, and answer after it.
    pub lockstep: bool,
    /// Run before all that has no fixed priority, so that only what is injected is in
    /// its way. Not every machine lets it.
    pub urgent: bool,
    /// Run on this CPU only, and before others.
    pub cpu: Option<usize>,
    /// Join these cgroups first.
    pub cgroups: Vec<PathBuf>,
    /// Read through a mapping: one byte of each block.
    pub mapped: bool,
    /// Do it from so many threads at once, which take turns at the blocks.
    pub parallel: u32,
    /// Do it from so many threads, one after the other, each for one read.
    pub threads: u32,
    /// Do it from so many processes, one after the other.
    pub processes: u32,
    /// Keep reading the same blocks until the standard input ends.
    pub endless: bool,
}

impl Script {
    /// `O_DIRECT` reads of one block after the other, with its signs in a folder.
    pub(crate) fn direct(folder: &Path, path: PathBuf) -> Self {
        Self {
            record: folder.join("ops"),
            path: Some(path),
            block: 4096,
            stride: 4096,
            direct: true,
            ..Self::default()
        }
    }

    /// The same again and again, from four threads.
    pub(crate) fn endless(folder: &Path, path: PathBuf) -> Self {
        Self {
            count: 500,
            endless: true,
            ..Self::direct(folder, path)
        }
    }

    /// The command that plays it.
    pub(crate) fn command(&self) -> Vec<String> {
        again::command(WORD, self)
    }

    fn ready(&self) -> PathBuf {
        self.record.with_extension("ready")
    }

    /// Waits until the player is about to read.
    pub(crate) fn wait_ready(&self) {
        let end = std::time::Instant::now() + Duration::from_secs(60);
        while !self.ready().exists() {
            assert!(std::time::Instant::now() < end, "the player never started");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// What the player recorded.
    pub(crate) fn ops(&self) -> Vec<Op> {
        again::read(&self.record)
    }
}

pub(crate) fn play(script: &Script) {
    if script.urgent {
        let _ = prefer(1);
    }
    // Before it joins a cgroup: what that counts of its tasks may be a mean over CPUs.
    if let Some(cpu) = script.cpu {
        pin(cpu, 1);
    }
    for cgroup in &script.cgroups {
        fs::write(cgroup.join("cgroup.procs"), std::process::id().to_string()).expect("a cgroup");
    }
    fs::write(script.ready(), "").expect("a sign");
    let ops = match &script.path {
        None => stream(script),
        Some(_) if script.processes > 0 => processes(script),
        Some(path) if script.threads > 0 => {
            let one = |n| {
                let (script, path) = (script.clone(), path.clone());
                let work = move || reads(&script, &path, n..n + 1);
                thread::spawn(work).join().expect("a thread")
            };
            (0..u64::from(script.threads)).flat_map(one).collect()
        }
        Some(path) if script.endless => return endless(script, path),
        Some(path) if script.parallel > 0 => parallel(script, path),
        Some(path) if script.mapped => touches(script, path),
        Some(path) => reads(script, path, 0..script.count),
    };
    again::write(&script.record, &ops);
}

/// On one CPU only, and by a fixed priority.
pub(crate) fn pin(cpu: usize, priority: i32) {
    let mut set = nix::sched::CpuSet::new();
    set.set(cpu).expect("a CPU");
    nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(0), &set).expect("to be pinned");
    prefer(priority).expect("a fixed priority");
}

fn open(script: &Script, path: &Path) -> File {
    let flags = if script.direct { libc::O_DIRECT } else { 0 };
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(path)
        .expect("the file");
    if script.random {
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::Random).expect("advice");
    }
    file
}

fn reads(script: &Script, path: &Path, blocks: impl Iterator<Item = u64>) -> Vec<Op> {
    let file = open(script, path);
    // As `O_DIRECT` wants it.
    let mut room = vec![0; script.block as usize + 4096];
    let aligned = room.as_ptr().align_offset(4096);
    let buffer = &mut room[aligned..][..script.block as usize];
    let mut ops = Vec::with_capacity(script.count as usize);
    for n in blocks {
        let offset = script.offset + n * script.stride;
        if script.lockstep {
            wait();
        }
        if script.ahead {
            let length = std::num::NonZeroU64::new(script.block.into());
            rustix::fs::fadvise(&file, offset, length, rustix::fs::Advice::WillNeed)
                .expect("advice");
        }
        let start_ns = now();
        let result = file.read_at(buffer, offset);
        let end_ns = now();
        ops.push(Op {
            tid: tid(),
            offset,
            returned: returned(&result),
            start_ns,
            end_ns,
        });
        if script.lockstep {
            answer();
        }
    }
    ops
}

/// Threads that read at once. They keep their thread until all have read, so that no id
/// is given twice.
fn parallel(script: &Script, path: &Path) -> Vec<Op> {
    let threads = u64::from(script.parallel);
    let together = Barrier::new(threads as usize);
    let work = |thread| {
        let (script, together) = (script, &together);
        move || {
            if script.urgent {
                let _ = prefer(1);
            }
            together.wait();
            let turns = (0..script.count).filter(|n| n % threads == thread);
            let ops = reads(script, path, turns);
            together.wait();
            ops
        }
    };
    thread::scope(|scope| {
        let all: Vec<_> = (0..threads).map(|n| scope.spawn(work(n))).collect();
        let ended = all.into_iter().map(|thread| thread.join());
        ended.flat_map(|ops| ops.expect("a thread")).collect()
    })
}

/// Reads a byte of each block through a mapping.
fn touches(script: &Script, path: &Path) -> Vec<Op> {
    let file = open(script, path);
    let length = (script.offset + script.count * script.stride) as usize;
    let protection = rustix::mm::ProtFlags::READ;
    let flags = rustix::mm::MapFlags::SHARED;
    // SAFETY: a fresh mapping, which nothing else uses.
    let start = unsafe {
        let start = rustix::mm::mmap(std::ptr::null_mut(), length, protection, flags, &file, 0)
            .expect("a mapping");
        rustix::mm::madvise(start, length, rustix::mm::Advice::Random).expect("advice");
        start.cast::<u8>()
    };
    let touch = |n| {
        let offset = script.offset + n * script.stride;
        let start_ns = now();
        // SAFETY: inside of the mapping, and of the file.
        unsafe { start.add(offset as usize).read_volatile() };
        Op {
            tid: tid(),
            offset,
            returned: 1,
            start_ns,
            end_ns: now(),
        }
    };
    (0..script.count).map(touch).collect()
}

pub(crate) fn tid() -> u32 {
    rustix::thread::gettid().as_raw_nonzero().get() as u32
}

fn returned(result: &std::io::Result<usize>) -> i64 {
    match result {
        Ok(bytes) => *bytes as i64,
        Err(error) => -i64::from(error.raw_os_error().unwrap_or(0)),
    }
}

fn stream(script: &Script) -> Vec<Op> {
    // SAFETY: the standard input, which nothing else here uses.
    let mut file = unsafe { File::from_raw_fd(0) };
    let mut buffer = vec![0; script.block as usize];
    let mut ops: Vec<Op> = Vec::new();
    loop {
        let start_ns = now();
        let result = file.read(&mut buffer);
        let end_ns = now();
        ops.push(Op {
            tid: tid(),
            offset: 0,
            returned: returned(&result),
            start_ns,
            end_ns,
        });
        if ops.last().is_none_or(|op| op.returned <= 0) {
            return ops;
        }
    }
}

fn processes(script: &Script) -> Vec<Op> {
    let mut all = Vec::new();
    for n in 0..u64::from(script.processes) {
        let one = Script {
            processes: 0,
            count: 1,
            offset: script.offset + n * script.stride,
            ..script.clone()
        };
        let command = one.command();
        let status = Command::new(&command[0]).args(&command[1..]).status();
        assert!(status.expect("a process").success());
        // By mmap, not by read: this process is watched too.
        all.extend(one.mapped_ops());
    }
    all
}

impl Script {
    fn mapped_ops(&self) -> Vec<Op> {
        let file = File::open(&self.record).expect("the record");
        let len = file.metadata().expect("its size").len() as usize;
        // SAFETY: a fresh mapping, of a file that nobody changes any more.
        let text = unsafe {
            let address = libc::mmap(
                std::ptr::null_mut(),
                len,
                libc::PROT_READ,
                libc::MAP_PRIVATE | libc::MAP_POPULATE,
                file.as_raw_fd(),
                0,
            );
            assert_ne!(address, libc::MAP_FAILED);
            std::slice::from_raw_parts(address.cast::<u8>(), len)
        };
        serde_json::from_slice(text).expect("a list of ops")
    }
}

fn endless(script: &Script, path: &Path) {
    for n in 0..u64::from(script.block.max(1)).min(4) {
        let (script, path) = (script.clone(), path.to_owned());
        thread::spawn(move || {
            loop {
                reads(&script, &path, n..n + script.count);
            }
        });
    }
    wait();
}

/// Waits for a word of the test; ends when the test has.
fn wait() {
    let mut word = [0; 1];
    // SAFETY: the standard input is the test's socket, the buffer is one byte long.
    let got = unsafe { libc::recv(0, word.as_mut_ptr().cast(), 1, 0) };
    if got != 1 {
        std::process::exit(0);
    }
}

fn answer() {
    // SAFETY: as above.
    unsafe { libc::send(0, [b'd'].as_ptr().cast(), 1, libc::MSG_NOSIGNAL) };
}

/// The test's end of a player's standard input.
pub(crate) struct Baton(std::os::unix::net::UnixStream);

impl Baton {
    pub(crate) fn pair() -> (Self, std::process::Stdio) {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().expect("a pair of sockets");
        ours.set_read_timeout(Some(Duration::from_secs(60)))
            .expect("a time limit");
        (Self(ours), std::os::fd::OwnedFd::from(theirs).into())
    }

    /// Lets the player do its next read.
    pub(crate) fn go(&mut self) {
        std::io::Write::write_all(&mut self.0, b"g").expect("the player listens");
    }

    /// Waits until it has done it.
    pub(crate) fn done(&mut self) {
        self.0.read_exact(&mut [0]).expect("the player answers");
    }
}
