//! The few modules that a guest needs, taken out of a kernel's package.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use super::tools::Tools;
use crate::process;

/// What is not among a kernel's modules is built in. Nothing depends on the algorithms
/// that file systems ask for by name (`crc32c` and so on).
pub(super) const WANTED: [&str; 14] = [
    "virtio_pci",
    "virtio_blk",
    "libcrc32c",
    "crc32c_generic",
    "crc32c_cryptoapi",
    "crc32c_intel",
    "xxhash_generic",
    "blake2b_generic",
    "sha256_generic",
    "ext4",
    "xfs",
    "btrfs",
    "loop",
    "fuse",
];

/// Unpacks the wanted modules and all that they depend on to `to`, named so that they
/// sort in the order in which they have to be loaded.
pub(super) fn take(unpacked: &Path, to: &Path, tools: &Tools) -> Result<()> {
    fs::create_dir_all(to)?;
    let mut taken = Vec::new();
    for name in WANTED {
        take_one(unpacked, name, to, &mut taken, tools)?;
    }
    Ok(())
}

fn take_one(
    from: &Path,
    name: &str,
    to: &Path,
    taken: &mut Vec<String>,
    tools: &Tools,
) -> Result<()> {
    if taken.iter().any(|it| it == name) {
        return Ok(());
    }
    let Some(path) = find(from, &|file| module(file).as_deref() == Some(name)) else {
        return Ok(());
    };
    taken.push(name.to_owned());
    let bytes = read(&path, tools)?;
    for dependency in dependencies(&bytes) {
        take_one(from, &dependency, to, taken, tools)?;
    }
    let order = fs::read_dir(to)?.count();
    fs::write(to.join(format!("{order:02}-{name}.ko")), bytes)?;
    Ok(())
}

/// The module's name in a file's; `-` and `_` are the same in it.
fn module(file: &str) -> Option<String> {
    let name = file.strip_suffix(".xz").unwrap_or(file);
    Some(name.strip_suffix(".ko")?.replace('-', "_"))
}

fn read(path: &Path, tools: &Tools) -> Result<Vec<u8>> {
    if path.extension().is_some_and(|extension| extension == "xz") {
        let mut command = tools.command("xz")?;
        process::bytes(command.arg("-dc").arg(path))
    } else {
        fs::read(path).with_context(|| path.display().to_string())
    }
}

/// Names of the modules that have to be loaded before, as the module itself says.
fn dependencies(bytes: &[u8]) -> Vec<String> {
    const KEY: &[u8] = b"\0depends=";
    let Some(at) = bytes.windows(KEY.len()).position(|window| window == KEY) else {
        return Vec::new();
    };
    let rest = &bytes[at + KEY.len()..];
    let value = rest.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(value)
        .split(',')
        .filter(|name| !name.is_empty())
        .map(|name| name.replace('-', "_"))
        .collect()
}

/// The first file below `folder` whose name is wanted.
pub(super) fn find(folder: &Path, wanted: &dyn Fn(&str) -> bool) -> Option<PathBuf> {
    for entry in fs::read_dir(folder).ok()?.flatten() {
        // Links in a package can lead out of it.
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if kind.is_dir() {
            if let Some(found) = find(&entry.path(), wanted) {
                return Some(found);
            }
        } else if kind.is_file() && wanted(&entry.file_name().to_string_lossy()) {
            return Some(entry.path());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_says_what_it_depends_on() {
        let bytes = b"license=GPL\0depends=virtio,virtio-ring\0retpoline=Y\0";
        assert_eq!(dependencies(bytes), ["virtio", "virtio_ring"]);
        assert!(dependencies(b"a=b\0depends=\0c=d").is_empty());
        assert!(dependencies(b"nothing at all").is_empty());
    }

    #[test]
    fn a_module_has_one_name_however_its_file_is_called() {
        assert_eq!(module("crc32c-intel.ko").as_deref(), Some("crc32c_intel"));
        assert_eq!(module("virtio_blk.ko.xz").as_deref(), Some("virtio_blk"));
        assert_eq!(module("modules.dep"), None);
    }
}
