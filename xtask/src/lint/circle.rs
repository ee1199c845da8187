//! No file of the library imports, by way of others, itself: what one reads first has to be
//! readable first.
//!
//! A file imports another if it names something that the other defines. A name that a third file
//! only passes on (`pub use`) leads to the file that defines it, and passing on is no import: so
//! the parts of a module may take what belongs to it from `super`, and its `mod.rs` may be a table
//! of contents.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{From, Source};

type Module = Vec<String>;

/// The files and what each imports.
#[derive(Debug, Default)]
struct Graph<'a> {
    files: BTreeMap<Module, &'a Source>,
    imports: BTreeMap<Module, BTreeSet<Module>>,
}

pub(super) fn complaints(sources: &[Source]) -> Vec<String> {
    let graph = Graph::of(sources);
    let mut left: BTreeSet<&Module> = graph.imports.keys().collect();
    // What imports nothing that is left is in no circle.
    while let Some(module) = left.iter().copied().find(|it| graph.leaves(it, &left)) {
        left.remove(module);
    }
    let mut complaints = Vec::new();
    while let Some(start) = left.first().copied() {
        let circle = graph.circle(start, &left);
        for module in &circle {
            left.remove(module);
        }
        while let Some(module) = left.iter().copied().find(|it| graph.leaves(it, &left)) {
            left.remove(module);
        }
        let names = circle.iter().chain(circle.first());
        let names = names.map(|module| graph.files[*module].path.display().to_string());
        complaints.push(format!(
            "files import each other in a circle: {}",
            names.collect::<Vec<_>>().join(" → ")
        ));
    }
    complaints
}

impl<'a> Graph<'a> {
    fn of(sources: &'a [Source]) -> Self {
        let files = sources.iter().filter_map(|it| Some((it.module()?, it)));
        let mut graph = Self {
            // The roots of library and program are tables of contents.
            files: files.filter(|(module, _)| !module.is_empty()).collect(),
            imports: BTreeMap::new(),
        };
        for (module, source) in &graph.files {
            let imported = source
                .mentions
                .iter()
                .filter(|mention| !matches!(mention.from, From::Use { public: true, .. }));
            let imported = imported.filter_map(|it| graph.defines(module, &it.segments, 0));
            let imported = imported.filter(|it| it != module).collect();
            graph.imports.insert(module.clone(), imported);
        }
        graph
    }

    /// The file that defines what a path in a module names, if it is one of ours.
    fn defines(&self, module: &Module, segments: &[String], depth: u8) -> Option<Module> {
        let (mut at, mut rest) = (module.clone(), segments);
        match rest.first()?.as_str() {
            "crate" | "profiler" => {
                at.clear();
                rest = &rest[1..];
            }
            "super" | "self" => {
                while let Some(first @ ("super" | "self")) = rest.first().map(String::as_str) {
                    if first == "super" {
                        at.pop()?;
                    }
                    rest = &rest[1..];
                }
            }
            first => {
                // A path begins with a child of the module, or with a name that it has imported.
                let child = [module.as_slice(), &[first.to_owned()]].concat();
                if !self.files.contains_key(&child) {
                    return None;
                }
            }
        }
        while let Some((first, others)) = rest.split_first() {
            let child = [at.as_slice(), std::slice::from_ref(first)].concat();
            if self.files.contains_key(&child) {
                (at, rest) = (child, others);
                continue;
            }
            // A circle of `pub use` does not compile; this only has to end.
            if depth < 8
                && let Some(passed_on) = self.passed_on(&at, first)
            {
                return self.defines(&at, &passed_on, depth + 1);
            }
            break;
        }
        self.files.contains_key(&at).then_some(at)
    }

    /// The path that a name of a module stands for, if the module only passes it on.
    fn passed_on(&self, module: &Module, wanted: &str) -> Option<Vec<String>> {
        let mentions = &self.files.get(module)?.mentions;
        let found = mentions
            .iter()
            .find(|mention| matches!(&mention.from, From::Use { name, .. } if name == wanted));
        found.map(|mention| mention.segments.clone())
    }

    fn leaves(&self, module: &Module, left: &BTreeSet<&Module>) -> bool {
        self.imports[module].iter().all(|it| !left.contains(it))
    }

    /// A circle that is reached from a module of which everything left is, or leads to, one.
    fn circle<'b>(&'b self, start: &'b Module, left: &BTreeSet<&Module>) -> Vec<&'b Module> {
        let mut way = vec![start];
        loop {
            let last = way[way.len() - 1];
            let next = self.imports[last].iter().find(|it| left.contains(it));
            // Each module that is left imports another one that is.
            let Some(next) = next else { return way };
            if let Some(at) = way.iter().position(|it| *it == next) {
                return way.split_off(at);
            }
            way.push(next);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::source::tests::source, *};

    fn complain(files: &[(&str, &str)]) -> Vec<String> {
        let sources = files
            .iter()
            .map(|(path, text)| source(&format!("profiler/src/{path}"), text));
        complaints(&sources.collect::<Vec<_>>())
    }

    #[test]
    fn a_circle_of_files_is_shown() {
        let said = complain(&[
            ("a/mod.rs", "pub mod b; pub mod c; pub mod d;"),
            ("a/b.rs", "use super::c::C; pub struct B;"),
            ("a/c.rs", "pub struct C; fn f() { crate::a::d::g() }"),
            ("a/d.rs", "use crate::a::{b::B, e}; fn g() {}"),
            ("a/e.rs", ""),
        ]);
        assert_eq!(
            said,
            [
                "files import each other in a circle: profiler/src/a/b.rs → profiler/src/a/c.rs → \
              profiler/src/a/d.rs → profiler/src/a/b.rs"
            ]
        );
    }

    #[test]
    fn what_is_passed_on_is_no_circle() {
        let contents = "mod b; mod c; pub use b::B; pub use c::C as D;";
        let said = complain(&[
            ("a/mod.rs", contents),
            ("a/b.rs", "pub struct B;"),
            ("a/c.rs", "use super::B; pub struct C;"),
            ("d.rs", "use crate::a::{B, D};"),
        ]);
        assert_eq!(said, [""; 0]);
        // But what the parent defines itself, and makes of its children, is.
        let said = complain(&[
            ("a/mod.rs", "mod b; use b::B; pub struct A(B);"),
            ("a/b.rs", "use super::A; pub struct B;"),
        ]);
        assert_eq!(said.len(), 1);
    }

    #[test]
    fn tests_may_import_what_they_like() {
        let said = complain(&[
            ("a.rs", "use crate::b::B; pub struct A;"),
            (
                "b.rs",
                "pub struct B; #[cfg(test)] mod tests { use crate::a::A; }",
            ),
        ]);
        assert_eq!(said, [""; 0]);
    }
}
