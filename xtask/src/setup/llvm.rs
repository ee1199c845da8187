//! The LLVM that a bpf-linker is built on: the very library of the compiler, or
//! the distribution's of the same major version.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use super::{cache, compiler::Compiler};

#[derive(Debug)]
pub(super) struct Llvm {
    pub(super) library: PathBuf,
    /// Tells apart what is built on it: `llvm-22`, `llvm-22.1-rust-1.97.0-nightly`.
    pub(super) key: String,
}

impl Llvm {
    pub(super) fn of(compiler: &Compiler) -> Result<Self> {
        let places = places(&compiler.sysroot);
        let library = places
            .iter()
            .find_map(|folder| library_in(folder, compiler.llvm));
        let Some((library, key)) = library else {
            let folders = places.iter().map(|place| place.display().to_string());
            bail!(
                "no libLLVM {} in {}",
                compiler.llvm,
                folders.collect::<Vec<_>>().join(", ")
            );
        };
        Ok(Self { library, key })
    }

    /// A folder for LLVM_PREFIX, with the library in `lib/` both by the name that
    /// bpf-linker is linked with and by its own, which it is loaded with.
    pub(super) fn prefix(&self) -> Result<PathBuf> {
        let prefix = cache::folder()?.join(&self.key);
        let folder = prefix.join("lib");
        fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        for name in [
            "libLLVM.so".as_ref(),
            self.library.file_name().unwrap_or_default(),
        ] {
            let link = folder.join(name);
            if fs::read_link(&link).is_ok_and(|target| target == self.library) {
                continue;
            }
            if link.symlink_metadata().is_ok() {
                fs::remove_file(&link).with_context(|| link.display().to_string())?;
            }
            symlink(&self.library, &link).with_context(|| link.display().to_string())?;
        }
        Ok(prefix)
    }
}

fn places(sysroot: &Path) -> Vec<PathBuf> {
    let mut places = vec![sysroot.join("lib")];
    // Debian and Ubuntu: x86_64-linux-gnu. Fedora: lib64.
    places.push(format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH).into());
    places.push("/usr/lib64".into());
    places.push("/usr/lib".into());
    places
}

/// The library of that major version, and its key.
fn library_in(folder: &Path, major: u32) -> Option<(PathBuf, String)> {
    let names = fs::read_dir(folder)
        .ok()?
        .flatten()
        .map(|entry| entry.file_name());
    let names = names.into_iter().filter_map(|name| name.into_string().ok());
    let (name, key) = names
        .filter_map(|name| Some((key(&name, major)?, name)))
        .max()
        .map(|(key, name)| (name, key))?;
    Some((folder.join(name), key))
}

/// `libLLVM.so.22.1` is a distribution's, `libLLVM.so.22.1-rust-1.97.0-nightly`
/// came with a compiler and goes with it.
fn key(name: &str, major: u32) -> Option<String> {
    let version = name.strip_prefix("libLLVM.so.")?;
    let digits = version
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(version.len());
    if version[..digits].parse() != Ok(major) {
        return None;
    }
    let key = if version.contains("rust") {
        version
    } else {
        &version[..digits]
    };
    Some(format!("llvm-{key}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_known_by_its_name() {
        assert_eq!(key("libLLVM.so.22.1", 22).as_deref(), Some("llvm-22"));
        assert_eq!(key("libLLVM.so.22", 22).as_deref(), Some("llvm-22"));
        assert_eq!(
            key("libLLVM.so.22.1-rust-1.97.0-nightly", 22).as_deref(),
            Some("llvm-22.1-rust-1.97.0-nightly")
        );
    }

    #[test]
    fn another_major_version_is_none_of_ours() {
        assert_eq!(key("libLLVM.so.22.1", 2), None);
        assert_eq!(key("libLLVM.so.19.1", 22), None);
        assert_eq!(key("libLLVM-14.so", 14), None, "a name from before LLVM 18");
        assert_eq!(key("libLTO.so.22", 22), None);
    }
}
