//! Every call of a session, from its recording: the report keeps only the slowest.

use std::{collections::HashMap, path::Path};

use profiler::{
    blame::{self, Outcome, blame},
    correlate::{Call, Correlator},
    recording::{Entry, Next, Reader},
    ring,
};

/// One call as the profiler sees it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub call: Call,
    pub outcome: Outcome,
}

#[derive(Default)]
struct Stacks(HashMap<u32, Vec<String>>);

impl blame::Stacks for Stacks {
    fn frames(&self, id: u32) -> Option<&[String]> {
        self.0.get(&id).map(Vec::as_slice)
    }
}

/// The calls of a recording in the order of their ends, through the profiler's stages.
pub(crate) fn calls(recording: &Path) -> Vec<Seen> {
    let mut reader = Reader::open(recording).expect("a recording");
    let (mut correlator, mut stacks) = (Correlator::default(), Stacks::default());
    let mut calls = Vec::new();
    loop {
        let tag = match reader.frame().expect("the recording") {
            Next::Frame(tag) => tag,
            Next::End => return calls,
            Next::Damaged(what) => panic!("the recording is damaged: {what}"),
        };
        match Entry::read(tag, reader.payload()).expect("an entry") {
            Entry::Stack(stack) => drop(stacks.0.insert(stack.id, stack.frames)),
            Entry::Facts(facts) => {
                for fact in ring::records(facts) {
                    if let Some(call) = correlator.fact(fact.expect("a fact")).call() {
                        let outcome = blame(&call, &stacks).outcome;
                        calls.push(Seen { call, outcome });
                    }
                }
            }
            _ => {}
        }
    }
}
