//! What the Markdown pages point to exists: paths in backticks, relative links, and their anchors.
//!
//! A path in backticks is looked at if it starts in the root of the tree (`profiler/src/sink.rs`,
//! `.ci/run`), or names a Rust file or a page; the latter may be cut at its start
//! (`load/cast.rs`). Code blocks are not looked at: they show commands and output.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Component, Path, PathBuf},
};

use anyhow::{Context as _, Result};
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// A page, and what it points to; each with its line.
#[derive(Debug, Default)]
struct Page {
    code: Vec<(usize, String)>,
    links: Vec<(usize, String)>,
    anchors: BTreeSet<String>,
}

pub(super) fn complaints(root: &Path, paths: &BTreeSet<PathBuf>) -> Result<Vec<String>> {
    let mut pages = BTreeMap::new();
    for path in paths.iter().filter(|path| is_page(path)) {
        let text = fs::read_to_string(root.join(path)).with_context(|| path.display().to_string());
        pages.insert(path.clone(), Page::new(&text?));
    }
    let of_page = |(path, page): (&PathBuf, &Page)| page.complaints(path, &pages, paths);
    Ok(pages.iter().flat_map(of_page).collect())
}

fn is_page(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "md")
}

impl Page {
    fn new(text: &str) -> Self {
        let mut page = Self::default();
        let mut heading: Option<String> = None;
        for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
            let line = text[..range.start].matches('\n').count() + 1;
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => page.anchor(&heading.take().unwrap_or_default()),
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    page.links.push((line, dest_url.into_string()));
                }
                Event::Code(code) => {
                    heading.iter_mut().for_each(|text| text.push_str(&code));
                    page.code.push((line, code.into_string()));
                }
                Event::Text(words) => heading.iter_mut().for_each(|text| text.push_str(&words)),
                _ => {}
            }
        }
        page
    }

    /// Adds the anchor that web pages of git repositories make of a heading: lower case, spaces
    /// as hyphens, no other punctuation, and a number if the page had the same before.
    fn anchor(&mut self, heading: &str) {
        let kept = heading.chars().filter_map(|char| match char {
            ' ' => Some('-'),
            '-' | '_' => Some(char),
            _ => char.is_alphanumeric().then_some(char),
        });
        let anchor = kept.collect::<String>().to_lowercase();
        let again = (1..).map(|number| format!("{anchor}-{number}"));
        let mut names = std::iter::once(anchor.clone()).chain(again);
        if let Some(new) = names.find(|name| !self.anchors.contains(name)) {
            self.anchors.insert(new);
        }
    }

    fn complaints(
        &self,
        path: &Path,
        pages: &BTreeMap<PathBuf, Self>,
        paths: &BTreeSet<PathBuf>,
    ) -> Vec<String> {
        let shown = path.display();
        let missing = self.code.iter().filter(|(_, code)| is_missing(code, paths));
        let missing = missing.map(|(line, code)| {
            format!("{shown}:{line}: `{code}` is no path of the tree: name it as it is called now")
        });
        let broken = self
            .links
            .iter()
            .filter(|(_, link)| is_relative(link) && !leads_somewhere(link, path, pages, paths));
        let broken = broken.map(|(line, link)| {
            format!("{shown}:{line}: the link to {link} leads nowhere: mend the path or the anchor")
        });
        missing.chain(broken).collect()
    }
}

/// Is this code a path of the tree that the tree does not have?
fn is_missing(code: &str, paths: &BTreeSet<PathBuf>) -> bool {
    let is_path = |char: char| char.is_ascii_alphanumeric() || "._-/".contains(char);
    if code.starts_with('/') || !code.chars().all(is_path) {
        return false;
    }
    let path = Path::new(code);
    let first = path.components().next();
    let hidden = code.starts_with('.');
    let starts_in_root = first.is_some_and(|first| paths.contains(Path::new(&first)));
    if code.contains('/') && (hidden || starts_in_root) {
        return !paths.contains(path);
    }
    let has_stem = path.file_stem().is_some_and(|stem| !stem.is_empty());
    let named = path.extension().is_some_and(|it| it == "rs" || it == "md");
    has_stem && named && !paths.iter().any(|known| known.ends_with(path))
}

fn is_relative(link: &str) -> bool {
    let scheme = link.split(['/', '#']).next().unwrap_or_default();
    !scheme.contains(':')
}

fn leads_somewhere(
    link: &str,
    from: &Path,
    pages: &BTreeMap<PathBuf, Page>,
    paths: &BTreeSet<PathBuf>,
) -> bool {
    let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
    let folder = from.parent().unwrap_or(Path::new(""));
    let target = match path {
        "" => Some(from.to_owned()),
        path => joined(folder, Path::new(path)),
    };
    let Some(target) = target else { return false };
    if anchor.is_empty() {
        return paths.contains(&target);
    }
    pages
        .get(&target)
        .is_some_and(|page| page.anchors.contains(anchor))
}

/// The path seen from the root; `None`: it leaves the tree.
fn joined(folder: &Path, path: &Path) -> Option<PathBuf> {
    let mut joined = folder.to_owned();
    for component in path.components() {
        match component {
            Component::Normal(name) => joined.push(name),
            Component::ParentDir => joined.pop().then_some(())?,
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is said of the page `docs/a.md` with this text.
    fn said(text: &str) -> Vec<String> {
        let names = [
            ".ci",
            ".ci/run",
            "README.md",
            "docs",
            "docs/a.md",
            "docs/b.md",
            "profiler",
            "profiler/src",
            "profiler/src/load",
            "profiler/src/load/cast.rs",
        ];
        let paths = names.map(PathBuf::from).into_iter().collect();
        let other = Page::new("# Two words, `code`: _more_\n# Two words\n# Two words\n");
        let pages = [("docs/a.md", Page::new(text)), ("docs/b.md", other)];
        let pages = BTreeMap::from(pages.map(|(path, page)| (PathBuf::from(path), page)));
        let path = Path::new("docs/a.md");
        pages[path].complaints(path, &pages, &paths)
    }

    #[test]
    fn a_path_that_exists_is_fine() {
        let text = "`profiler/src/load/cast.rs` `profiler/src/load/` `load/cast.rs` `cast.rs` \
                    `.ci/run` `docs/b.md` `b.md`";
        assert_eq!(said(text), [""; 0]);
    }

    #[test]
    fn a_path_that_does_not_exist_is_shown_with_its_line() {
        let gone = "`profiler/src/load/gone.rs`";
        assert_eq!(
            said(&format!("One\n`cast.rs`.\n\nand {gone}, in a table:\n")),
            [format!(
                "docs/a.md:4: {gone} is no path of the tree: name it as it is called now"
            )]
        );
        for gone in [
            "profiler/tests",
            "profiler/src/gone/",
            "load/gone.rs",
            "gone/cast.rs",
            "ast.rs",
            "docs/gone.md",
            ".ci/gone",
        ] {
            assert_eq!(said(&format!("| a | `{gone}` |")).len(), 1, "{gone}");
        }
    }

    #[test]
    fn what_is_no_path_of_the_tree_is_left_alone() {
        let text = "`fexit/blk_update_request` `/proc/PID/io` `profiler.report/1` `.rodata` \
                    `struct file` `docs` `a/*.rs` `target/cost.json` `.rs`\n\n```\n`load/gone.rs`\n\
                    ```\n\n    `load/gone.rs`\n";
        assert_eq!(said(text), [""; 0]);
    }

    #[test]
    fn a_link_leads_to_a_file_and_a_heading() {
        let fine = "# Here\n[a](b.md) [b](../README.md) [c](#here) [d](b.md#two-words-code-more) \
                    [e](b.md#two-words-1) [f](https://gone.example/x.md) [g](../profiler/src) \
                    [h][x]\n\n[x]: b.md#two-words\n";
        assert_eq!(said(fine), [""; 0]);
        for gone in [
            "gone.md",
            "README.md",
            "../../README.md",
            "/docs/b.md",
            "#gone",
            "b.md#gone",
            "b.md#two-words-2",
            "../README.md#gone",
        ] {
            let said = said(&format!("One\n[link]({gone})"));
            let expected = format!("docs/a.md:2: the link to {gone} leads nowhere");
            assert!(
                said.len() == 1 && said[0].starts_with(&expected),
                "{said:?}"
            );
        }
    }
}
