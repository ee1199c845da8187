//! One boot: a kernel, a handful of files and two disks in QEMU, within a time limit.
//!
//! By software emulation, always: it is slower, and the same everywhere. The data disk
//! lies in the host's memory, and takes a fixed number of reads a second: without that it
//! would answer before most readers have gone to sleep.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

use super::{archive::Archive, packages::Kernel, tools::Tools};
use crate::process;

/// A boot and the bench take seconds; what takes this long hangs.
const LIMIT: Duration = Duration::from_secs(300);
/// `timeout` ends the emulator even if nobody is left to do so; then it is our turn.
const GRACE: Duration = Duration::from_secs(10);
/// The file system that is read from, and the room for what the guest has to say.
const DATA_BYTES: u64 = 96 << 20;
const SAID_BYTES: u64 = 16 << 20;
/// Reads a second that the data disk takes, a tenth of a second's worth at once.
pub(super) const READS_A_SECOND: u32 = 400;
pub(super) const CPUS: u32 = 2;
pub(super) const MEMORY: &str = "512M";
/// What is run in every guest.
pub(super) const BENCH: &str = "profiler bench --dir /mnt --size 16M --reads 500 --json -";
/// The guest's last words.
const DONE: &str = "the guest is done";

/// The machine that a guest runs on, and what it runs there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Machine<'a> {
    pub(super) cpus: u32,
    /// Its clock counts instructions, so that a run does not depend on what else the host does.
    pub(super) instruction_clock: bool,
    /// Added to the kernel's command line.
    pub(super) append: &'a str,
    /// Reads a second that the data disk takes; all that it can without.
    pub(super) reads_a_second: Option<u32>,
    /// Commands for the guest's shell; what they leave in `/out` comes back.
    pub(super) script: &'a str,
}

/// What a guest left.
#[derive(Debug)]
pub(super) struct Said {
    /// What `profiler doctor` said.
    pub(super) doctor: String,
    /// The report, as JSON.
    pub(super) report: String,
    /// The bench's standard error.
    pub(super) progress: String,
    /// Its exit code.
    pub(super) status: String,
}

/// Boots the kernel and runs the bench in it.
pub(super) fn run(tools: &Tools, kernel: &Kernel, profiler: &Path, work: &Path) -> Result<Said> {
    let script = format!(
        "profiler doctor >/out/doctor 2>&1\n{BENCH} >/out/report 2>/out/progress\n\
         echo $? >/out/status\n"
    );
    let machine = Machine {
        cpus: CPUS,
        instruction_clock: false,
        append: "",
        reads_a_second: Some(READS_A_SECOND),
        script: &script,
    };
    let folder = boot(tools, kernel, profiler, work, &machine)?;
    Ok(Said {
        doctor: file(&folder, "doctor")?,
        report: file(&folder, "report")?,
        progress: file(&folder, "progress")?,
        status: file(&folder, "status")?.trim().to_owned(),
    })
}

/// A file that a guest left.
pub(super) fn file(folder: &Path, name: &str) -> Result<String> {
    let path = folder.join(name);
    fs::read_to_string(&path).with_context(|| format!("the guest left no {name}"))
}

/// Boots the kernel on the machine; gives the folder with what the guest left.
pub(super) fn boot(
    tools: &Tools,
    kernel: &Kernel,
    profiler: &Path,
    work: &Path,
    machine: &Machine<'_>,
) -> Result<PathBuf> {
    let start = work.join("start");
    fs::write(&start, files(tools, kernel, profiler, machine.script)?)?;
    let (data, said) = (work.join("data"), work.join("said"));
    fs::File::create(&data)?.set_len(DATA_BYTES)?;
    fs::File::create(&said)?.set_len(SAID_BYTES)?;
    // Nothing of it is left to be made later, in the middle of the bench.
    let whole = "lazy_itable_init=0,lazy_journal_init=0";
    let mut mkfs = tools.command("mkfs.ext4")?;
    process::output(mkfs.args(["-q", "-F", "-E", whole]).arg(&data))?;
    let console = work.join("console");
    let mut qemu = qemu(tools, kernel, &start, &console, machine)?;
    let slow = machine.reads_a_second.map_or_else(String::new, |reads| {
        format!(",throttling.iops-read={reads}")
    });
    for (serial, path, limit) in [("data", &data, slow.as_str()), ("said", &said, "")] {
        let path = path.display();
        qemu.arg("-drive");
        qemu.arg(format!(
            "id={serial},file={path},format=raw,if=none,cache=unsafe{limit}"
        ));
        qemu.arg("-device");
        qemu.arg(format!("virtio-blk-pci,drive={serial},serial={serial}"));
    }
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
    qemu.args(["-m", MEMORY, "-smp", &machine.cpus.to_string()]);
    if machine.instruction_clock {
        qemu.args(["-icount", "shift=0,sleep=off"]);
    }
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

fn files(tools: &Tools, kernel: &Kernel, profiler: &Path, commands: &str) -> Result<Vec<u8>> {
    let read = |path: &Path| fs::read(path).with_context(|| path.display().to_string());
    let mut archive = Archive::default();
    for folder in ["bin", "dev", "proc", "sys", "tmp", "mnt", "out", "modules"] {
        archive.folder(folder);
    }
    archive.program("bin/busybox", &read(&tools.path("busybox")?)?);
    archive.link("bin/sh", "busybox");
    archive.program("bin/profiler", &read(profiler)?);
    for module in &kernel.modules {
        let name = module.file_name().unwrap_or_default().to_string_lossy();
        archive.program(&format!("modules/{name}"), &read(module)?);
    }
    archive.program("init", script(commands).as_bytes());
    Ok(archive.finish())
}

/// The guest's first and only program.
fn script(commands: &str) -> String {
    format!(
        r#"#!/bin/sh
/bin/busybox --install -s /bin
export PATH=/bin HOME=/tmp
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /tmp
mount -t debugfs debugfs /sys/kernel/debug
mount -t tracefs tracefs /sys/kernel/tracing
for module in /modules/*.ko; do
    [ -e "$module" ] && insmod "$module"
done
for disk in /sys/block/vd*; do
    case "$(cat "$disk/serial")" in
        data) data=/dev/${{disk##*/}} ;;
        said) said=/dev/${{disk##*/}} ;;
    esac
done
mount -t ext4 "$data" /mnt
{commands}
umount /mnt
tar -C /out -cf "$said" . && sync && echo "{DONE}"
poweroff -f
"#
    )
}

fn tail(text: &str, lines: usize) -> String {
    let all = text.lines().collect::<Vec<_>>();
    all[all.len().saturating_sub(lines)..].join("\n")
}
