//! What a session watches: one kind a file.

mod command;
pub mod gate;
mod process;
mod reader;
mod readings;

pub(super) use command::Command;
pub(super) use process::Process;
pub(super) use reader::{Bench, Run};

use std::{future::Future, pin::Pin};

use anyhow::Result;
use profiler_common::target::Target;

use super::live::Live;
use crate::{
    recording::{Readings, Workload},
    sink::Sink,
};

/// Ends when what is watched ends.
pub(super) type Ending<T> = Pin<Box<dyn Future<Output = Result<T>>>>;

/// What is watched in one scenario, and what is read of it before and after.
pub(super) trait Watched {
    /// What its end has to tell.
    type Ended;

    /// Name of the scenario.
    fn name(&self) -> &str;

    /// What it does, as far as it is known before.
    fn workload(&self) -> &Workload;

    /// What the kernel side is to watch.
    fn target(&self) -> Target;

    /// Is called before it is watched.
    fn before<S: Sink + Default>(&mut self, _live: &mut Live<S>) -> Result<()> {
        Ok(())
    }

    /// Lets it go, now that it is watched. Its own time begins when this is done.
    fn go(&mut self) -> impl Future<Output = Result<()>>;

    /// Waits for its end.
    fn ended(&mut self) -> Ending<Self::Ended>;

    /// Somebody asks to end. Does the session end now (`true`), or with the target?
    fn interrupted(&mut self, signal: i32) -> bool;

    /// Is called when it is watched no longer: what witnesses have counted.
    fn after<S: Sink + Default>(
        &mut self,
        live: &mut Live<S>,
        ended: Option<Self::Ended>,
        wall_ns: u64,
    ) -> Result<After>;
}

/// What is known when a scenario is over.
#[derive(Debug)]
pub(super) struct After {
    pub(super) wall_ns: u64,
    pub(super) workload: Workload,
    pub(super) readings: Readings,
}
