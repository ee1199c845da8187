//! What is read of the machine, without any right.

use std::{fs, path::Path};

use crate::{
    host::{disk, machine, namespace, stacks::Symbols},
    load::{self, Survey},
};

/// What is known of the machine.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) kernel: String,
    pub(super) architecture: String,
    pub(super) types: Types,
    pub(super) rights: Rights,
    /// The probes see other process ids than this process does.
    pub(super) has_other_process_ids: bool,
    /// The kernel keeps its memory from everybody, root too.
    pub(super) is_locked_down: bool,
    /// Programs cannot hang on functions for now.
    pub(super) ftrace_is_off: bool,
    pub(super) silent_disks: Vec<SilentDisk>,
    /// Why functions of the kernel have no names; `None` if they have, or if it takes more
    /// rights than this process has to tell.
    pub(super) unnamed_functions: Option<String>,
}

/// A disk with I/O accounting off.
#[derive(Debug)]
pub(super) struct SilentDisk {
    pub(super) name: String,
    /// A mounted file system is on it, or something that may hold one.
    pub(super) is_mounted: bool,
}

/// What the kernel says of its own types.
#[derive(Debug)]
pub(super) enum Types {
    /// Nothing.
    None,
    /// Something that the probes cannot use, and why.
    Unfit(String),
    Fit(Survey),
}

/// May this process load programs?
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Rights {
    Enough,
    /// An ordinary user.
    User,
    /// Root, but without these capabilities, as in a container.
    Lacks(Vec<&'static str>),
    /// Root of a user namespace, which is nobody to the kernel.
    Namespace,
    /// There is no /proc to tell.
    Unknown,
}

impl Machine {
    pub(super) fn look() -> Self {
        let types = match load::survey() {
            Ok(survey) => Types::Fit(survey),
            Err(_) if !Path::new(load::offsets::BTF).exists() => Types::None,
            Err(error) => Types::Unfit(format!("{error:#}")),
        };
        let lockdown = fs::read_to_string("/sys/kernel/security/lockdown").unwrap_or_default();
        let ftrace = fs::read_to_string("/proc/sys/kernel/ftrace_enabled").unwrap_or_default();
        let names = disk::names();
        let silent = names
            .values()
            .filter(|disk| disk::keeps_accounts(disk) == Some(false));
        let mounted = disk::mounted(&names);
        let silent_disks = silent.map(|name| SilentDisk {
            name: name.clone(),
            is_mounted: disk::is_below(name, &mounted),
        });
        let rights = Rights::of(
            fs::read_to_string("/proc/self/status").ok().as_deref(),
            fs::read_to_string("/proc/self/uid_map").ok().as_deref(),
            rustix::process::geteuid().is_root(),
        );
        let unnamed_functions = match rights {
            Rights::Enough => Symbols::read().err().map(|error| format!("{error:#}")),
            _ => None,
        };
        Self {
            kernel: machine::kernel(),
            architecture: machine::architecture(),
            types,
            rights,
            has_other_process_ids: namespace::has_other_process_ids(),
            is_locked_down: lockdown.contains("[confidentiality]"),
            ftrace_is_off: ftrace.trim() == "0",
            silent_disks: silent_disks.collect(),
            unnamed_functions,
        }
    }
}

/// Numbers of capabilities (linux/capability.h).
const SYS_ADMIN: u64 = 21;
const PERFMON: u64 = 38;
const BPF: u64 = 39;

impl Rights {
    /// From `/proc/self/status`, `/proc/self/uid_map`, and whether the user is root.
    fn of(status: Option<&str>, uid_map: Option<&str>, is_root: bool) -> Self {
        let Some(effective) = status.and_then(effective) else {
            return Self::Unknown;
        };
        let has = |capability: u64| effective >> capability & 1 != 0;
        let namespace = uid_map.is_some_and(|map| {
            let mut words = map.split_ascii_whitespace();
            !words.by_ref().take(3).eq(["0", "0", "4294967295"])
        });
        let needed = [("CAP_BPF", BPF), ("CAP_PERFMON", PERFMON)];
        let lacks = needed
            .into_iter()
            .filter(|(_, number)| !has(*number) && !has(SYS_ADMIN))
            .map(|(name, _)| name);
        let lacks: Vec<_> = lacks.collect();
        match (lacks.is_empty(), is_root) {
            (true, _) if namespace => Self::Namespace,
            (true, _) => Self::Enough,
            (false, true) => Self::Lacks(lacks),
            (false, false) => Self::User,
        }
    }
}

/// The effective capabilities, as bits.
fn effective(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))?;
    u64::from_str_radix(line.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERYBODY: &str = "         0          0 4294967295\n";

    fn rights(effective: &str, uid_map: &str, is_root: bool) -> Rights {
        let status = format!("Name:\tprofiler\nCapPrm:\t0\nCapEff:\t{effective}\n");
        Rights::of(Some(&status), Some(uid_map), is_root)
    }

    #[test]
    fn rights_are_capabilities_of_the_first_user_namespace() {
        assert_eq!(rights("000001ffffffffff", EVERYBODY, true), Rights::Enough);
        assert_eq!(rights("000000c000000000", EVERYBODY, false), Rights::Enough);
        assert_eq!(rights("0000000000200000", EVERYBODY, true), Rights::Enough);
        assert_eq!(rights("0000000000000000", EVERYBODY, false), Rights::User);
        assert_eq!(
            rights("000001ffffffffff", "0 1000 1\n", true),
            Rights::Namespace
        );
        assert_eq!(
            rights("00000000a80425fb", EVERYBODY, true),
            Rights::Lacks(vec!["CAP_BPF", "CAP_PERFMON"])
        );
        assert_eq!(Rights::of(None, None, true), Rights::Unknown);
    }
}
