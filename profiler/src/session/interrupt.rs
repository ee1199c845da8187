//! ^C: the first ends the session with a report, the second ends the program.

use std::{
    io::{self, Write as _},
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicI32, Ordering},
    },
    thread,
};

use anyhow::{Context as _, Result};
use tokio::{
    runtime::Runtime,
    select,
    signal::unix::{Signal, SignalKind, signal},
    sync::Notify,
};

/// Asked to end? Cheap to clone and to ask, from any thread.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    /// The first signal; 0: none yet.
    asked: Arc<AtomicI32>,
    notify: Arc<Notify>,
}

impl Interrupt {
    /// Listens to SIGINT, SIGTERM and SIGHUP from now on, on a thread of its own: the
    /// session's may be busy writing a file when the signal comes.
    ///
    /// # Errors
    ///
    /// No handler can be set, or no thread be started.
    pub fn listen() -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot listen to signals")?;
        let entered = runtime.enter();
        let open = |kind| signal(kind).context("cannot listen to signals");
        let signals = [
            open(SignalKind::interrupt())?,
            open(SignalKind::terminate())?,
            open(SignalKind::hangup())?,
        ];
        drop(entered);
        let interrupt = Self::default();
        let listener = interrupt.clone();
        thread::Builder::new()
            .name("signals".into())
            .spawn(move || listener.on(&runtime, signals))
            .context("cannot listen to signals")?;
        Ok(interrupt)
    }

    fn on(self, runtime: &Runtime, [mut int, mut term, mut hup]: [Signal; 3]) {
        runtime.block_on(async {
            loop {
                let number = select! {
                    _ = int.recv() => libc::SIGINT,
                    _ = term.recv() => libc::SIGTERM,
                    _ = hup.recv() => libc::SIGHUP,
                };
                if self.asked.swap(number, Ordering::SeqCst) != 0 {
                    // The kernel takes the probes out and ends the reader with this
                    // process; the own file has no name.
                    // Standard error may be gone, which must not keep it from ending.
                    let _ = writeln!(io::stderr(), "profiler: ended without a report");
                    std::process::exit(128 + number);
                }
                self.notify.notify_waiters();
            }
        });
    }

    /// Has anybody asked to end?
    pub fn asked(&self) -> bool {
        self.signal() != 0
    }

    /// The signal that asked; 0: nobody has.
    pub fn signal(&self) -> i32 {
        self.asked.load(Ordering::SeqCst)
    }

    /// What a shell gives for a program that this signal ended: 130 for ^C.
    pub fn exit_code(&self) -> u8 {
        match self.signal() {
            0 => 0,
            signal => u8::try_from(128 + signal).unwrap_or(1),
        }
    }

    /// What work that can be broken off is to do.
    pub fn flow(&self) -> ControlFlow<()> {
        if self.asked() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    /// Waits until somebody asks to end.
    pub async fn wait(&self) {
        let notified = self.notify.notified();
        if !self.asked() {
            notified.await;
        }
    }
}
