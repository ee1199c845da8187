//! One boot: a kernel, a handful of files and disks in QEMU, within a time limit.
//!
//! By software emulation, always: it is slower, and the same everywhere. The disks lie in
//! files of the host.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use super::{
    archive::Archive,
    packages::Kernel,
    tools::{self, Tools},
};
use crate::process;

/// A boot takes minutes; what takes this long hangs.
const LIMIT: Duration = Duration::from_secs(600);
/// `timeout` ends the emulator even if nobody is left to do so; then it is our turn.
const GRACE: Duration = Duration::from_secs(10);
/// The room for what the guest has to say.
const SAID_BYTES: u64 = 256 << 20;
/// The guest's last words.
const DONE: &str = "the guest is done";

/// What a guest reads from, mounted in `/mnt/ext4` and so on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Disk {
    pub(super) filesystem: Filesystem,
    pub(super) bytes: u64,
    /// Reads a second that it takes; all that the emulator can without.
    pub(super) reads_a_second: Option<u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filesystem {
    Ext4,
    Xfs,
    Btrfs,
}

impl Filesystem {
    pub(super) const ALL: [Self; 3] = [Self::Ext4, Self::Xfs, Self::Btrfs];

    /// As the kernel calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
            Self::Btrfs => "btrfs",
        }
    }

    fn options(self) -> &'static [&'static str] {
        match self {
            // Nothing of it is left to be made later, in the middle of a test.
            Self::Ext4 => &["-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0"],
            Self::Xfs | Self::Btrfs => &["-q", "-f"],
        }
    }
}

/// What a guest's clock counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    /// The host's time.
    Host,
    /// Instructions, one for a nanosecond, so that a run does not depend on what else the host
    /// does. Where all processors sleep, it leaps to the next timer: a disk may seem to take
    /// as long as that.
    Instructions,
    /// Instructions, and the host's time where all processors sleep, so that disks take as long
    /// as they do.
    InstructionsAndSleep,
}

impl Clock {
    fn options(self) -> &'static [&'static str] {
        match self {
            Self::Host => &[],
            Self::Instructions => &["-icount", "shift=0,sleep=off"],
            Self::InstructionsAndSleep => &["-icount", "shift=0,sleep=on"],
        }
    }
}

/// The machine that a guest runs on, and what it runs there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine<'a> {
    pub(super) cpus: u32,
    /// As QEMU takes it: `512M`.
    pub(super) memory: &'a str,
    pub(super) clock: Clock,
    /// Added to the kernel's command line.
    pub(super) append: &'a str,
    pub(super) disks: &'a [Disk],
    /// Static programs, by their names in `/bin`.
    pub(super) programs: &'a [(&'a str, &'a Path)],
    /// Programs of the [`Tools`], with the shared libraries that they need.
    pub(super) tools: &'a [&'a str],
    /// Commands for the guest's shell; what they leave in `/out` comes back.
    pub(super) script: &'a str,
}

/// One processor whose clock counts instructions, and a small disk.
pub(super) const COUNTED: Machine<'_> = Machine {
    cpus: 1,
    memory: "512M",
    clock: Clock::Instructions,
    append: "",
    disks: &[Disk {
        filesystem: Filesystem::Ext4,
        bytes: 96 << 20,
        reads_a_second: None,
    }],
    programs: &[],
    tools: &[],
    script: "",
};

/// Boots the kernel on the machine; gives the folder with what the guest left.
pub(super) fn boot(
    tools: &Tools,
    kernel: &Kernel,
    work: &Path,
    machine: &Machine<'_>,
) -> Result<PathBuf> {
    let start = work.join("start");
    fs::write(&start, files(tools, kernel, machine)?)?;
    let said = work.join("said");
    fs::File::create(&said)?.set_len(SAID_BYTES)?;
    let console = work.join("console");
    let mut qemu = qemu(tools, kernel, &start, &console, machine)?;
    for disk in machine.disks {
        let name = disk.filesystem.name();
        let path = work.join(name);
        fs::File::create(&path)?.set_len(disk.bytes)?;
        let mut mkfs = tools.command(&format!("mkfs.{name}"))?;
        process::output(mkfs.args(disk.filesystem.options()).arg(&path))?;
        let limit = disk.reads_a_second.map_or_else(String::new, |reads| {
            format!(",throttling.iops-read={reads}")
        });
        drive(&mut qemu, name, &path, &limit);
    }
    drive(&mut qemu, "said", &said, "");
    qemu.stdout(Stdio::null());
    let ended = process::run_within(&mut qemu, LIMIT + GRACE);
    let console = fs::read(&console).unwrap_or_default();
    let console = String::from_utf8_lossy(&console);
    if !console.contains(DONE) {
        let how = ended.err().map(|error| format!(" ({error:#})"));
        bail!(
            "the guest did not come to its end{}; its console:\n{}",
            how.unwrap_or_default(),
            tail(&console, 15)
        );
    }
    let folder = work.join("files");
    fs::create_dir_all(&folder)?;
    let mut tar = Command::new("tar");
    process::output(tar.arg("-xf").arg(&said).arg("-C").arg(&folder))?;
    Ok(folder)
}

fn qemu(
    tools: &Tools,
    kernel: &Kernel,
    start: &Path,
    console: &Path,
    machine: &Machine<'_>,
) -> Result<Command> {
    let emulator = tools.qemu()?;
    let mut qemu = Command::new("timeout");
    // In the foreground, so that ^C ends it too.
    qemu.args([
        "--foreground",
        "--signal=KILL",
        &LIMIT.as_secs().to_string(),
    ]);
    qemu.arg(emulator.get_program()).args(emulator.get_args());
    for (name, value) in emulator.get_envs() {
        if let Some(value) = value {
            qemu.env(name, value);
        }
    }
    // With a thread for each processor, a kernel that patches its own code can meet a
    // processor in the middle of the patched instruction (seen in 7.3's scheduler).
    qemu.args(["-accel", "tcg,thread=single", "-cpu", "max"]);
    qemu.args(["-m", machine.memory, "-smp", &machine.cpus.to_string()]);
    qemu.args(machine.clock.options());
    qemu.args(["-nodefaults", "-no-reboot", "-display", "none"]);
    qemu.arg("-serial")
        .arg(format!("file:{}", console.display()));
    qemu.arg("-kernel").arg(&kernel.image);
    qemu.arg("-initrd").arg(start);
    // A panic ends the machine, and so the boot.
    qemu.arg("-append");
    qemu.arg(format!("console=ttyS0 quiet panic=-1 {}", machine.append));
    Ok(qemu)
}

fn drive(qemu: &mut Command, serial: &str, path: &Path, limit: &str) {
    let path = path.display();
    qemu.arg("-drive");
    qemu.arg(format!(
        "id={serial},file={path},format=raw,if=none,cache=unsafe{limit}"
    ));
    qemu.arg("-device");
    qemu.arg(format!("virtio-blk-pci,drive={serial},serial={serial}"));
}

fn files(tools: &Tools, kernel: &Kernel, machine: &Machine<'_>) -> Result<Vec<u8>> {
    let read = |path: &Path| fs::read(path).with_context(|| path.display().to_string());
    let mut archive = Archive::default();
    for folder in [
        "bin", "dev", "proc", "sys", "tmp", "mnt", "out", "modules", "lib", "lib64",
    ] {
        archive.folder(folder);
    }
    for disk in machine.disks {
        archive.folder(&format!("mnt/{}", disk.filesystem.name()));
    }
    archive.program("bin/busybox", &read(&tools.path("busybox")?)?);
    archive.link("bin/sh", "busybox");
    for (name, path) in machine.programs {
        archive.program(&format!("bin/{name}"), &read(path)?);
    }
    let mut libraries = Vec::new();
    for name in machine.tools {
        archive.program(&format!("bin/{name}"), &read(&tools.path(name)?)?);
        libraries.extend(tools.libraries(name)?);
    }
    libraries.sort();
    libraries.dedup();
    for library in &libraries {
        let name = library.file_name().unwrap_or_default().to_string_lossy();
        archive.program(&format!("lib/{name}"), &read(library)?);
    }
    if !libraries.is_empty() {
        archive.program(tools::LOADER, &read(&tools.loader())?);
    }
    for module in &kernel.modules {
        let name = module.file_name().unwrap_or_default().to_string_lossy();
        archive.program(&format!("modules/{name}"), &read(module)?);
    }
    archive.program("init", script(machine).as_bytes());
    Ok(archive.finish())
}

/// The guest's first and only program.
fn script(machine: &Machine<'_>) -> String {
    let mounts = machine.disks.iter().map(|disk| {
        let name = disk.filesystem.name();
        format!("mount -t {name} \"${name}\" /mnt/{name}\n")
    });
    let mounts = mounts.collect::<String>();
    let commands = machine.script;
    format!(
        r#"#!/bin/sh
/bin/busybox --install -s /bin
export PATH=/bin HOME=/tmp LD_LIBRARY_PATH=/lib
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /tmp
mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p /dev/pts && mount -t devpts devpts /dev/pts
ip link set lo up
for module in /modules/*.ko; do
    [ -e "$module" ] && insmod "$module"
done
for disk in /sys/block/vd*; do
    read -r serial <"$disk/serial"
    eval "$serial=/dev/${{disk##*/}}"
done
{mounts}{commands}
umount /mnt/*
tar -C /out -cf "$said" . && sync && echo "{DONE}"
poweroff -f
"#
    )
}

fn tail(text: &str, lines: usize) -> String {
    let all = text.lines().collect::<Vec<_>>();
    all[all.len().saturating_sub(lines)..].join("\n")
}
