//! Every file is part of a crate: one that no `mod` names is not compiled, and nobody says so.

use std::path::{Path, PathBuf};

use super::source::Source;

/// Files that crates begin with: cargo finds them.
fn is_root(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let folder = path.parent().and_then(Path::file_name);
    let folder = folder.unwrap_or_default().to_string_lossy();
    match name.as_ref() {
        "build.rs" | "main.rs" | "lib.rs" => true,
        _ => matches!(folder.as_ref(), "tests" | "benches" | "bin" | "examples"),
    }
}

/// The files that may name a module, and the module's name.
fn parents(path: &Path) -> Option<(Vec<PathBuf>, String)> {
    let path = match path.file_name()?.to_str()? {
        // `a/mod.rs` is `a`.
        "mod.rs" => path.parent()?.with_extension("rs"),
        _ => path.to_owned(),
    };
    let folder = path.parent()?;
    let mut parents: Vec<PathBuf> = ["mod.rs", "lib.rs", "main.rs"]
        .map(|name| folder.join(name))
        .into();
    parents.push(folder.with_extension("rs"));
    Some((parents, path.file_stem()?.to_str()?.to_owned()))
}

pub(super) fn complaints(sources: &[Source]) -> Vec<String> {
    let names = |source: &Source, module: &str| {
        let declares = |line: &str| {
            let line = line.trim().strip_suffix(';').unwrap_or_default();
            line.strip_suffix(module)
                .is_some_and(|before| before.ends_with("mod "))
        };
        source.text.lines().any(declares)
    };
    let orphans = sources.iter().filter(|source| {
        let Some((parents, module)) = parents(&source.path) else {
            return false;
        };
        let mut parents = sources.iter().filter(|it| parents.contains(&it.path));
        !is_root(&source.path) && !parents.any(|parent| names(parent, &module))
    });
    let complaints = orphans.map(|source| {
        format!(
            "{}: no `mod` names this file, so it is not compiled",
            source.path.display()
        )
    });
    complaints.collect()
}

#[cfg(test)]
mod tests {
    use super::{super::source::tests::source, *};

    #[test]
    fn a_file_without_its_mod_is_an_orphan() {
        let tree = |rows: &[(&str, &str)]| {
            let files: Vec<_> = rows.iter().map(|(path, text)| source(path, text)).collect();
            complaints(&files)
        };
        let whole = [
            ("x/src/lib.rs", "pub mod a;\nmod b;\n"),
            ("x/src/a/mod.rs", "pub(super) mod c;\n"),
            ("x/src/a/c.rs", ""),
            ("x/src/b.rs", "#[cfg(test)]\nmod tests;\n"),
            ("x/src/b/tests.rs", ""),
            ("x/tests/one.rs", ""),
            ("x/build.rs", ""),
        ];
        assert_eq!(tree(&whole), [""; 0]);
        let mut less = whole;
        less[1].1 = "// mod c comes later\n";
        assert_eq!(
            tree(&less),
            ["x/src/a/c.rs: no `mod` names this file, so it is not compiled"]
        );
    }
}
