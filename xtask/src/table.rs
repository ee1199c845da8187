//! Tables in Markdown, for pages that are made by a command.

use std::fmt::Write as _;

/// A longer cell sticks out instead of making its whole column as wide.
const WIDEST: usize = 40;

/// A table whose columns line up in plain text too.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<S: AsRef<str>>(head: &[S]) -> Self {
        Self {
            rows: vec![head.iter().map(|name| cell(name.as_ref())).collect()],
        }
    }

    pub(crate) fn columns(&self) -> usize {
        self.rows[0].len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.len() == 1
    }

    pub(crate) fn row(&mut self, row: Vec<String>) {
        self.rows.push(row.iter().map(|text| cell(text)).collect());
    }

    pub(crate) fn text(&self) -> String {
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

/// What would end a cell or a row is taken out of it.
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
