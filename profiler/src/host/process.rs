//! What /proc says of a process.

use std::fs;

use profiler_common::calls;

/// `/proc/PID/io`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Io {
    /// Bytes returned by read calls.
    pub rchar: u64,
    /// Read calls.
    pub syscr: u64,
    /// Bytes asked of block devices.
    pub read_bytes: u64,
}

/// Counts of reads, of all its threads and of those that have ended; `None` if the
/// process is gone or not ours to ask.
pub fn io(pid: u32) -> Option<Io> {
    parse_io(&fs::read_to_string(format!("/proc/{pid}/io")).ok()?)
}

fn parse_io(text: &str) -> Option<Io> {
    let count = |key: &str| -> Option<u64> {
        let (_, value) = text
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(name, _)| *name == key)?;
        value.trim().parse().ok()
    };
    Some(Io {
        rchar: count("rchar")?,
        syscr: count("syscr")?,
        read_bytes: count("read_bytes")?,
    })
}

/// Major faults of all its threads (`/proc/PID/stat`).
pub fn major_faults(pid: u32) -> Option<u64> {
    parse_major_faults(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse_major_faults(stat: &str) -> Option<u64> {
    // The name is in parentheses and may hold anything; majflt is the 12th field, the
    // 10th after it.
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(9)?.parse().ok()
}

/// Time that its living threads were runnable and did not run, in ns; of all but the
/// first, which in the bundled reader only leads the others.
pub fn run_delay_ns(pid: u32) -> Option<u64> {
    let mut sum = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let path = thread.ok()?.path();
        if path.file_name().is_some_and(|tid| *tid == *pid.to_string()) {
            continue;
        }
        let path = path.join("schedstat");
        // A thread may end in between.
        if let Ok(text) = fs::read_to_string(path) {
            sum += text.split_ascii_whitespace().nth(1)?.parse::<u64>().ok()?;
        }
    }
    Some(sum)
}

/// Is none of its threads running or about to? Also if it is gone.
pub fn is_asleep(pid: u32) -> bool {
    threads(pid).iter().all(|tid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/task/{tid}/stat"));
        !stat.is_ok_and(|stat| state(&stat) == Some('R'))
    })
}

fn state(stat: &str) -> Option<char> {
    let (_, fields) = stat.rsplit_once(')')?;
    fields.trim_start().chars().next()
}

/// Name of a process, NUL-free, as the kernel has it.
pub fn comm(pid: u32) -> Option<String> {
    let bytes = fs::read(format!("/proc/{pid}/comm")).ok()?;
    Some(String::from_utf8_lossy(&bytes).trim_end().to_owned())
}

/// Is it a thread of the kernel's, which makes no system calls?
pub fn is_of_the_kernel(pid: u32) -> bool {
    /// `PF_KTHREAD` of linux/sched.h.
    const PF_KTHREAD: u64 = 0x0020_0000;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // After the name: state, ppid, pgrp, session, tty_nr, tpgid, flags.
    let flags = stat
        .rsplit_once(')')
        .and_then(|(_, fields)| fields.split_ascii_whitespace().nth(6)?.parse::<u64>().ok());
    flags.is_some_and(|flags| flags & PF_KTHREAD != 0)
}

/// The process that a thread belongs to, itself if it is the first of its threads.
pub fn process_of(tid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{tid}/status")).ok()?;
    let tgid = status.lines().find_map(|line| line.strip_prefix("Tgid:"))?;
    tgid.trim().parse().ok()
}

/// Ids of its threads, ascending; none if it is gone.
pub fn threads(pid: u32) -> Vec<u32> {
    let entries = fs::read_dir(format!("/proc/{pid}/task"));
    let mut threads: Vec<u32> = entries
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|thread| thread.file_name().to_str()?.parse().ok())
        .collect();
    threads.sort_unstable();
    threads
}

/// A thread that is in a call of the read family now: `(tid, descriptor, bytes)`.
pub fn threads_in_reads(pid: u32) -> Vec<(u32, u64, u64)> {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else {
        return Vec::new();
    };
    threads
        .flatten()
        .filter_map(|thread| {
            let tid = thread.file_name().to_str()?.parse().ok()?;
            let text = fs::read_to_string(thread.path().join("syscall")).ok()?;
            let mut words = text.split_ascii_whitespace();
            // A running thread shows the word "running".
            let number = words.next()?.parse().ok()?;
            let hex = |word: &str| u64::from_str_radix(word.trim_start_matches("0x"), 16).ok();
            let fd = hex(words.next()?)?;
            let bytes = hex(words.nth(1)?)?;
            calls::read_of_number(number).map(|_| (tid, fd, bytes))
        })
        .collect()
}

/// Resources that this process has used: CPU time in ns, and the most memory it had at
/// once in bytes.
///
/// Not `ru_maxrss`, which begins with the size of whatever called exec here.
pub fn own_cost() -> (u64, u64) {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF);
    let Ok(usage) = usage else { return (0, 0) };
    let ns = |time: nix::sys::time::TimeVal| {
        time.tv_sec() as u64 * 1_000_000_000 + time.tv_usec() as u64 * 1_000
    };
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    (
        ns(usage.user_time()) + ns(usage.system_time()),
        parse_most_memory(&status).unwrap_or(0),
    )
}

fn parse_most_memory(status: &str) -> Option<u64> {
    let mut lines = status.lines();
    let size = lines.find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = size.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn io_is_read_by_name() {
        let text = "rchar: 10\nwchar: 1\nsyscr: 3\nsyscw: 1\nread_bytes: 4096\nwrite_bytes: 0\n";
        assert_eq!(
            parse_io(text),
            Some(Io {
                rchar: 10,
                syscr: 3,
                read_bytes: 4096
            })
        );
        assert_eq!(parse_io("rchar: 10\n"), None);
    }

    #[test]
    fn the_most_memory_is_in_bytes() {
        let status = "Name:\ta\nVmPeak:\t  9000 kB\nVmHWM:\t    1234 kB\nVmRSS:\t 12 kB\n";
        assert_eq!(parse_most_memory(status), Some(1234 * 1024));
        assert_eq!(parse_most_memory("Name:\ta\n"), None);
        assert!(own_cost().1 > 0);
    }

    #[test]
    fn a_name_does_not_move_the_fields() {
        let stat = "7 (a) 1 (b c) S 1 7 7 0 -1 4194304 100 200 3 4 5 6";
        assert_eq!(parse_major_faults(stat), Some(3));
        assert_eq!(parse_major_faults("7 (a"), None);
        assert_eq!(state(stat), Some('S'));
        assert_eq!(state("7 (a"), None);
    }

    #[test]
    fn this_process_can_be_asked_about() {
        assert!(major_faults(std::process::id()).is_some());
        assert!(io(std::process::id()).is_some());
        assert!(run_delay_ns(std::process::id()).is_some());
        assert!(comm(std::process::id()).is_some());
        // At least this thread runs.
        assert!(!is_asleep(std::process::id()));
    }
}
