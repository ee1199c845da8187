//! A bpf-linker for a compiler: on PATH, in our cache, or built into it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use super::{cache, compiler::Compiler, llvm::Llvm, proof, shown, step};
use crate::{cargo, process};

/// The newest whose crate builds with the compilers that we support.
const VERSION: &str = "0.13.0";

/// The versions of LLVM that [`VERSION`] can be built on.
const LLVM: std::ops::RangeInclusive<u32> = 21..=23;

/// One that is here and reads what the compiler writes.
pub(super) fn present(compiler: &Compiler) -> Option<PathBuf> {
    let found = cached(compiler.llvm)
        .into_iter()
        .chain(process::find("bpf-linker"));
    for linker in found {
        let usable = version(&linker).and_then(|version| {
            if is_older(&version, VERSION) {
                bail!("it is {version}, this takes {VERSION}");
            }
            proof::links(compiler, &linker)
        });
        match usable {
            Ok(()) => {
                step(&format!(
                    "bpf-linker: {} links what it wrote",
                    shown(&linker)
                ));
                return Some(linker);
            }
            Err(error) => step(&format!("bpf-linker: not {}: {error:#}", shown(&linker))),
        }
    }
    None
}

/// Builds one, on the LLVM of the compiler. Takes a minute or two.
pub(super) fn install(compiler: &Compiler) -> Result<PathBuf> {
    if !LLVM.contains(&compiler.llvm) {
        bail!(
            "bpf-linker {VERSION} can't be built on LLVM {}",
            compiler.llvm
        );
    }
    let llvm = Llvm::of(compiler)?;
    let cache = cache::folder()?;
    let folder = cache.join(format!("bpf-linker-{VERSION}-{}", llvm.key));
    // Under another name until it is whole: an interrupted build is no linker.
    let draft = cache.join(format!(".draft-{}", std::process::id()));
    let mut command = cargo::cargo(&["install", "bpf-linker", "--version", VERSION, "--locked"]);
    command
        .args([
            "--no-default-features",
            "--features",
            &format!("llvm-{}", compiler.llvm),
        ])
        .arg("--root")
        .arg(&draft)
        .arg("--target-dir")
        .arg(draft.join("target"))
        .env("LLVM_PREFIX", llvm.prefix()?)
        .current_dir(&cache);
    step(&format!(
        "{} (takes a minute or two)",
        process::shown(&command)
    ));
    let installed = process::run(command.stdout(std::io::stderr())).and_then(|()| {
        proof::links(compiler, &draft.join("bin/bpf-linker"))?;
        fs::remove_dir_all(draft.join("target"))?;
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::rename(&draft, &folder).with_context(|| folder.display().to_string())
    });
    if draft.exists() {
        fs::remove_dir_all(&draft).with_context(|| draft.display().to_string())?;
    }
    installed?;
    Ok(folder.join("bin/bpf-linker"))
}

fn words(compiler: &Compiler) -> Vec<String> {
    format!(
        "install bpf-linker --version {VERSION} --locked --no-default-features --features llvm-{}",
        compiler.llvm
    )
    .split(' ')
    .map(str::to_owned)
    .collect()
}

/// What one would type to have one on PATH.
pub(super) fn by_hand(compiler: &Compiler) -> String {
    let library = match Llvm::of(compiler) {
        Ok(llvm) => llvm.library.display().to_string(),
        Err(_) => format!("…/libLLVM.so.{}.1", compiler.llvm),
    };
    format!(
        "mkdir -p ~/llvm/lib && ln -s {library} ~/llvm/lib/libLLVM.so\n  \
         LLVM_PREFIX=~/llvm cargo {}",
        words(compiler).join(" ")
    )
}

/// What a linker says it is; an error if it can't even be started, as after its
/// libLLVM went away.
pub(super) fn version(linker: &Path) -> Result<String> {
    let text = process::output(Command::new(linker).arg("--version"))?;
    let version = text.split_whitespace().nth(1);
    Ok(version
        .with_context(|| format!("{} says {text:?}", linker.display()))?
        .to_owned())
}

fn cached(llvm: u32) -> Vec<PathBuf> {
    let Ok(folder) = cache::folder() else {
        return Vec::new();
    };
    let prefix = format!("bpf-linker-{VERSION}-llvm-{llvm}");
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let ours = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(&prefix));
    let mut linkers = ours
        .map(|entry| entry.path().join("bin/bpf-linker"))
        .collect::<Vec<_>>();
    linkers.sort();
    linkers
}

fn is_older(version: &str, than: &str) -> bool {
    let numbers = |text: &str| {
        let text = text.split(['-', '+']).next().unwrap_or_default();
        text.split('.')
            .map(|part| part.parse::<u32>().unwrap_or(0))
            .collect::<Vec<_>>()
    };
    numbers(version) < numbers(than)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(is_older("0.9.15", "0.13.0"));
        assert!(!is_older("0.13.0", "0.13.0"));
        assert!(!is_older("0.14.0-alpha.1", "0.13.0"));
        assert!(!is_older("1.0.0", "0.13.0"));
        assert!(is_older("nonsense", "0.13.0"));
    }
}
