//! The bundled reader: its file, and one scenario after the other.

use std::{path::Path, time::Duration, time::Instant};

use anyhow::{Context as _, Result};
use profiler_common::target::Target;

use super::{After, Ending, Watched, readings};
use crate::{
    host::{disk, machine, process},
    recording::{Counts, Readings, Residency, Workload},
    session::{
        drive::{Message, Voice},
        interrupt::Interrupt,
        live::Live,
        plan::ReaderPlan,
    },
    sink::Sink,
    workload::{
        Done, Identity, Interrupted, OwnFile, Reader, Residency as Resident, Scenario, Spec, State,
        Stopper, Subject, residency, state,
    },
};

/// What all scenarios have in common.
#[derive(Debug)]
pub(in crate::session) struct Bench {
    plan: ReaderPlan,
    identity: Identity,
    subject: Option<Subject>,
}

impl Bench {
    pub(in crate::session) fn new(plan: ReaderPlan) -> Result<Self> {
        let subject = plan.path.as_deref().map(Subject::open).transpose()?;
        Ok(Self {
            identity: Identity::invoking()?,
            plan,
            subject,
        })
    }

    /// The target in words.
    pub(in crate::session) fn words(&self) -> String {
        format!("the bundled reader, user {}", self.identity.uid)
    }

    /// Makes its own file, if it was given none. `false`: somebody asked to end meanwhile.
    pub(in crate::session) fn open<S: Sink + Default>(
        &mut self,
        live: &mut Live<S>,
        interrupt: &Interrupt,
        voice: &Voice<'_>,
    ) -> Result<bool> {
        if self.subject.is_none() {
            self.subject = self.own_file(interrupt, voice)?;
        }
        let Some(subject) = &self.subject else {
            return Ok(false);
        };
        self.plan.fits(subject)?;
        self.name(live, subject)?;
        Ok(true)
    }

    pub(in crate::session) fn scenarios(&self) -> Vec<&'static Scenario> {
        self.plan.scenarios.clone()
    }

    fn own_file(&self, interrupt: &Interrupt, voice: &Voice<'_>) -> Result<Option<Subject>> {
        let ReaderPlan { dir, size, .. } = &self.plan;
        let said = voice(Message::MakingFile(*size));
        let made = OwnFile::create(dir, *size, &self.identity, &mut |written| {
            said.bytes(written);
            interrupt.flow()
        });
        match made {
            Ok(subject) => Ok(Some(subject)),
            Err(error) if error.is::<Interrupted>() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Tells the session what the user calls the file.
    fn name<S: Sink + Default>(&self, live: &mut Live<S>, subject: &Subject) -> Result<()> {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = subject
            .file()
            .metadata()
            .context("cannot look at the file")?;
        let (major, minor) = subject.place().superblock;
        let dev = major << 20 | minor;
        live.name_file(dev, metadata.ino(), self.label(subject))
    }

    fn label(&self, subject: &Subject) -> String {
        let path = |path: &Path| path.to_string_lossy().into_owned();
        match &self.plan.path {
            Some(_) => path(subject.path()),
            None => {
                let dir = &self.plan.dir;
                let dir = std::fs::canonicalize(dir).unwrap_or_else(|_| dir.clone());
                format!("own file in {}", path(&dir))
            }
        }
    }

    fn workload(&self, scenario: &Scenario, spec: &Spec, subject: &Subject) -> Workload {
        let place = subject.place();
        let disk = place.device.as_ref().map(|device| device.disk.as_str());
        Workload {
            style: scenario.style.name().into(),
            pattern: Some(scenario.pattern.name().into()),
            advice: Some(scenario.advice.name().into()),
            state: Some(scenario.state.name().into()),
            block_size: Some(spec.block_size.into()),
            threads: Some(spec.threads),
            reads: Some(spec.reads),
            path: Some(self.label(subject)),
            file_size: Some(subject.size()),
            filesystem: Some(place.filesystem.clone()),
            device: place.device.as_ref().map(|device| device.name.clone()),
            read_ahead_kb: place.read_ahead_kb,
            iostats: disk.and_then(disk::keeps_accounts),
            scheduler: disk.and_then(disk::scheduler),
            witnessed: None,
        }
    }
}

/// One scenario: its state has been brought about, and its reader waits.
pub(in crate::session) struct Run<'a> {
    scenario: &'static Scenario,
    subject: &'a Subject,
    workload: Workload,
    disk: Option<String>,
    pid: u32,
    stopper: Stopper,
    /// Until somebody waits for its end, and from then on.
    reader: Option<Reader>,
    resident: Resident,
    /// What was counted before it was let go, and when.
    before: Counts,
    refaults: Option<u64>,
    since: Instant,
}

impl<'a> Run<'a> {
    /// `None`: somebody asked to end meanwhile.
    pub(in crate::session) fn prepare(
        bench: &'a Bench,
        scenario: &'static Scenario,
        interrupt: &Interrupt,
    ) -> Result<Option<Self>> {
        let subject = bench.subject.as_ref().context("there is no file")?;
        let spec = scenario.spec(subject.path(), subject.size(), &bench.plan.options);
        if bench.plan.drop_caches && scenario.state == State::Cold {
            state::drop_caches()?;
        }
        let before = state::bring_about(subject, scenario.state, &mut |_| interrupt.flow());
        let resident = match before {
            Err(error) if error.is::<Interrupted>() => return Ok(None),
            before => before?,
        };
        let own = bench.plan.path.is_none();
        let own = own.then(|| std::os::fd::AsFd::as_fd(subject.file()));
        let reader = Reader::spawn(&spec, &bench.identity, own)?;
        let device = subject.place().device.as_ref();
        Ok(Some(Self {
            scenario,
            subject,
            workload: bench.workload(scenario, &spec, subject),
            disk: device.map(|device| device.disk.clone()),
            pid: reader.pid(),
            stopper: reader.stopper(),
            reader: Some(reader),
            resident,
            before: Counts::default(),
            refaults: None,
            since: Instant::now(),
        }))
    }

    /// Takes the reader out of the process table.
    pub(in crate::session) fn finish(self) -> Result<()> {
        self.reader.context("the reader is gone")?.finish()
    }
}

impl Watched for Run<'_> {
    type Ended = (Reader, Result<Done>);

    fn name(&self) -> &str {
        self.scenario.name
    }

    fn workload(&self) -> &Workload {
        &self.workload
    }

    fn target(&self) -> Target {
        Target::Process(self.pid)
    }

    async fn go(&mut self) -> Result<()> {
        // On a busy machine a thread may still be on its way to sleep, and what it waited for
        // a CPU until then would be counted with what comes.
        for _ in 0..1_000 {
            if process::is_asleep(self.pid) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // Before the first of the readings, and read after the last: nothing that they count
        // lies outside.
        self.since = Instant::now();
        self.before = readings::counts(self.pid, self.disk.as_deref());
        self.refaults = machine::refaults();
        self.reader.as_ref().context("the reader is gone")?.go()
    }

    fn ended(&mut self) -> Ending<Self::Ended> {
        let reader = self.reader.take();
        Box::pin(async move {
            let mut reader = reader.context("the reader is gone")?;
            let waiting = tokio::task::spawn_blocking(move || {
                let done = reader.wait_done();
                (reader, done)
            });
            waiting.await.context("the reader's keeper has died")
        })
    }

    /// It stops before its next read, and ends the scenario so.
    fn interrupted(&mut self, _signal: i32) -> bool {
        self.stopper.stop();
        false
    }

    fn after<S: Sink + Default>(
        &mut self,
        live: &mut Live<S>,
        ended: Option<Self::Ended>,
        _wall_ns: u64,
    ) -> Result<After> {
        let (reader, done) = ended.context("the reader has not ended")?;
        let done = done?;
        let mut after = readings::counts(self.pid, self.disk.as_deref());
        let elapsed = self.since.elapsed();
        let requests = live.counted_since_begin()?.requests;
        after.requests = Some(requests.iter().sum());
        after.refaults = machine::refaults();
        after.nvcsw = Some(done.voluntary_switches);
        after.nivcsw = Some(done.involuntary_switches);
        let now = residency(self.subject.file())?;
        let (ops, pages_used) = readings::ops(
            &reader.ops(),
            self.subject.size(),
            rustix::param::page_size() as u64,
        );
        self.reader = Some(reader);
        let before = &self.resident;
        let residency = Residency {
            resident_before: before.resident,
            resident_after: now.resident,
            pages: before.total,
            evicted: now
                .evicted
                .zip(before.evicted)
                .map(|(now, before)| now.saturating_sub(before)),
        };
        let mut workload = self.workload.clone();
        workload.witnessed = Some(residency);
        let readings = Readings {
            before: Counts {
                requests: Some(0),
                nvcsw: Some(0),
                nivcsw: Some(0),
                refaults: self.refaults,
                ..self.before
            },
            after,
            ops: Some(ops),
            residency: Some(residency),
            pages_used: Some(pages_used),
            elapsed_ns: u64::try_from(elapsed.as_nanos()).ok(),
        };
        Ok(After {
            wall_ns: done.wall_ns,
            workload,
            readings,
        })
    }
}
