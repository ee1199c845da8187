//! What a live session takes besides its probes: the right process ids, a place before others,
//! and somebody who hears what the probes say.

use anyhow::{Context as _, Result, bail};
use tokio::io::unix::AsyncFd;

use super::live::{Live, Opened};
use crate::{
    host::{namespace, priority},
    sink::Sink,
    workload::give_to_invoking_user,
};

/// Opens a live session.
pub(super) fn open<S: Sink + Default>(opened: Opened, sink: S) -> Result<Live<S>> {
    let verbose = opened.load.verbose;
    let mut live = Live::open(opened, sink)?;
    // Where it is refused, more facts may be lost, and the report says how many.
    let _ = priority::prefer_collector();
    if let Some(recording) = live.recording() {
        give_to_invoking_user(recording)?;
    }
    if verbose {
        log(&mut live)?;
    }
    Ok(live)
}

/// Shows on standard error what the kernel side logs.
fn log<S: Sink + Default>(live: &mut Live<S>) -> Result<()> {
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

/// Refuses to watch where process ids are others than those that the probes see.
pub(super) fn refuse_other_process_ids() -> Result<()> {
    if namespace::has_other_process_ids() {
        bail!(
            "this is a container with process ids of its own, which the probes do not see: \
             start the profiler outside, or in a container with the host's process ids (docker \
             run --pid=host)"
        );
    }
    Ok(())
}
