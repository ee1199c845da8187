//! The programs that booting a kernel takes, in a folder of our own.
//!
//! They are Debian's packages with all that they depend on, unpacked beside the kernels and
//! run through their own loader of shared libraries. So nothing of the system is changed, and
//! it does not matter which versions it has.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use super::{
    clear,
    packages::{self, Apt, Suite},
    step,
};
use crate::process;

const PACKAGES: [&str; 7] = [
    "qemu-system-x86",
    "seabios",
    "busybox-static",
    "e2fsprogs",
    "xfsprogs",
    "btrfs-progs",
    "xz-utils",
];

const SUITES: [Suite; 3] = [
    ("Debian", "bookworm"),
    ("Debian", "bookworm-updates"),
    ("Debian-Security", "bookworm-security"),
];

/// Where packages put programs.
const FOLDERS: [&str; 4] = ["usr/bin", "bin", "usr/sbin", "sbin"];
/// Where they put shared libraries.
const LIBRARIES: [&str; 2] = ["lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu"];
pub(super) const LOADER: &str = "lib64/ld-linux-x86-64.so.2";
/// Part of the name of the program that loads shared libraries.
const LOADER_NAME: &[u8] = b"/ld-linux";

/// The unpacked packages.
#[derive(Debug)]
pub(super) struct Tools {
    root: PathBuf,
}

impl Tools {
    /// Fetches them, unless they are there.
    pub(super) fn ensure(folder: &Path) -> Result<Self> {
        for program in ["apt-get", "apt-cache", "dpkg-deb", "tar", "timeout"] {
            if process::find(program).is_none() {
                bail!("the kernels come in Debian's packages, and there is no {program} here");
            }
        }
        let home = folder.join("tools");
        let root = home.join("root");
        let (stamp, wanted) = (home.join("ready"), PACKAGES.join(" "));
        if fs::read_to_string(&stamp).ok().as_deref() != Some(&wanted) {
            step("fetching QEMU and what else a guest takes");
            clear(&home)?;
            fs::create_dir_all(&root).with_context(|| root.display().to_string())?;
            let apt = Apt::new(home.join("apt"), &SUITES)?;
            packages::unpack(&apt.download_all(&PACKAGES)?, &root)?;
            fs::write(&stamp, wanted).with_context(|| stamp.display().to_string())?;
        }
        Ok(Self { root })
    }

    /// A program of theirs, to be given arguments.
    pub(super) fn command(&self, program: &str) -> Result<Command> {
        let mut command = self.load();
        command.arg(self.path(program)?);
        Ok(command)
    }

    /// The loader, told where their shared libraries are.
    fn load(&self) -> Command {
        let mut command = Command::new(self.loader());
        let libraries = LIBRARIES.map(|folder| self.root.join(folder).display().to_string());
        command.args(["--library-path", &libraries.join(":")]);
        command
    }

    pub(super) fn loader(&self) -> PathBuf {
        self.root.join(LOADER)
    }

    /// The shared libraries that a program of theirs needs.
    pub(super) fn libraries(&self, program: &str) -> Result<Vec<PathBuf>> {
        let mut command = self.load();
        let text = process::output(command.arg("--list").arg(self.path(program)?))?;
        Ok(listed(&text))
    }

    /// QEMU, which looks for parts of itself and for its firmware.
    pub(super) fn qemu(&self) -> Result<Command> {
        let mut command = self.command("qemu-system-x86_64")?;
        let modules = self.root.join(LIBRARIES[1]).join("qemu");
        command.env("QEMU_MODULE_DIR", modules);
        for folder in ["usr/share/qemu", "usr/share/seabios"] {
            command.arg("-L").arg(self.root.join(folder));
        }
        Ok(command)
    }

    /// Where one of their programs is.
    pub(super) fn path(&self, program: &str) -> Result<PathBuf> {
        let places = FOLDERS.map(|folder| self.root.join(folder).join(program));
        places
            .into_iter()
            .find(|path| path.is_file())
            .with_context(|| format!("Debian's packages had no {program}"))
    }
}

/// The paths in what the loader lists: `libz.so.1 => /lib/libz.so.1 (0x00007f00)`.
fn listed(text: &str) -> Vec<PathBuf> {
    let path = |line: &str| {
        let (_, after) = line.split_once(" => /")?;
        let path = after.split(" (").next()?;
        Some(Path::new("/").join(path))
    };
    text.lines().filter_map(path).collect()
}

/// Does the program run without shared libraries?
pub(super) fn is_static(program: &Path) -> Result<bool> {
    let bytes = fs::read(program).with_context(|| program.display().to_string())?;
    // The loader is named among the first headers of a program that needs one.
    let head = &bytes[..bytes.len().min(4096)];
    let names_loader = |window: &[u8]| window == LOADER_NAME;
    Ok(!head.windows(LOADER_NAME.len()).any(names_loader))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_test_needs_shared_libraries() {
        let us = std::env::current_exe().unwrap();
        assert!(!is_static(&us).unwrap());
    }

    #[test]
    fn libraries_are_those_that_have_a_path() {
        let text = "\tlinux-vdso.so.1 (0x1)\n\tlibc.so.6 => /a/libc.so.6 (0x2)\n\t/l/ld.so (0x3)\n";
        assert_eq!(listed(text), [PathBuf::from("/a/libc.so.6")]);
    }

    #[test]
    fn a_program_that_no_package_has_is_named() {
        let tools = Tools {
            root: PathBuf::from("/nonexistent"),
        };
        let error = tools.command("mkfs.none").unwrap_err();
        assert!(error.to_string().contains("mkfs.none"));
    }
}
