//! What all experiments on a kernel came to.

use anyhow::Result;

use super::{
    bed::Bed,
    bench,
    cost::{self, Cost},
    readers::{self, Readers},
    step,
    suite::{self, Suite},
};
use crate::args::Experiment;

/// One kernel's: of each experiment what came out, or why it could not be run; nothing if it
/// was not asked for.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) release: String,
    pub(super) bench: Option<Result<Vec<bench::Run>>>,
    pub(super) suite: Option<Result<Suite>>,
    pub(super) readers: Option<Readers>,
    pub(super) cost: Option<Result<Cost>>,
}

impl Outcome {
    /// Runs the experiments.
    pub(super) fn of(bed: &Bed<'_>, experiments: &[Experiment]) -> Self {
        let release = &bed.kernel.release;
        let mut outcome = Self {
            release: release.clone(),
            ..Self::default()
        };
        for experiment in experiments {
            step(&format!("{release}: {}", experiment.what()));
            match experiment {
                Experiment::Bench => outcome.bench = Some(bench::run(bed)),
                Experiment::Stalls => outcome.suite = Some(suite::run(bed)),
                Experiment::Readers => outcome.readers = Some(readers::run(bed)),
                Experiment::Cost => outcome.cost = Some(cost::run(bed)),
            }
        }
        step(&format!("{release}: {}", outcome.verdict()));
        outcome
    }

    /// Did everything come out as it has to?
    pub(super) fn is_good(&self) -> bool {
        self.faults().is_empty()
    }

    /// What is wrong, a line each.
    pub(super) fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        match &self.bench {
            Some(Err(error)) => faults.push(format!("the bench: {error:#}")),
            Some(Ok(runs)) => faults.extend(runs.iter().filter_map(bench::Run::fault)),
            None => {}
        }
        match &self.suite {
            Some(Err(error)) => faults.push(format!("the tests: {error:#}")),
            Some(Ok(suite)) => faults.extend(suite.faults()),
            None => {}
        }
        faults.extend(self.readers.iter().flat_map(Readers::faults));
        if let Some(Err(error)) = &self.cost {
            faults.push(format!("the cost: {error:#}"));
        }
        faults
    }

    /// One line.
    fn verdict(&self) -> String {
        if self.is_good() {
            "everything is as it has to be".into()
        } else {
            format!("NOT as it has to be:\n  {}", self.faults().join("\n  "))
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use anyhow::anyhow;

    use super::*;

    pub(in crate::kernels) fn outcome() -> Outcome {
        Outcome {
            release: "6.1.0-56-cloud-amd64".into(),
            bench: Some(Ok(vec![bench::tests::a_run()])),
            suite: Some(Ok(suite::tests::some())),
            readers: Some(readers::tests::some()),
            cost: Some(Ok(cost::tests::some())),
        }
    }

    #[test]
    fn one_thing_that_is_wrong_is_enough() {
        let good = outcome();
        assert!(good.is_good(), "{:?}", good.faults());
        let mut bad = outcome();
        bad.cost = Some(Err(anyhow!("no boot")));
        assert!(!bad.is_good());
        assert_eq!(bad.faults(), ["the cost: no boot"]);
    }
}
