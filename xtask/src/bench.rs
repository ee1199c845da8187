//! Starts the benchmark (profiler/benches/cost): builds it, lets it measure as root, and has it make
//! docs/cost.md as the user who asked.

use std::{
    fs,
    path::Path,
    process::{Command, ExitCode, Stdio},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    args, build, cargo, privilege, process,
    setup::{
        self,
        programs::{self, Program},
    },
    work::Work,
};

const PAGE: &str = "docs/cost.md";

/// The bench target.
const BENCH: &str = "cost";

/// What the profiler is compared with, as Debian packages it.
const NEEDED: [Program; 6] = [
    ("fio", "fio"),
    ("bpftrace", "bpftrace"),
    ("perf", "linux-perf"),
    ("strace", "strace"),
    ("biolatency-bpfcc", "bpfcc-tools"),
    ("offcputime", "libbpf-tools"),
];

pub(crate) fn door(args: &args::Bench) -> Result<ExitCode> {
    setup::ensure(args.install)?;
    let metadata = cargo::metadata()?;
    let profiler = build::profiler(true)?;
    let bench = build::bench(BENCH)?;
    if let Some(why) = privilege::kernel_refuses() {
        bail!("{why}");
    }
    // The page lists the tools that are missing.
    if let Err(why) = programs::install(&programs::missing(&NEEDED), args.install) {
        step(&format!("{why:#}"));
    }
    let work = Work::new(metadata.target.join("bench-work"))?;
    let measured = measure(args, &bench, &profiler, &work)?;
    let json = metadata.target.join("cost.json");
    fs::write(&json, measured).with_context(|| json.display().to_string())?;

    let mut command = Command::new(&bench);
    command.arg("page").arg(&json);
    let whole = !args.quick && args.only.is_empty();
    if whole && !args.no_page {
        command.arg("--page").arg(cargo::root().join(PAGE));
    }
    process::run(&mut command)?;
    step(&format!("wrote {}", json.display()));
    step(&if whole && !args.no_page {
        format!("wrote {PAGE}")
    } else {
        format!("{PAGE} stays as it is")
    });
    Ok(ExitCode::SUCCESS)
}

/// Has the benchmark measure as root, and returns what it printed. It gets mounts of its own:
/// bpftrace and perf look for tracepoints in tracefs, which nobody may have mounted, and what it
/// mounts is gone when it ends.
fn measure(args: &args::Bench, bench: &Path, profiler: &Path, work: &Work) -> Result<Vec<u8>> {
    let words = ["--mount", "--propagation=private", "--"].map(str::to_owned);
    let paths = [bench, Path::new("measure"), profiler, work.path()];
    let paths = paths.map(|path| path.display().to_string());
    let mut words = [words.as_slice(), &paths].concat();
    words.push(format!("--runs={}", args.runs()));
    words.push(format!("--rounds={}", args.rounds()));
    if args.quick {
        words.push("--quick".to_owned());
    }
    words.extend(args.only.iter().map(|name| format!("--only={name}")));
    let unshare = process::find("unshare").context("no `unshare` here (util-linux)")?;
    let mut command = privilege::as_root(&unshare, &words)?;
    step(&process::shown(&command));
    survive_interrupts()?;
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn();
    let output = child.and_then(std::process::Child::wait_with_output);
    let output = output.with_context(|| process::shown(&command))?;
    if !output.status.success() {
        bail!("the benchmark ended ({})", output.status);
    }
    Ok(output.stdout)
}

/// ^C ends the benchmark, and all that it started; this process lives on to clear up.
fn survive_interrupts() -> Result<()> {
    extern "C" fn nothing(_: libc::c_int) {}
    let nothing: extern "C" fn(libc::c_int) = nothing;
    for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
        // SAFETY: the handler does nothing at all, so it may run at any time. A handler, unlike
        // ignoring, is not inherited by what is started.
        let before = unsafe { libc::signal(signal, nothing as libc::sighandler_t) };
        if before == libc::SIG_ERR {
            return Err(std::io::Error::last_os_error()).context("a handler for ^C");
        }
    }
    Ok(())
}

/// Says what is being done.
fn step(what: &str) {
    eprintln!("bench: {what}");
}
