//! Words that readers found odd, and what to write instead: the last table of docs/glossary.md.
//!
//! Looks at what users read: the README, the pages written by hand, and the string literals and
//! help texts of the files that make messages. Pages made by a program are not looked at.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, bail};

use super::source::Source;

/// Pages written by hand.
const PAGES: [&str; 8] = [
    "README.md",
    "CONTRIBUTING.md",
    "docs/architecture.md",
    "docs/blame.md",
    "docs/field-notes.md",
    "docs/glossary.md",
    "docs/preemption.md",
    "docs/testing.md",
];
const GLOSSARY: &str = "docs/glossary.md";

/// From here on the glossary names the retired words itself.
const GLOSSARY_END: &str = "## Words not used";

/// A retired word, and the one that took its place.
type Retired = (String, String);

/// What makes the texts of help and reports.
const TEXTS: [&str; 5] = [
    "profiler/src/cli/args.rs",
    "profiler/src/cli/doctor/",
    "profiler/src/export/text/",
    "profiler/src/report/findings/",
    "profiler/src/report/words.rs",
];

pub(super) fn complaints(root: &Path, sources: &[Source]) -> Result<Vec<String>> {
    let read = |page: &str| fs::read_to_string(root.join(page)).with_context(|| page.to_owned());
    let retired = retired(&read(GLOSSARY)?);
    if retired.is_empty() {
        bail!("{GLOSSARY} has no table of retired words under {GLOSSARY_END:?}");
    }
    let mut complaints = Vec::new();
    for page in PAGES {
        let text = read(page)?;
        let text = text.split(GLOSSARY_END).next().unwrap_or_default();
        complaints.extend(of(page, text.lines(), &retired));
    }
    for source in sources {
        let path = source.path.to_string_lossy();
        if TEXTS.iter().any(|texts| path.starts_with(texts)) {
            complaints.extend(of(&path, source.text.lines().map(shown), &retired));
        }
    }
    Ok(complaints)
}

/// The rows of the glossary's table. Several words of one row are parted by commas.
fn retired(glossary: &str) -> Vec<Retired> {
    let (_, table) = glossary.split_once(GLOSSARY_END).unwrap_or_default();
    let rows = table.lines().filter_map(|line| {
        let cells = line.strip_prefix("| ")?.strip_suffix(" |")?;
        cells.split_once(" | ")
    });
    let rows = rows.filter(|(words, _)| *words != "instead of");
    rows.flat_map(|(words, say)| {
        let words = words.split(", ");
        words.map(|word| (word.to_owned(), say.to_owned()))
    })
    .collect()
}

/// What of a line of code may be shown to users: all but comments that clap does not show.
fn shown(line: &str) -> &str {
    let code = line.trim_start();
    let is_comment = code.starts_with("//") && !code.starts_with("/// ");
    if is_comment { "" } else { line }
}

/// A retired word may be broken over two lines.
fn of<'a>(path: &str, lines: impl Iterator<Item = &'a str>, retired: &[Retired]) -> Vec<String> {
    let lines: Vec<String> = lines.map(bare).collect();
    let mut complaints = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let next = lines.get(at + 1).map_or("", String::as_str);
        let both = format!("{line} {next}");
        for (retired, instead) in retired {
            let found = both.find(retired.as_str());
            // One in the next line alone is that line's.
            if found.is_some_and(|found| found < line.len()) {
                let line = at + 1;
                complaints.push(format!("{path}:{line}: \"{retired}\": say \"{instead}\""));
            }
        }
    }
    complaints
}

/// Without what begins a comment, continues a string, or emphasises.
fn bare(line: &str) -> String {
    let line = line.trim().trim_start_matches("/// ");
    line.trim_end_matches('\\').trim_end().replace('*', "")
}

#[cfg(test)]
mod tests {
    use super::{super::source::tests::source, *};

    fn held_against() -> Vec<Retired> {
        retired(
            "## Words not used\n\n| instead of | say |\n|---|---|\n| held against | compared with |\n| keeps no accounts, keeps no statistics | has I/O accounting off |\n",
        )
    }

    #[test]
    fn the_table_is_that_of_the_glossary() {
        let words = held_against();
        let words: Vec<&str> = words.iter().map(|(word, _)| word.as_str()).collect();
        assert_eq!(
            words,
            ["held against", "keeps no accounts", "keeps no statistics"]
        );
    }

    #[test]
    fn a_retired_word_is_found_where_it_stands() {
        let page = "One.\nIt is held\nagainst the **kernel**.\nNow it is compared with it.";
        assert_eq!(
            of("a.md", page.lines(), &held_against()),
            ["a.md:2: \"held against\": say \"compared with\""]
        );
    }

    #[test]
    fn strings_and_help_are_texts_but_comments_are_not() {
        let text = "// held against\n/// held against\nfn f() -> &'static str {\n    \
                    \"it keeps no \\\n     accounts\"\n}\n";
        let lines = || of("a.rs", text.lines().map(shown), &held_against());
        assert_eq!(lines().len(), 2, "{:?}", lines());
        assert!(lines()[0].starts_with("a.rs:2: ") && lines()[1].starts_with("a.rs:4: "));
    }

    #[test]
    fn only_files_that_make_texts_are_looked_at() {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        let text = "/// held against\nfn f() {}\n";
        let found = |path| complaints(root, &[source(path, text)]).unwrap();
        let help = found("profiler/src/cli/args.rs");
        let others = found("profiler/src/blame/lock.rs");
        assert_eq!(help.len(), others.len() + 1, "{help:?}");
    }
}
