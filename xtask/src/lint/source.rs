//! The Rust files of the workspace, and the paths that the code in them names.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use proc_macro2::{Spacing, Span, TokenStream, TokenTree};
use syn::{
    Attribute, Item, UseTree,
    visit::{self, Visit},
};

/// A file.
#[derive(Debug)]
pub(super) struct Source {
    /// Relative to the root of the workspace.
    pub(super) path: PathBuf,
    pub(super) text: String,
    /// Every path of two or more names in its code, tests left out.
    pub(super) mentions: Vec<Mention>,
}

impl Source {
    pub(super) fn new(path: &Path, text: String) -> Result<Self> {
        let file = syn::parse_file(&text)
            .with_context(|| format!("{} is no Rust file: let rustc say why", path.display()))?;
        let mut mentions = Mentions::default();
        // `#![cfg(test)]` is about a whole file.
        if !file.attrs.iter().any(is_for_tests) {
            mentions.visit_file(&file);
        }
        Ok(Self {
            path: path.to_owned(),
            text,
            mentions: mentions.0,
        })
    }

    /// The module that a file of the profiler is: `blame/lock.rs` is `[blame, lock]`, and
    /// `blame/mod.rs` is `[blame]`. Files of tests are none.
    pub(super) fn module(&self) -> Option<Vec<String>> {
        let inner = self.path.strip_prefix("profiler/src").ok()?;
        let names = inner.with_extension("");
        let mut names: Vec<_> = names
            .iter()
            .map(|name| name.to_string_lossy().into_owned())
            .collect();
        match names.last()?.as_str() {
            "tests" => return None,
            "mod" => drop(names.pop()),
            "lib" | "main" if names.len() == 1 => names.clear(),
            _ => {}
        }
        Some(names)
    }
}

/// Every Rust file among these paths, which are relative to `root`; those in hidden folders are not
/// the workspace's.
pub(super) fn all(root: &Path, paths: &BTreeSet<PathBuf>) -> Result<Vec<Source>> {
    let is_hidden = |path: &Path| {
        let mut names = path.iter();
        names.any(|name| name.to_string_lossy().starts_with('.'))
    };
    let paths = paths.iter().filter(|path| !is_hidden(path));
    let rust = paths.filter(|path| path.extension().is_some_and(|it| it == "rs"));
    rust.map(|path| {
        let text = fs::read_to_string(root.join(path));
        Source::new(path, text.with_context(|| path.display().to_string())?)
    })
    .collect()
}

/// A path with the line it is on: `crate::blame::Cause`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Mention {
    pub(super) line: usize,
    pub(super) segments: Vec<String>,
    /// Where it comes from.
    pub(super) from: From,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum From {
    /// `use PATH as NAME`, which binds a name in the module.
    Use { name: String, public: bool },
    /// A path in the code.
    Code,
}

#[derive(Debug, Default)]
struct Mentions(Vec<Mention>);

impl Mentions {
    fn add(&mut self, span: Span, segments: Vec<String>, from: From) {
        if segments.len() > 1 {
            self.0.push(Mention {
                line: span.start().line,
                segments,
                from,
            });
        }
    }

    fn tree(&mut self, tree: &UseTree, mut before: Vec<String>, public: bool) {
        let (ident, name) = match tree {
            UseTree::Path(path) => {
                before.push(path.ident.to_string());
                return self.tree(&path.tree, before, public);
            }
            UseTree::Group(group) => {
                for tree in &group.items {
                    self.tree(tree, before.clone(), public);
                }
                return;
            }
            UseTree::Glob(glob) => {
                before.push("*".to_owned());
                let span = glob.star_token.spans[0];
                let name = "*".to_owned();
                return self.add(span, before, From::Use { name, public });
            }
            UseTree::Name(name) => (&name.ident, &name.ident),
            UseTree::Rename(rename) => (&rename.ident, &rename.rename),
        };
        let mut name = name.to_string();
        if ident == "self" {
            name = before.last().cloned().unwrap_or_default();
        } else {
            before.push(ident.to_string());
        }
        self.add(ident.span(), before, From::Use { name, public });
    }

    /// Paths in what a macro is given, which no parser but its own knows.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut start = Span::call_site();
        let mut colons = 0;
        for token in tokens {
            match &token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.add(start, std::mem::take(&mut path), From::Code);
                    }
                    if path.is_empty() {
                        start = ident.span();
                    }
                    path.push(ident.to_string());
                    colons = 0;
                    continue;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => {
                    // The one of `a: b` is followed by no other.
                    if colons == 1 || punct.spacing() == Spacing::Joint {
                        colons += 1;
                        continue;
                    }
                }
                TokenTree::Group(group) => self.tokens(group.stream()),
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
            self.add(start, std::mem::take(&mut path), From::Code);
            colons = 0;
        }
        self.add(start, path, From::Code);
    }
}

impl<'ast> Visit<'ast> for Mentions {
    fn visit_item(&mut self, item: &'ast Item) {
        if !attributes(item).iter().any(is_for_tests) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !item.attrs.iter().any(is_for_tests) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let public = !matches!(item.vis, syn::Visibility::Inherited);
        self.tree(&item.tree, Vec::new(), public);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments = path.segments.iter().map(|it| it.ident.to_string());
        if let Some(first) = path.segments.first() {
            self.add(first.ident.span(), segments.collect(), From::Code);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.tokens(call.tokens.clone());
        visit::visit_macro(self, call);
    }
}

fn is_for_tests(attribute: &Attribute) -> bool {
    let mut is = attribute.path().is_ident("test");
    if attribute.path().is_ident("cfg") {
        // `cfg(test)` alone: what `cfg(not(test))` marks is in the product.
        let name = attribute.parse_args::<syn::Path>();
        is |= name.is_ok_and(|name| name.is_ident("test"));
    }
    is
}

/// The attributes of an item; of what cannot be marked as a test's, none.
fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(it) => &it.attrs,
        Item::Enum(it) => &it.attrs,
        Item::Fn(it) => &it.attrs,
        Item::Impl(it) => &it.attrs,
        Item::Macro(it) => &it.attrs,
        Item::Mod(it) => &it.attrs,
        Item::Static(it) => &it.attrs,
        Item::Struct(it) => &it.attrs,
        Item::Trait(it) => &it.attrs,
        Item::Type(it) => &it.attrs,
        Item::Use(it) => &it.attrs,
        _ => &[],
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::lint) fn source(path: &str, text: &str) -> Source {
        Source::new(Path::new(path), text.to_owned()).unwrap()
    }

    fn paths(text: &str) -> Vec<String> {
        let source = source("a.rs", text);
        let paths = source.mentions.iter().map(|it| it.segments.join("::"));
        paths.collect()
    }

    #[test]
    fn a_tree_is_spread_out() {
        let text = "use crate::{\n    blame::{self, Cause, rule::Rule},\n    report::*,\n};";
        assert_eq!(
            paths(text),
            [
                "crate::blame",
                "crate::blame::Cause",
                "crate::blame::rule::Rule",
                "crate::report::*"
            ]
        );
        assert_eq!(source("a.rs", text).mentions[3].line, 3);
    }

    #[test]
    fn a_path_within_code_counts() {
        assert_eq!(
            paths("fn f(a: &crate::blame::Cause) -> u8 { std::fs::read::<u8>(a); x }"),
            ["crate::blame::Cause", "std::fs::read"]
        );
        assert_eq!(
            paths("use std::time::Instant as Clock;"),
            ["std::time::Instant"]
        );
    }

    #[test]
    fn a_path_in_a_macro_counts() {
        let text =
            r#"fn f() { m!("{}", vec![crate::a::b(1), c], d: ::std::fs::read::<u8>, e::f) }"#;
        assert_eq!(paths(text), ["crate::a::b", "std::fs::read", "e::f"]);
    }

    #[test]
    fn words_about_code_are_no_code() {
        let text = r##"
            //! See [`crate::report`].
            /* crate::a::b /* nested */ crate::c */
            const A: &str = "crate::export \" crate::d";
            const B: &str = r#"crate::e " "#;
            fn f<'a>(x: &'a str) { crate::real::one() }
        "##;
        assert_eq!(paths(text), ["crate::real::one"]);
    }

    #[test]
    fn tests_may_name_anything() {
        let text = "#[cfg(test)]\nuse crate::a::b;\n#[cfg(test)]\nmod tests {\n  fn f() { std::fs::read() }\n}\n#[cfg(not(test))]\nuse crate::c::d;";
        assert_eq!(paths(text), ["crate::c::d"]);
        assert_eq!(source("a.rs", text).mentions[0].line, 8);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let error = Source::new(Path::new("a.rs"), "fn".to_owned()).unwrap_err();
        assert!(error.to_string().contains("a.rs"));
    }

    #[test]
    fn a_file_is_a_module() {
        let module = |path| source(path, "").module().map(|names| names.join("::"));
        assert_eq!(module("profiler/src/blame/lock.rs").unwrap(), "blame::lock");
        assert_eq!(module("profiler/src/blame/mod.rs").unwrap(), "blame");
        assert_eq!(module("profiler/src/lib.rs").unwrap(), "");
        assert_eq!(module("profiler/src/report/tally/tests.rs"), None);
        assert_eq!(module("profiler/tests/blame.rs"), None);
    }
}
