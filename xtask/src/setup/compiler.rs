//! A compiler that can build the kernel side, wherever it came from.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::process;

pub(crate) const BPF_TARGET: &str = if cfg!(target_endian = "big") {
    "bpfeb-unknown-none"
} else {
    "bpfel-unknown-none"
};

/// aya-ebpf opens feature gates, which a stable compiler allows only to crates
/// that it is told by name. (`1` would be shorter, but then aya-build asks for a
/// `core` built from source.) `profiler_ebpf` is the binary of the package profiler-ebpf.
const BOOTSTRAP: &str = "aya_ebpf,profiler_ebpf";

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Compiler {
    /// For `rustup run`: a name or an absolute path.
    pub(super) toolchain: String,
    /// `rustc 1.96.0 (ac68faa20 2026-05-25)`
    pub(super) version: String,
    /// The second number of its version.
    pub(super) minor: u32,
    /// The major version of its LLVM.
    pub(super) llvm: u32,
    pub(super) sysroot: PathBuf,
    pub(super) bootstrap: Option<String>,
}

impl Compiler {
    /// Asks the compiler of that toolchain about itself.
    pub(super) fn of(toolchain: &str) -> Result<Self> {
        let about = process::output(rustc(toolchain).arg("-vV"))?;
        let (version, minor, llvm, nightly) =
            parse(&about).with_context(|| format!("`rustc -vV` says\n{about}"))?;
        Ok(Self {
            toolchain: toolchain.to_owned(),
            version,
            minor,
            llvm,
            sysroot: sysroot(toolchain)?,
            bootstrap: (!nightly).then(|| BOOTSTRAP.to_owned()),
        })
    }

    /// With rust-src, `-Z build-std` can build a `core` for BPF.
    pub(super) fn has_source(&self) -> bool {
        has_source(&self.sysroot)
    }

    /// A distribution may have built that `core` already.
    pub(super) fn has_bpf_core(&self) -> bool {
        has_bpf_core(&self.sysroot)
    }
}

impl fmt::Display for Compiler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} with LLVM {}", self.version, self.llvm)
    }
}

pub(super) fn rustc(toolchain: &str) -> Command {
    let mut command = Command::new("rustup");
    command.args(["run", toolchain, "rustc"]);
    command
}

/// The first line of `rustc -vV`.
pub(super) fn version(toolchain: &str) -> Result<String> {
    let about = process::output(rustc(toolchain).arg("-V"))?;
    Ok(about.lines().next().unwrap_or_default().to_owned())
}

/// Whether that toolchain has a `core` for BPF, ready-made or to be built.
pub(super) fn builds_for_bpf(toolchain: &str) -> bool {
    sysroot(toolchain).is_ok_and(|sysroot| has_source(&sysroot) || has_bpf_core(&sysroot))
}

fn sysroot(toolchain: &str) -> Result<PathBuf> {
    let path = process::output(rustc(toolchain).args(["--print", "sysroot"]))?;
    Ok(PathBuf::from(path.trim_end()))
}

fn has_source(sysroot: &Path) -> bool {
    sysroot
        .join("lib/rustlib/src/rust/library/core/src/lib.rs")
        .exists()
}

fn has_bpf_core(sysroot: &Path) -> bool {
    let folder = sysroot.join("lib/rustlib").join(BPF_TARGET).join("lib");
    let names = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name());
    names.into_iter().any(|name| {
        let name = name.to_string_lossy();
        name.starts_with("libcore-") && name.ends_with(".rlib")
    })
}

/// Version line, minor version, LLVM's major version, whether it is a nightly.
fn parse(about: &str) -> Option<(String, u32, u32, bool)> {
    let value = |key: &str| about.lines().find_map(|line| line.strip_prefix(key));
    let release = value("release: ")?;
    let minor = release.split('.').nth(1)?.parse().ok()?;
    let llvm = value("LLVM version: ")?.split('.').next()?.parse().ok()?;
    let nightly = release.ends_with("-nightly") || release.ends_with("-dev");
    Some((about.lines().next()?.to_owned(), minor, llvm, nightly))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEBIAN: &str = "rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)\n\
        binary: rustc\nhost: x86_64-unknown-linux-gnu\nrelease: 1.96.0\nLLVM version: 22.1.8\n";

    #[test]
    fn a_distributions_compiler_is_a_stable_one() {
        let (version, minor, llvm, nightly) = parse(DEBIAN).unwrap();
        assert!(version.starts_with("rustc 1.96.0 (ac68faa20"));
        assert_eq!((minor, llvm, nightly), (96, 22, false));
    }

    #[test]
    fn a_nightly_is_told_by_its_release() {
        let about = "rustc 1.97.0-nightly (e50 2026-05-19)\nrelease: 1.97.0-nightly\n\
            LLVM version: 22.1.4\n";
        assert_eq!(
            parse(about).map(|(_, minor, llvm, nightly)| (minor, llvm, nightly)),
            Some((97, 22, true))
        );
    }

    #[test]
    fn a_compiler_without_llvm_is_none_of_ours() {
        assert_eq!(parse("rustc 1.96.0\nrelease: 1.96.0\n"), None);
    }
}
