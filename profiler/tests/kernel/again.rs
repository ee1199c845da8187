//! This test program, started again as one that is to be watched: a word says which, and
//! what it is told to do is one more word, as JSON.
//!
//! It must not read anything but what it is told to, so it does its work before the test
//! harness begins, which reads files of its own.

use std::{fs, path::Path};

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    losses::actor,
    meter, neighbour,
    outcomes::{odd, pager},
    player,
};

/// The command that starts it.
pub(crate) fn command(word: &str, order: &impl Serialize) -> Vec<String> {
    let program = std::env::current_exe().expect("this program's path");
    let program = program.to_str().expect("a path in UTF-8").to_owned();
    let order = serde_json::to_string(order).expect("an order is JSON");
    vec![program, word.into(), order]
}

/// Leaves a record of what it did.
pub(crate) fn write(path: &Path, record: &impl Serialize) {
    let text = serde_json::to_vec(record).expect("a record is JSON");
    fs::write(path, text).expect("the record");
}

/// What it recorded.
pub(crate) fn read<T: DeserializeOwned>(path: &Path) -> T {
    let text = fs::read(path).expect("the record");
    serde_json::from_slice(&text).expect("a record")
}

#[used]
#[unsafe(link_section = ".init_array")]
static BEFORE_MAIN: extern "C" fn() = before_main;

extern "C" fn before_main() {
    let mut args = std::env::args().skip(1);
    let (Some(word), order) = (args.next(), args.next().unwrap_or_default()) else {
        return;
    };
    match word.as_str() {
        player::WORD => player::play(&told(&order)),
        odd::WORD => odd::play(&told(&order)),
        pager::WORD => pager::play(&told(&order)),
        actor::WORD => actor::play(&told(&order)),
        meter::WORD => meter::play(&told(&order)),
        neighbour::WORD => neighbour::play(),
        _ => return,
    }
    std::process::exit(0);
}

fn told<T: DeserializeOwned>(order: &str) -> T {
    serde_json::from_str(order).expect("an order")
}
