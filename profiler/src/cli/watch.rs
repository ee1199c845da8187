//! What the watching commands have in common.

use anyhow::{Context as _, Result, bail};
use profiler_common::control::{CONTROL_EVERY_CALL, Control};
use tokio::io::unix::AsyncFd;

use super::{args::WatchArgs, destination, output::Exports};
use crate::{collect::priority, load, session::live};

/// The plan of a live session.
pub(super) fn plan(args: &WatchArgs, target: String) -> live::Plan {
    live::Plan {
        command: std::env::args_os()
            .map(|arg| arg.to_string_lossy().into_owned())
            .collect(),
        target,
        slowest: args.slowest.into(),
        record: args.record.clone(),
        load: load::Options {
            ring_bytes: args.ring_size,
            verbose: args.verbose,
            way: if args.quiet_neighbours {
                load::Way::QuietNeighbours
            } else {
                args.entry
            },
        },
    }
}

/// Opens a live session.
pub(super) fn open(plan: live::Plan, exports: Exports) -> Result<live::Live<Exports>> {
    refuse_namespace()?;
    let verbose = plan.load.verbose;
    let mut live = live::Live::open(plan, exports)?;
    // Where it is refused, more facts may be lost, and the report says how many.
    let _ = priority::prefer_collector();
    if let Some(recording) = live.recording() {
        destination::give_to_invoking_user(recording)?;
    }
    if verbose {
        log(&mut live)?;
    }
    Ok(live)
}

/// What the kernel side is to do for a target.
pub(super) fn control(args: &WatchArgs, pid: u32, flags: u32) -> Control {
    let every = if args.every_call {
        CONTROL_EVERY_CALL
    } else {
        0
    };
    Control {
        target: pid,
        flags: flags | every,
        threshold_ns: u64::try_from(args.threshold.as_nanos()).unwrap_or(u64::MAX),
        ..Control::default()
    }
}

/// One runtime for everything: the ring is emptied on this thread.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")
}

/// Shows on standard error what the kernel side logs.
fn log(live: &mut live::Live<Exports>) -> Result<()> {
    // RUST_LOG still has the last word.
    let environment = env_logger::Env::default().default_filter_or("debug");
    let _ = env_logger::Builder::from_env(environment)
        .format_timestamp_micros()
        .try_init();
    let logger = aya_log::EbpfLogger::init(live.probes().ebpf_mut())
        .context("cannot take what the probes log")?;
    // SAFETY: the descriptor is the logger's own, and stays open as long as it.
    let logger = unsafe { AsyncFd::register(logger) };
    let mut logger = logger.context("cannot take what the probes log")?;
    tokio::spawn(async move {
        while let Ok(mut ready) = logger.readable_mut().await {
            ready.get_inner_mut().flush();
            ready.clear_ready();
        }
    });
    Ok(())
}

/// The probes see the process ids of the first namespace: those of another mean others.
fn refuse_namespace() -> Result<()> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ids = status.lines().find_map(|line| line.strip_prefix("NSpid:"));
    if ids.is_some_and(|ids| ids.split_ascii_whitespace().count() > 1) {
        bail!(
            "this is a container with process ids of its own, which the probes do not see: \
             start it outside, or with the host's process ids (docker run --pid=host)"
        );
    }
    Ok(())
}
