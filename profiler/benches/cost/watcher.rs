//! What can be used to see what reads cost, each started as its manual says.

use std::path::{Path, PathBuf};

use super::command;

pub(super) const FLOOR: &str = "floor";
pub(super) const CLOCK: &str = "floor with a clock";
pub(super) const PROFILER: &str = "profiler";
pub(super) const EVERY_CALL: &str = "profiler --every-call";
pub(super) const HISTOGRAM: &str = "bpftrace histogram";
pub(super) const CAUSES: &str = "bpftrace causes";

/// How it is known that its probes are on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sign {
    /// It holds links or events of the kernel's, and gets no more of them.
    Probes,
    /// The process has a tracer.
    Traced,
}

#[derive(Clone, Debug)]
pub(super) struct Watcher {
    pub(super) name: String,
    /// Nothing: what this process does itself ([`super::floor`]).
    pub(super) words: Vec<String>,
    pub(super) sign: Sign,
    /// Stands in what it printed if it saw anything.
    pub(super) seen: &'static str,
    /// Measured, if it starts; otherwise only tried.
    pub(super) measured: bool,
}

/// Of every `pread64`, how long it took: what a manual of bpftrace shows first.
const PREAD: &str = "BEGIN { printf(\"on\\n\"); } \
    tracepoint:syscalls:sys_enter_pread64 /pid == PID/ { @start[tid] = nsecs; } \
    tracepoint:syscalls:sys_exit_pread64 /@start[tid]/ \
    { @ns = hist(nsecs - @start[tid]); delete(@start[tid]); }";

/// And what it waited for, as near as that gets: time off the CPU by the kernel's stack.
const OFF_CPU: &str = " tracepoint:sched:sched_switch { \
    if (@start[args->prev_pid] && args->prev_state) { @off[args->prev_pid] = nsecs; @at[args->prev_pid] = kstack; } \
    if (@off[args->next_pid]) \
    { @stacks[@at[args->next_pid]] = sum(nsecs - @off[args->next_pid]); delete(@off[args->next_pid]); } }";

impl Watcher {
    fn new(name: &str, words: &[&str], seen: &'static str) -> Self {
        Self {
            name: name.to_owned(),
            words: words.iter().map(|&word| word.to_owned()).collect(),
            sign: Sign::Probes,
            seen,
            measured: true,
        }
    }

    fn tried(name: &str, words: &[&str]) -> Self {
        Self {
            measured: false,
            ..Self::new(name, words, "")
        }
    }

    /// The command as one would type it, of a process called `PID`.
    pub(super) fn typed(&self) -> String {
        match self.words.as_slice() {
            [] if self.name == CLOCK => {
                "two programs that look at the clock, at sys_enter and sys_exit".to_owned()
            }
            [] => "two programs that do nothing, at sys_enter and sys_exit".to_owned(),
            [program, rest @ ..] => {
                let name = Path::new(program).file_name().unwrap_or_default();
                let name = name.to_string_lossy();
                command::shown(
                    [name.as_ref()]
                        .into_iter()
                        .chain(rest.iter().map(String::as_str)),
                )
            }
        }
    }

    /// With the id of the process to watch.
    pub(super) fn of(&self, pid: u32) -> Vec<String> {
        let pid = pid.to_string();
        let words = self.words.iter().map(|word| word.replace("PID", &pid));
        words.collect()
    }
}

/// All there is, ours first.
pub(super) fn all(profiler: &Path) -> Vec<Watcher> {
    let profiler = profiler.display().to_string();
    let attach = [profiler.as_str(), "attach", "--pid", "PID", "--json", "-"];
    let causes = format!("{PREAD}{OFF_CPU}");
    let mut all = vec![
        Watcher::new(FLOOR, &[], ""),
        Watcher::new(CLOCK, &[], ""),
        Watcher::new(PROFILER, &attach, "\"scenarios\""),
        Watcher::new(
            EVERY_CALL,
            &[attach.as_slice(), &["--every-call"]].concat(),
            "\"scenarios\"",
        ),
        Watcher::new(HISTOGRAM, &["bpftrace", "-B", "line", "-e", PREAD], "@ns"),
        Watcher::new(CAUSES, &["bpftrace", "-B", "line", "-e", &causes], "@ns"),
        Watcher::new(
            "perf trace -s",
            &["perf", "trace", "-s", "-e", "pread64", "-p", "PID"],
            "pread64",
        ),
        Watcher {
            sign: Sign::Traced,
            ..Watcher::new(
                "strace -c",
                &["strace", "-c", "-f", "-e", "pread64", "-p", "PID"],
                "pread64",
            )
        },
        Watcher::new("syscount", &["syscount", "-L", "-p", "PID"], "pread64"),
        Watcher::new("offcputime", &["offcputime", "-p", "PID"], ""),
        Watcher::new("biolatency", &["biolatency"], "usecs"),
    ];
    // Of those only whether they start: they need what not every kernel has.
    for (tool, words) in [
        ("cachestat", ["1"].as_slice()),
        ("biosnoop", &[]),
        ("fsslower", &["-t", "ext4", "-p", "PID"]),
        ("readahead", &[]),
        ("funclatency", &["vfs_read"]),
        ("syscount-bpfcc", &["-L", "-p", "PID"]),
        ("offcputime-bpfcc", &["-p", "PID"]),
        ("biolatency-bpfcc", &[]),
        ("cachestat-bpfcc", &["1"]),
        ("fileslower-bpfcc", &["-p", "PID"]),
        ("ext4slower-bpfcc", &["-p", "PID"]),
        ("funclatency-bpfcc", &["vfs_read"]),
    ] {
        all.push(Watcher::tried(tool, &[&[tool], words].concat()));
    }
    for watcher in &mut all {
        if let Some(program) = watcher.words.first_mut() {
            let found = (!program.contains('/')).then(|| command::find(program));
            if let Some(path) = found.flatten() {
                *program = path.display().to_string();
            }
        }
    }
    all
}

/// What the tools call themselves.
pub(super) fn versions() -> Vec<(String, String)> {
    let asked = ["fio", "bpftrace", "perf", "strace"].map(|program| {
        let path = command::find(program)?;
        let said = command::output(std::process::Command::new(path).arg("--version"));
        Some((program.to_owned(), said.ok()?.lines().next()?.to_owned()))
    });
    let packages = ["bpfcc-tools", "libbpf-tools"].map(|package| {
        let mut query = std::process::Command::new("dpkg-query");
        let said = command::output(query.args(["-W", "-f=${Version}", package]));
        Some((package.to_owned(), said.ok()?))
    });
    asked.into_iter().chain(packages).flatten().collect()
}

/// Where fio is, if it is.
pub(super) fn fio() -> Option<PathBuf> {
    command::find("fio")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_process_is_filled_in_everywhere() {
        for watcher in all(Path::new("/x/profiler")) {
            let words = watcher.of(4711).join(" ");
            assert!(!words.contains("PID"), "{words}");
            let typed = watcher.typed();
            assert!(!typed.contains("/x/"), "no paths of a machine: {typed}");
        }
    }

    #[test]
    fn names_are_different() {
        let mut names = all(Path::new("p"))
            .into_iter()
            .map(|it| it.name)
            .collect::<Vec<_>>();
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
