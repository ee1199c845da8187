//! ^C: the first ends the session with a report, the second ends the program.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use anyhow::{Context as _, Result};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::Notify,
};

/// What a shell gives for a program that ^C ended.
pub(super) const EXIT_CODE: u8 = 130;

/// Asked to end? Cheap to clone and to ask, from any thread.
#[derive(Clone, Debug, Default)]
pub(super) struct Interrupt {
    asked: Arc<AtomicBool>,
    notify: Arc<Notify>,
}

impl Interrupt {
    /// Listens to SIGINT, SIGTERM and SIGHUP from now on.
    pub(super) fn listen() -> Result<Self> {
        let open = |kind| signal(kind).context("cannot listen to signals");
        let interrupt = Self::default();
        let signals = [
            open(SignalKind::interrupt())?,
            open(SignalKind::terminate())?,
            open(SignalKind::hangup())?,
        ];
        for signal in signals {
            tokio::spawn(interrupt.clone().on(signal));
        }
        Ok(interrupt)
    }

    async fn on(self, mut signal: Signal) {
        while signal.recv().await.is_some() {
            if self.asked.swap(true, Ordering::SeqCst) {
                // The kernel takes the probes out and ends the reader with this process;
                // the own file has no name.
                eprintln!("profiler: ended without a report");
                std::process::exit(EXIT_CODE.into());
            }
            self.notify.notify_waiters();
        }
    }

    /// Has anybody asked to end?
    pub(super) fn asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    /// Waits until somebody asks to end.
    pub(super) async fn wait(&self) {
        let notified = self.notify.notified();
        if !self.asked() {
            notified.await;
        }
    }
}
