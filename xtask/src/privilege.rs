//! Who we are, and how to become root for one command.
//!
//! Only the profiler and its tests run as root. cargo never does under sudo: it
//! would leave files of root's in the user's `target/` and `~/.cargo`. As plain
//! root, in a container say, there is no other user to be, and that is fine.

use std::{
    env,
    ffi::OsStr,
    fs,
    io::IsTerminal as _,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Result, bail};

use crate::process;

/// Variables that the profiler and its tests keep when sudo takes the rest away.
const KEPT: [&str; 6] = [
    "CI",
    "NO_COLOR",
    "TERM",
    "COLUMNS",
    "RUST_BACKTRACE",
    "RUST_LOG",
];

pub(crate) fn is_root() -> bool {
    status_field("Uid:").is_some_and(|ids| effective_id(&ids) == Some(0))
}

/// Refuses to go on as root on another user's behalf.
pub(crate) fn refuse_sudo() -> Result<()> {
    let user = env::var("SUDO_USER").unwrap_or_else(|_| "you".to_owned());
    match env::var("SUDO_UID") {
        Ok(id) if id != "0" && is_root() => bail!(
            "this runs under sudo, so cargo would build as root and leave files that {user} \
             can't overwrite.\nRun `cargo xtask …` without sudo: it asks for sudo itself, for the \
             profiler alone.\nIf root's files are in the way already: \
             sudo chown -R {user}: target ~/.cargo/registry"
        ),
        _ => Ok(()),
    }
}

/// `program args…` as root, or why that can't be had.
///
/// Its environment is what sudo lets through and, if set, [`KEPT`].
pub(crate) fn as_root(program: &Path, args: &[String]) -> Result<Command> {
    if is_root() {
        let mut command = Command::new(program);
        command.args(args);
        return Ok(command);
    }
    let by_hand = || {
        let mut command = Command::new(program);
        command.args(args);
        process::shown(&command)
    };
    let Some(sudo) = process::find("sudo") else {
        bail!(
            "this needs root, and there is no sudo here. As root, run: {}",
            by_hand()
        );
    };
    // Where nobody can type a password, sudo must not ask for one.
    if !std::io::stdin().is_terminal() && !sudo_is_silent(sudo.as_os_str()) {
        bail!(
            "this needs root, and sudo would ask for a password. Run: sudo {}",
            by_hand()
        );
    }
    let mut command = Command::new(sudo);
    // Not `sudo -E`, which many sudoers files refuse: `env` is a command like any other.
    command.args(["--", "env"]);
    for name in KEPT {
        if let Ok(value) = env::var(name) {
            command.arg(format!("{name}={value}"));
        }
    }
    command.arg(program).args(args);
    Ok(command)
}

fn sudo_is_silent(sudo: &OsStr) -> bool {
    let mut command = Command::new(sudo);
    command
        .args(["-n", "true"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// What this kernel, or this container, keeps from root: `None` if nothing that
/// the profiler needs.
pub(crate) fn kernel_refuses() -> Option<String> {
    if !Path::new("/sys/kernel/btf/vmlinux").exists() {
        return Some("this kernel has no BTF (/sys/kernel/btf/vmlinux)".to_owned());
    }
    // Only root's own capabilities tell: sudo's are not known until it runs.
    let held = status_field("CapEff:").filter(|_| is_root())?;
    (!traces(&held)).then(|| {
        "root lacks CAP_BPF and CAP_PERFMON (or CAP_SYS_ADMIN) here, as in most containers; \
         docker run --privileged grants them"
            .to_owned()
    })
}

fn status_field(name: &str) -> Option<String> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .map(|value| value.trim().to_owned())
}

/// The second of "real effective saved filesystem".
fn effective_id(ids: &str) -> Option<u32> {
    ids.split_whitespace().nth(1)?.parse().ok()
}

/// Whether a capability mask is enough for tracing programs (capabilities(7)).
fn traces(mask: &str) -> bool {
    const SYS_ADMIN: u64 = 1 << 21;
    const TRACE: u64 = 1 << 38 | 1 << 39;
    u64::from_str_radix(mask, 16).is_ok_and(|mask| mask & SYS_ADMIN != 0 || mask & TRACE == TRACE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_effective_user_counts() {
        assert_eq!(effective_id("1000\t0\t0\t0"), Some(0));
        assert_eq!(effective_id("0\t1000\t0\t0"), Some(1000));
        assert_eq!(effective_id(""), None);
    }

    #[test]
    fn a_container_without_capabilities_is_noticed() {
        assert!(traces("000001ffffffffff"));
        assert!(traces("000000c000000000"));
        assert!(!traces("00000000a80425fb"), "docker's default");
        assert!(!traces("0000004000000000"), "perfmon alone");
    }
}
