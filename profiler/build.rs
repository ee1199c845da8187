//! Builds the kernel side and puts its object into `OUT_DIR`.
//!
//! What to build it with was decided by `cargo xtask setup`, which left its
//! answer in the user's cache. So plain cargo, clippy and rust-analyzer build
//! the same thing in the same way, and none of them rebuilds what another has
//! built: the environment that the kernel side needs is set in here, for the
//! inner cargo alone.
//!
//! `PROFILER_BPF_TOOLCHAIN` overrides that: it names a rustup toolchain (or the
//! absolute path of one), and `PATH` and `RUSTC_BOOTSTRAP` are then taken as they
//! are. With neither, it is the usual way of aya: nightly with rust-src, and
//! bpf-linker on `PATH`.

use std::{
    env,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use aya_build::{Package, Toolchain};

const HELP: &str = "the kernel side could not be built; \
    `cargo xtask build` finds or installs what it needs, then builds it";

fn main() -> Result<()> {
    for variable in [
        "PROFILER_BPF_TOOLCHAIN",
        "RUSTC_BOOTSTRAP",
        "XDG_CACHE_HOME",
        "HOME",
    ] {
        println!("cargo:rerun-if-env-changed={variable}");
    }
    // Besides ../profiler-ebpf, which aya-build names: what else goes into it.
    for path in [
        "build.rs",
        "../profiler-common/src",
        "../Cargo.toml",
        "../Cargo.lock",
    ] {
        println!("cargo:rerun-if-changed={path}");
    }

    // aya-build passes on everything that the inner cargo prints as warnings, which the outer
    // cargo repeats at every build. Quiet, it prints only warnings proper.
    set("CARGO_TERM_QUIET", "true".into());
    let toolchain = toolchain()?;
    let toolchain = toolchain
        .as_deref()
        .map_or(Toolchain::Nightly, Toolchain::Custom);
    let package = Package {
        name: "profiler-ebpf",
        root_dir: "../profiler-ebpf",
        ..Package::default()
    };
    aya_build::build_ebpf([package], toolchain).context(HELP)
}

/// The toolchain to build with, and the environment made ready for it.
fn toolchain() -> Result<Option<String>> {
    if let Ok(toolchain) = env::var("PROFILER_BPF_TOOLCHAIN") {
        return Ok(Some(toolchain));
    }
    let Some(path) = decision_path().filter(|path| path.exists()) else {
        println!("cargo:warning=`cargo xtask setup` has not run; trying nightly as it is");
        return Ok(None);
    };
    println!("cargo:rerun-if-changed={}", path.display());
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let value = |key: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
            .map(String::from)
    };
    if let Some(linker) = value("linker") {
        let folder = Path::new(&linker)
            .parent()
            .map(Path::to_path_buf)
            .unwrap_or_default();
        let path = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths([folder].into_iter().chain(env::split_paths(&path)))
            .with_context(|| format!("{linker} can't be put on PATH"))?;
        set("PATH", path);
    }
    if let Some(crates) = value("bootstrap") {
        set("RUSTC_BOOTSTRAP", crates.into());
    }
    Ok(value("toolchain"))
}

/// Where `cargo xtask setup` leaves what it decided (xtask/src/setup/decision.rs).
fn decision_path() -> Option<PathBuf> {
    let absolute = |name| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")))?;
    Some(cache.join("profiler").join("setup"))
}

/// For the inner cargo: aya-build hands its own environment down and takes no other.
fn set(name: &str, value: OsString) {
    // SAFETY: this program has one thread as yet, so nobody reads the environment meanwhile.
    unsafe { env::set_var(name, value) }
}
