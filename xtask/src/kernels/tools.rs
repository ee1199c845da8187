//! The programs that booting a kernel takes.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    args, process,
    setup::programs::{self, Program},
};

const NEEDED: [Program; 4] = [
    ("qemu-system-x86_64", "qemu-system-x86"),
    ("busybox", "busybox-static"),
    ("mkfs.ext4", "e2fsprogs"),
    ("xz", "xz-utils"),
];

/// Part of the name of the program that loads shared libraries.
const LOADER: &[u8] = b"/ld-linux";

/// Where they are.
#[derive(Debug)]
pub(super) struct Tools {
    pub(super) qemu: PathBuf,
    pub(super) busybox: PathBuf,
    pub(super) mkfs: PathBuf,
}

/// Finds the programs, and installs what is missing if that is allowed.
pub(super) fn ensure(install: args::Install) -> Result<Tools> {
    for program in ["apt-get", "apt-cache", "dpkg-deb", "tar", "timeout"] {
        if process::find(program).is_none() {
            bail!("the kernels come in Debian's packages, and there is no {program} here");
        }
    }
    programs::install(&missing(), install)?;
    let path =
        |program: &str| programs::find(program).with_context(|| format!("there is no {program}"));
    Ok(Tools {
        qemu: path("qemu-system-x86_64")?,
        busybox: path("busybox")?,
        mkfs: path("mkfs.ext4")?,
    })
}

fn missing() -> Vec<&'static str> {
    let mut missing = programs::missing(&NEEDED);
    let [_, (busybox, package), ..] = NEEDED;
    // A guest has no libraries.
    if programs::find(busybox).is_some_and(|path| !is_static(&path).unwrap_or(false)) {
        missing.push(package);
    }
    missing
}

/// Does the program run without shared libraries?
pub(super) fn is_static(program: &Path) -> Result<bool> {
    let bytes = fs::read(program).with_context(|| program.display().to_string())?;
    // The loader is named among the first headers of a program that needs one.
    let head = &bytes[..bytes.len().min(4096)];
    Ok(!head.windows(LOADER.len()).any(|window| window == LOADER))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_very_test_needs_shared_libraries() {
        let us = std::env::current_exe().unwrap();
        assert!(!is_static(&us).unwrap());
    }
}
