//! Rust source as text: the files, and the paths that the code in them names.
//! No parser: comments, strings and test modules are blanked, words are read.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

#[derive(Debug)]
pub(super) struct Source {
    /// Relative to the root of the workspace.
    pub(super) path: PathBuf,
    pub(super) text: String,
}

impl Source {
    #[cfg(test)]
    pub(super) fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.into(),
            text: text.to_owned(),
        }
    }
}

/// Every Rust file below `root`, but for build output and hidden folders.
pub(super) fn all(root: &Path) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() && !name.starts_with('.') && name != "target" {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
                let path = path.strip_prefix(root)?.to_path_buf();
                sources.push(Source { path, text });
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(sources)
}

/// A path with the line it is on: `crate::blame::Cause`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Mention {
    pub(super) line: usize,
    pub(super) segments: Vec<String>,
}

/// Every path of two or more names in the code, with `use` trees spread out.
pub(super) fn mentions(text: &str) -> Vec<Mention> {
    let code = without_test_modules(&code_only(text));
    let words = words(&code);
    let mut found = Vec::new();
    let mut at = 0;
    while at < words.len() {
        at = tree(&words, at, &[], &mut found).max(at + 1);
    }
    found.retain(|mention| mention.segments.len() > 1);
    found
}

#[derive(Debug)]
struct Word {
    line: usize,
    text: String,
}

/// Reads one path, or a tree of them, and returns where it ends.
fn tree(words: &[Word], start: usize, before: &[String], found: &mut Vec<Mention>) -> usize {
    let mut segments = before.to_vec();
    let mut at = start;
    let line = words.get(start).map_or(0, |word| word.line);
    while let Some(word) = words.get(at) {
        let next = words.get(at + 1).map(|word| word.text.as_str());
        match word.text.as_str() {
            "{" if at > start || !before.is_empty() => {
                at += 1;
                while words.get(at).is_some_and(|word| word.text != "}") {
                    at = tree(words, at, &segments, found).max(at + 1);
                }
                return at + 1;
            }
            text if text == "*" || is_name(text) => {
                segments.push(text.to_owned());
                at += 1;
                if next != Some("::") {
                    break;
                }
                at += 1;
            }
            _ => break,
        }
    }
    if at > start {
        found.push(Mention { line, segments });
    }
    at
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn words(code: &str) -> Vec<Word> {
    let mut words = Vec::new();
    for (line, text) in code.lines().enumerate() {
        let mut rest = text.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = if is_name(rest) {
                rest.find(|c: char| !c.is_alphanumeric() && c != '_')
                    .unwrap_or(rest.len())
            } else if rest.starts_with("::") {
                2
            } else {
                first.len_utf8()
            };
            let (word, after) = rest.split_at(length);
            words.push(Word {
                line: line + 1,
                text: word.to_owned(),
            });
            rest = after.trim_start();
        }
    }
    words
}

/// The text with comments and the insides of strings turned into spaces.
fn code_only(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after_name = code.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let length = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => 1 + string(&rest[1..]),
            'r' if !after_name || code.ends_with('b') => raw_string(rest),
            '\'' => character(rest),
            _ => 0,
        };
        if length == 0 {
            code.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            let (blanked, after) = rest.split_at(length);
            code.extend(blanked.chars().map(|c| if c == '\n' { c } else { ' ' }));
            rest = after;
        }
    }
    code
}

/// The length of a comment; they may be nested.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    loop {
        let Some(step) = text[at..].find(['/', '*']) else {
            return text.len();
        };
        at += step;
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
        } else {
            at += 1;
        }
        if depth == 0 {
            return at;
        }
    }
}

/// The length of a string from behind its opening quote.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of `r"…"` or `r#"…"#`; 0 if it is just a name that starts with r.
fn raw_string(text: &str) -> usize {
    let hashes = text[1..].chars().take_while(|&c| c == '#').count();
    let Some(inside) = text[1 + hashes..].strip_prefix('"') else {
        return 0;
    };
    let end = format!("\"{}", "#".repeat(hashes));
    inside
        .find(&end)
        .map_or(text.len(), |at| 2 + hashes + at + end.len())
}

/// The length of `'x'` or `'\n'`; 0 if it is a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some((at, escaped))) => {
            let from = at + escaped.len_utf8();
            text[from..].find('\'').map_or(0, |end| from + end + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

/// Blanks what follows `#[cfg(test)]`: tests may read files and see every stage.
fn without_test_modules(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut kept = String::with_capacity(code.len());
    let mut rest = code;
    while let Some(start) = rest.find(MARK) {
        let length = item(&rest[start..]);
        kept.push_str(&rest[..start]);
        kept.extend(rest[start..start + length].chars().filter(|&c| c == '\n'));
        rest = &rest[start + length..];
    }
    kept.push_str(rest);
    kept
}

/// The length of an item, up to its semicolon or the end of its block.
fn item(code: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in code.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth <= 1 => return at + 1,
            '}' => depth -= 1,
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    code.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<String> {
        mentions(text)
            .iter()
            .map(|mention| mention.segments.join("::"))
            .collect()
    }

    #[test]
    fn a_tree_is_spread_out() {
        let text = "use crate::{\n    blame::{Cause, rule::Rule},\n    report::*,\n};";
        assert_eq!(
            paths(text),
            [
                "crate::blame::Cause",
                "crate::blame::rule::Rule",
                "crate::report::*"
            ]
        );
        assert_eq!(mentions(text)[2].line, 3);
    }

    #[test]
    fn a_path_within_code_counts() {
        assert_eq!(
            paths("fn f(a: &crate::blame::Cause) -> u8 { std::fs::read(a); x }"),
            ["crate::blame::Cause", "std::fs::read"]
        );
        assert_eq!(
            paths("use std::time::Instant as Clock;"),
            ["std::time::Instant"]
        );
    }

    #[test]
    fn words_about_code_are_no_code() {
        let text = r##"
            //! See [`crate::report`].
            /* crate::a::b /* nested */ crate::c */
            const A: &str = "crate::export \" crate::d";
            const B: &str = r#"crate::e " "#;
            const C: [char; 3] = ['"', '\'', '\u{22}'];
            fn f<'a>(x: &'a str) { crate::real::one() }
        "##;
        assert_eq!(paths(text), ["crate::real::one"]);
    }

    #[test]
    fn tests_may_name_anything() {
        let text = "#[cfg(test)]\nuse crate::a::b;\n#[cfg(test)]\nmod tests {\n  fn f() { std::fs::read() }\n}\nuse crate::c::d;";
        assert_eq!(paths(text), ["crate::c::d"]);
        assert_eq!(mentions(text)[0].line, 7);
    }
}
