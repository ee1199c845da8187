//! The machine that a page was made on: what it is, not which one.

use std::{fs, time::SystemTime};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

/// The machine that a page was made on.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Machine {
    /// `uname -sr`
    pub kernel: String,
    /// `x86_64`
    pub architecture: String,
    /// The processor's model, if it says one.
    pub model: Option<String>,
    /// Processors that are online.
    pub cpus: usize,
    /// Memory, in KiB.
    pub memory_kb: u64,
    /// The day, in UTC.
    pub date: String,
}

impl Machine {
    /// The processor's model, with one space where it has several.
    #[must_use]
    pub fn processor(&self) -> String {
        let model = self.model.as_deref().unwrap_or("an unnamed processor");
        model.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Memory, in GiB.
    #[must_use]
    pub fn memory_gib(&self) -> f64 {
        self.memory_kb as f64 / f64::from(1 << 20)
    }
}

/// Asks the kernel about this machine.
///
/// # Errors
/// /proc is not there, or says less than every kernel says.
pub fn this() -> Result<Machine> {
    let file = |path: &str| fs::read_to_string(path).with_context(|| path.to_owned());
    let release = file("/proc/sys/kernel/osrelease")?;
    let cpus = file("/proc/cpuinfo")?;
    let memory = file("/proc/meminfo")?;
    let memory = field(&memory, "MemTotal").context("/proc/meminfo says no MemTotal")?;
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    Ok(Machine {
        kernel: format!("Linux {}", release.trim()),
        architecture: std::env::consts::ARCH.to_owned(),
        model: field(&cpus, "model name").map(str::to_owned),
        cpus: std::thread::available_parallelism()?.get(),
        memory_kb: memory.trim_end_matches(" kB").parse()?,
        date: now.split('T').next().unwrap_or_default().to_owned(),
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
