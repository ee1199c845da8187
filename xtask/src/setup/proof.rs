//! Whether a bpf-linker reads what a compiler writes. Neither tells its version of
//! LLVM in a way to rely on, so try it: a few lines of code, compiled to bitcode
//! and linked. They are compiled for the host, which needs no `core` for BPF;
//! bitcode is bitcode. About a tenth of a second.

use std::{env, fs, path::Path, process::Command};

use anyhow::{Context as _, Result};

use super::compiler::{self, BPF_TARGET, Compiler};
use crate::process;

const PROBE: &str = "#![no_std]\n\
    #[unsafe(no_mangle)]\n\
    pub extern \"C\" fn probe(context: u64) -> u64 {\n    context + 1\n}\n";

pub(super) fn links(compiler: &Compiler, linker: &Path) -> Result<()> {
    let folder = env::temp_dir().join(format!("profiler-proof-{}", std::process::id()));
    fs::create_dir(&folder).with_context(|| folder.display().to_string())?;
    let linked = link_in(&folder, compiler, linker);
    fs::remove_dir_all(&folder).with_context(|| folder.display().to_string())?;
    linked
}

fn link_in(folder: &Path, compiler: &Compiler, linker: &Path) -> Result<()> {
    let [source, bitcode, object] =
        ["probe.rs", "probe.bc", "probe.o"].map(|name| folder.join(name));
    fs::write(&source, PROBE)?;
    let mut compile = compiler::rustc(&compiler.toolchain);
    compile.args([
        "--edition=2024",
        "--crate-type=lib",
        "--emit=llvm-bc",
        "-O",
        "-Cdebuginfo=2",
    ]);
    process::output(compile.arg("-o").arg(&bitcode).arg(&source))?;
    let mut link = Command::new(linker);
    link.args(["--btf", "--export=probe"])
        .arg(format!("--target={BPF_TARGET}"));
    process::output(link.arg("-o").arg(&object).arg(&bitcode))?;
    fs::metadata(&object).context("bpf-linker wrote nothing")?;
    Ok(())
}
