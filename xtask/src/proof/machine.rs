//! The machine that a page was made on: what it is, not which one.

use std::{fs, process::Command};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::process;

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Machine {
    /// `uname -sr`
    pub(crate) kernel: String,
    pub(crate) architecture: String,
    /// The processor's model, if it says one.
    pub(crate) model: Option<String>,
    pub(crate) cpus: usize,
    pub(crate) memory_kb: u64,
    /// The day, in UTC.
    pub(crate) date: String,
}

pub(crate) fn this() -> Result<Machine> {
    let file = |path: &str| fs::read_to_string(path).with_context(|| path.to_owned());
    let release = file("/proc/sys/kernel/osrelease")?;
    let cpus = file("/proc/cpuinfo")?;
    let memory = file("/proc/meminfo")?;
    let memory = field(&memory, "MemTotal").context("/proc/meminfo says no MemTotal")?;
    let date = process::output(Command::new("date").args(["-u", "+%Y-%m-%d"]))?;
    Ok(Machine {
        kernel: format!("Linux {}", release.trim()),
        architecture: std::env::consts::ARCH.to_owned(),
        model: field(&cpus, "model name").map(str::to_owned),
        cpus: std::thread::available_parallelism()?.get(),
        memory_kb: memory.trim_end_matches(" kB").parse()?,
        date: date.trim().to_owned(),
    })
}

/// The first `name : value`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let fields = text.lines().filter_map(|line| line.split_once(':'));
    let mut values = fields.filter(|(key, _)| key.trim() == name);
    values.next().map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known() {
        let machine = this().unwrap();
        assert!(machine.kernel.starts_with("Linux "), "{machine:?}");
        assert!(machine.cpus > 0 && machine.memory_kb > 0, "{machine:?}");
        assert_eq!(machine.date.len(), 10, "{machine:?}");
    }

    #[test]
    fn the_first_of_many_processors_counts() {
        let text = "processor\t: 0\nmodel name\t: A: B\nmodel name\t: C\n";
        assert_eq!(field(text, "model name"), Some("A: B"));
        assert_eq!(field(text, "cache"), None);
    }
}
