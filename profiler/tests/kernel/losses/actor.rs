//! Processes that come to a bad end, or read as fast as they can: this test program,
//! started [`again`] with [`WORD`].

use std::{
    fs::{self, File, OpenOptions},
    os::{
        fd::AsRawFd as _,
        unix::{fs::FileExt as _, fs::OpenOptionsExt as _, process::CommandExt as _},
    },
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use rustix::fs::{Advice, fadvise};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{ids, maps};
use crate::{
    again,
    player::{Op, now, tid},
};

pub(crate) const WORD: &str = "profiler-test-actor";

/// What it does.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Act {
    /// One thread on each CPU reads for so long, with a pause after each read. Records
    /// how many reads they made.
    Busy {
        path: PathBuf,
        cpus: Vec<usize>,
        ms: u64,
        pause_us: u64,
    },
    /// Reads in bursts beside a thread that reads a slow file. Records the latter's reads.
    Flood {
        path: PathBuf,
        slow: PathBuf,
        reads: u64,
        block: usize,
    },
    /// Threads that each read what does not come: the standard input, or a slow file.
    /// Once it is told to, the process ends, by itself.
    Blocked {
        path: Option<PathBuf>,
        direct: bool,
        threads: u64,
    },
    /// A thread blocks in a read; once it is told to, another one becomes this command.
    Exec {
        leader_blocks: bool,
        command: Vec<String>,
    },
    /// Updates a BPF map until it is ended.
    Maps,
    /// Makes so many 32-bit reads, which the probes do not see.
    Missed { path: PathBuf, reads: u64 },
    /// Threads, and then processes, that get the id of one that has just ended. Records
    /// what they read.
    Reuse {
        one: PathBuf,
        other: PathBuf,
        threads: u64,
        processes: u64,
    },
}

/// An act, and where the actor and its test leave each other signs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Actor {
    act: Act,
    sign: PathBuf,
}

impl Actor {
    /// Leaves its signs in a folder of its own.
    pub(super) fn new(act: Act, folder: &Path) -> Self {
        let sign = folder.join("actor");
        Self { act, sign }
    }

    pub(super) fn command(&self) -> Vec<String> {
        again::command(WORD, self)
    }

    /// Waits until it has begun; its process id.
    pub(super) fn wait_pid(&self) -> u32 {
        let text = || fs::read_to_string(self.sign.with_extension("pid")).unwrap_or_default();
        super::until("the actor has begun", || !text().is_empty());
        text().parse().expect("a process id")
    }

    /// Tells it to go on.
    pub(super) fn go(&self) {
        fs::write(self.sign.with_extension("go"), "").expect("a sign");
    }

    pub(super) fn record<T: DeserializeOwned>(&self) -> T {
        again::read(&self.sign.with_extension("record"))
    }

    fn wait_go(&self) {
        while !self.sign.with_extension("go").exists() {
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn write<T: Serialize>(&self, record: &T) {
        again::write(&self.sign.with_extension("record"), record);
    }

    fn play(&self) {
        let pid = self.sign.with_extension("pid");
        // Renamed, so that whoever finds it finds all of it.
        let begun = pid.with_extension("begun");
        fs::write(&begun, std::process::id().to_string()).expect("a sign");
        fs::rename(&begun, &pid).expect("a sign");
        match &self.act {
            Act::Busy {
                path,
                cpus,
                ms,
                pause_us,
            } => self.write(&busy(path, cpus, *ms, *pause_us)),
            Act::Flood {
                path,
                slow,
                reads,
                block,
            } => self.write(&flood(path, slow, *reads, *block)),
            Act::Blocked {
                path,
                direct,
                threads,
            } => {
                for n in 0..*threads {
                    let file = path.as_deref().map(|path| open(path, *direct));
                    thread::spawn(move || blocked(file.as_ref(), n));
                }
                self.wait_go();
            }
            Act::Exec {
                leader_blocks,
                command,
            } => {
                let (actor, command) = (self.clone(), command.clone());
                let exec = move || {
                    actor.wait_go();
                    let error = Command::new(&command[0]).args(&command[1..]).exec();
                    panic!("{error}");
                };
                if *leader_blocks {
                    thread::spawn(exec);
                    blocked(None, 0);
                } else {
                    thread::spawn(|| blocked(None, 0));
                    exec();
                }
            }
            Act::Maps => maps::update_for_ever(),
            Act::Missed { path, reads } => {
                let file = open(path, false);
                for _ in 0..*reads {
                    assert!(maps::read_32_bit(file.as_raw_fd()) > 0);
                }
            }
            Act::Reuse {
                one,
                other,
                threads,
                processes,
            } => {
                let mut reads = ids::threads(one, other, *threads);
                reads.extend(ids::processes(other, *processes));
                self.write(&reads);
            }
        }
    }
}

pub(crate) fn play(actor: &Actor) {
    actor.play();
    // All its threads, whatever they do.
    // SAFETY: ends the process, which has nothing to clean up.
    unsafe { libc::_exit(0) };
}

pub(super) fn open(path: &Path, direct: bool) -> File {
    let flags = if direct { libc::O_DIRECT } else { 0 };
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(flags);
    options.open(path).expect("the file")
}

/// As `O_DIRECT` wants it.
#[repr(align(4096))]
pub(super) struct Page(pub(super) [u8; 4096]);

/// Reads what does not come.
fn blocked(file: Option<&File>, n: u64) {
    let mut page = Page([0; 4096]);
    let (fd, at) = match file {
        Some(file) => (file.as_raw_fd(), (n << 20) as libc::off_t),
        None => (0, 0),
    };
    // SAFETY: an open descriptor and a live buffer.
    unsafe {
        match file {
            Some(_) => libc::pread(fd, page.0.as_mut_ptr().cast(), page.0.len(), at),
            None => libc::read(fd, page.0.as_mut_ptr().cast(), page.0.len()),
        }
    };
    thread::sleep(Duration::from_secs(600));
}

fn busy(path: &Path, cpus: &[usize], ms: u64, pause_us: u64) -> u64 {
    let end = Instant::now() + Duration::from_millis(ms);
    let readers: Vec<_> = cpus
        .iter()
        .map(|&cpu| {
            let file = open(path, false);
            thread::spawn(move || {
                let mut set = nix::sched::CpuSet::new();
                set.set(cpu).expect("a CPU");
                nix::sched::sched_setaffinity(nix::unistd::Pid::from_raw(0), &set)
                    .expect("to be pinned");
                let mut reads = 0;
                while Instant::now() < end {
                    for n in 0..if pause_us == 0 { 64 } else { 1 } {
                        let block = file.read_at(&mut [0; 512], n * 512);
                        assert_eq!(block.expect("a block"), 512);
                        reads += 1;
                    }
                    if pause_us > 0 {
                        thread::sleep(Duration::from_micros(pause_us));
                    }
                }
                reads
            })
        })
        .collect();
    let reads = readers.into_iter().map(|reader| reader.join());
    reads
        .map(|reads| reads.expect("no panic there"))
        .sum::<u64>()
}

fn flood(path: &Path, slow: &Path, reads: u64, block: usize) -> Vec<Op> {
    static OVER: AtomicBool = AtomicBool::new(false);
    let file = open(path, false);
    let burst = move || {
        while !OVER.load(Ordering::Relaxed) {
            for n in 0..60 {
                file.read_at(&mut [0; 512], n * 512).expect("a block");
            }
            thread::sleep(Duration::from_millis(1));
        }
    };
    let burst = thread::spawn(burst);
    let slow = open(slow, false);
    let size = slow.metadata().expect("its size").len();
    let mut buffer = vec![0; block];
    let op = |n| {
        let offset = n * 2 * block as u64 % size;
        fadvise(&slow, 0, None, Advice::DontNeed).expect("advice");
        let start_ns = now();
        let bytes = slow.read_at(&mut buffer, offset).expect("a block");
        Op {
            tid: tid(),
            offset,
            returned: bytes as i64,
            start_ns,
            end_ns: now(),
        }
    };
    let ops = (0..reads).map(op).collect();
    OVER.store(true, Ordering::Relaxed);
    burst.join().expect("no panic there");
    ops
}
