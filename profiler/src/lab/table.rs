//! Tables in Markdown, for pages that a command writes.
//!
//! xtask includes this file, because it has to build without the library: only `std` here.

use std::fmt::Write as _;

/// A longer cell sticks out instead of making its whole column as wide.
const WIDEST: usize = 40;

/// A table whose columns line up in plain text too.
#[derive(Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// With the names of its columns.
    pub fn new<S: AsRef<str>>(head: &[S]) -> Self {
        Self {
            rows: vec![head.iter().map(|name| cell(name.as_ref())).collect()],
        }
    }

    /// How many columns it has.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.rows[0].len()
    }

    /// It has no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.len() == 1
    }

    /// Adds a row, with as many cells as there are columns.
    pub fn row(&mut self, row: Vec<String>) {
        self.rows.push(row.iter().map(|text| cell(text)).collect());
    }

    /// The table in Markdown; nothing of a table without rows.
    #[must_use]
    pub fn text_or_nothing(&self) -> String {
        if self.is_empty() {
            String::new()
        } else {
            self.text()
        }
    }

    /// The table in Markdown.
    #[must_use]
    pub fn text(&self) -> String {
        let width = |at: usize| self.rows.iter().map(|row| row[at].chars().count()).max();
        let widths = (0..self.columns()).map(|at| width(at).unwrap_or(0).min(WIDEST));
        let widths = widths.collect::<Vec<_>>();
        let mut text = String::new();
        for (number, row) in self.rows.iter().enumerate() {
            for (cell, width) in row.iter().zip(&widths) {
                let _ = write!(text, "| {cell:width$} ");
            }
            text += "|\n";
            if number == 0 {
                for width in &widths {
                    let _ = write!(text, "|{}", "-".repeat(width + 2));
                }
                text += "|\n";
            }
        }
        text
    }
}

/// A cell without line breaks, and with its bars escaped: either would end it.
fn cell(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    words.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_lines_up() {
        let mut table = Table::new(&["a", "b"]);
        assert!(table.is_empty());
        table.row(vec!["long".into(), "–".into()]);
        assert_eq!(table.text(), "| a    | b |\n|------|---|\n| long | – |\n");
    }

    #[test]
    fn a_long_cell_does_not_stretch_its_column() {
        let mut table = Table::new(&["a"]);
        table.row(vec!["x".repeat(WIDEST + 1)]);
        let text = table.text();
        assert_eq!(text.lines().next().map(str::len), Some(WIDEST + 4));
    }

    #[test]
    fn a_cell_stays_a_cell() {
        let mut table = Table::new(&["a", "b"]);
        table.row(vec!["1|2\n3".into(), String::new()]);
        assert!(
            table.text().ends_with("| 1\\|2 3 |   |\n"),
            "{}",
            table.text()
        );
    }
}
