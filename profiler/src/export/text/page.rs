//! A page of styled text: lines that fit, paragraphs that wrap, grids that align.

use anstyle::{AnsiColor, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::export::sanitize;

/// Text in one style.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    text: String,
    style: Style,
}

impl Piece {
    /// The only way for text onto a page: made harmless for terminals here.
    pub(super) fn new(text: impl AsRef<str>, style: Style) -> Self {
        Self {
            text: sanitize(text.as_ref()).into_owned(),
            style,
        }
    }

    pub(super) fn width(&self) -> usize {
        self.text.width()
    }
}

/// Text in the terminal's own style.
pub(super) fn plain(text: impl AsRef<str>) -> Piece {
    Piece::new(text, Style::new())
}

/// Text that matters less.
pub(super) fn dim(text: impl AsRef<str>) -> Piece {
    Piece::new(text, Style::new().dimmed())
}

/// Text that matters more.
pub(super) fn bold(text: impl AsRef<str>) -> Piece {
    Piece::new(text, Style::new().bold())
}

/// Text that must not be overlooked.
pub(super) fn alarming(text: impl AsRef<str>) -> Piece {
    Piece::new(
        text,
        Style::new().fg_color(Some(AnsiColor::Red.into())).bold(),
    )
}

/// Cells on a line: what one column of a grid shows in one row.
pub(super) type Cell = Vec<Piece>;

/// On which side of a column its cells stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Right,
}

/// Blanks between the columns of a grid.
pub(super) const GAP: usize = 2;
/// Words that stay on the line of the number before them.
const UNITS: [&str; 9] = ["ns", "µs", "ms", "s", "B", "KiB", "MiB", "GiB", "TiB"];

/// Lines of text, none wider than the page.
#[derive(Debug)]
pub(super) struct Page {
    width: usize,
    colour: bool,
    text: String,
}

impl Page {
    pub(super) fn new(width: usize, colour: bool) -> Self {
        Self {
            width,
            colour,
            text: String::new(),
        }
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn colour(&self) -> bool {
        self.colour
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    pub(super) fn blank(&mut self) {
        self.text.push('\n');
    }

    /// One line, cut where the page ends.
    pub(super) fn line(&mut self, pieces: &[Piece]) {
        let mut room = self.width;
        // Neighbours of one style become one run: one pair of escapes, not one a word.
        let mut run: Option<Piece> = None;
        for piece in pieces {
            let fits = head(&piece.text, room);
            room -= fits.width();
            match &mut run {
                Some(run) if run.style == piece.style => run.text.push_str(fits),
                _ => {
                    let next = Piece {
                        text: fits.to_owned(),
                        style: piece.style,
                    };
                    if let Some(done) = run.replace(next) {
                        self.put(&done.text, done.style);
                    }
                }
            }
        }
        if let Some(done) = run {
            self.put(&done.text, done.style);
        }
        self.text.truncate(self.text.trim_end_matches(' ').len());
        self.text.push('\n');
    }

    fn put(&mut self, text: &str, style: Style) {
        if self.colour && style != Style::new() && !text.is_empty() {
            self.text.push_str(&format!("{style}{text}{style:#}"));
        } else {
            self.text.push_str(text);
        }
    }

    /// A paragraph: `label` on its first line, then the body, wrapped between words
    /// and hanging `hang` columns deep.
    pub(super) fn paragraph(&mut self, label: &[Piece], hang: usize, body: &[Piece]) {
        let mut line = label.to_vec();
        let mut used = width_of(&line);
        if used < hang {
            line.push(plain(" ".repeat(hang - used)));
            used = hang;
        }
        let mut fresh = true;
        for word in words(body, self.width.saturating_sub(hang).max(1)) {
            let width = width_of(&word);
            if !fresh && used + 1 + width > self.width {
                self.line(&line);
                line = vec![plain(" ".repeat(hang))];
                (used, fresh) = (hang, true);
            }
            if !fresh {
                let style = line.last().map_or(Style::new(), |piece| piece.style);
                line.push(Piece {
                    text: " ".to_owned(),
                    style,
                });
                used += 1;
            }
            line.extend(word);
            used += width;
            fresh = false;
        }
        self.line(&line);
    }

    /// Rows of cells in columns as wide as their widest cell.
    pub(super) fn grid(&mut self, columns: &[Align], rows: &[Vec<Cell>]) {
        let widths = widths(rows);
        for row in rows {
            let mut line = Vec::new();
            for (index, cell) in row.iter().enumerate() {
                let column = widths.get(index).copied().unwrap_or(0);
                let pad = plain(" ".repeat(column.saturating_sub(width_of(cell))));
                if index > 0 {
                    line.push(plain(" ".repeat(GAP)));
                }
                match columns.get(index) {
                    Some(Align::Right) => {
                        line.push(pad);
                        line.extend(cell.iter().cloned());
                    }
                    _ => {
                        line.extend(cell.iter().cloned());
                        line.push(pad);
                    }
                }
            }
            self.line(&line);
        }
    }
}

/// Width of each column of a grid.
pub(super) fn widths(rows: &[Vec<Cell>]) -> Vec<usize> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let cell_width =
        |row: &Vec<Cell>, index: usize| row.get(index).map_or(0, |cell| width_of(cell));
    (0..columns)
        .map(|index| {
            rows.iter()
                .map(|row| cell_width(row, index))
                .max()
                .unwrap_or(0)
        })
        .collect()
}

fn width_of(pieces: &[Piece]) -> usize {
    pieces.iter().map(Piece::width).sum()
}

/// The first part of a text that is at most `width` columns wide.
fn head(text: &str, width: usize) -> &str {
    // Makes an emoji of the character before it, which is then wider than alone.
    const EMOJI: char = '\u{fe0f}';
    let mut used = 0;
    let mut fits = text;
    for (at, character) in text.char_indices() {
        used += match character {
            EMOJI => 1,
            _ => character.width().unwrap_or(1),
        };
        if used > width {
            fits = &text[..at];
            break;
        }
    }
    // Should there be others that are wider together.
    while fits.width() > width {
        let last = fits.char_indices().next_back();
        fits = last.map_or("", |(at, _)| &fits[..at]);
    }
    fits
}

/// The end of a text, at most `width` columns wide, with `…` where it was cut. The
/// end of a path says more than its beginning.
pub(super) fn tail(text: &str, width: usize) -> String {
    let text = sanitize(text);
    if text.width() <= width {
        return text.into_owned();
    }
    let mut used = 1;
    let mut from = text.len();
    for (at, character) in text.char_indices().rev() {
        used += character.width().unwrap_or(0);
        if used > width {
            break;
        }
        from = at;
    }
    format!("…{}", &text[from..])
}

/// The beginning of a text, at most `width` columns wide, with `…` where it was cut.
pub(super) fn start(text: &str, width: usize) -> String {
    let text = sanitize(text);
    if text.width() <= width {
        return text.into_owned();
    }
    format!("{}…", head(&text, width.saturating_sub(1)))
}

/// Pieces cut into words at blanks; a word may have several styles. A unit stays with
/// its number; a word wider than `width` is cut.
fn words(pieces: &[Piece], width: usize) -> Vec<Cell> {
    let mut words: Vec<Cell> = vec![Vec::new()];
    for piece in pieces {
        for (index, part) in piece.text.split(' ').enumerate() {
            let unit = UNITS.contains(&part.trim_end_matches([',', ';', ':', '.', ')', '/']));
            let number = |word: &Cell| {
                let last = word.last().and_then(|piece| piece.text.chars().last());
                last.is_some_and(|last| last.is_ascii_digit())
            };
            let glue = unit && words.last().is_some_and(number);
            let part = match (index > 0, glue) {
                (true, true) => format!(" {part}"),
                (true, false) => {
                    words.push(Vec::new());
                    part.to_owned()
                }
                (false, _) => part.to_owned(),
            };
            let mut rest = part.as_str();
            while !rest.is_empty() {
                let used = words.last().map_or(0, |word| width_of(word));
                let fits = head(rest, width.saturating_sub(used));
                if fits.is_empty() && used == 0 {
                    break;
                }
                if let Some(word) = words.last_mut().filter(|_| !fits.is_empty()) {
                    word.push(Piece {
                        text: fits.to_owned(),
                        style: piece.style,
                    });
                }
                rest = &rest[fits.len()..];
                if !rest.is_empty() {
                    words.push(Vec::new());
                }
            }
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(width: usize, write: impl FnOnce(&mut Page)) -> String {
        let mut page = Page::new(width, false);
        write(&mut page);
        page.into_text()
    }

    #[test]
    fn paragraphs_hang_and_keep_units_with_their_numbers() {
        let text = page(20, |page| {
            page.paragraph(
                &[plain("2.31 ms")],
                9,
                &[plain("waited 95.2 µs for "), plain("it")],
            );
        });
        assert_eq!(text, "2.31 ms  waited\n         95.2 µs for\n         it\n");
    }

    #[test]
    fn nothing_is_wider_than_the_page() {
        let text = page(10, |page| {
            page.line(&[plain("0123456789ab")]);
            page.paragraph(&[], 4, &[plain("0123456789abcdef 日本語日本語")]);
        });
        assert!(text.lines().all(|line| line.width() <= 10), "{text}");
        assert!(text.contains("012345\n    6789ab\n"), "{text}");
    }

    #[test]
    fn characters_that_are_wider_together_fit_too() {
        let text = page(10, |page| {
            page.line(&[plain("0123456789"), plain("\u{2764}\u{fe0f}")]);
            page.line(&[plain("012345678\u{2764}\u{fe0f}x")]);
            page.paragraph(&[], 8, &[plain("\u{2764}\u{fe0f}".repeat(5))]);
            page.paragraph(&[], 9, &[plain("\u{2764}\u{fe0f}".repeat(5))]);
        });
        assert!(text.lines().all(|line| line.width() <= 10), "{text}");
    }

    #[test]
    fn grids_align_by_width_not_by_bytes() {
        let text = page(40, |page| {
            let row = |name: &str, number: &str| vec![vec![plain(name)], vec![plain(number)]];
            page.grid(
                &[Align::Left, Align::Right],
                &[row("a", "95.2 µs"), row("日本", "1 s")],
            );
        });
        assert_eq!(text, "a     95.2 µs\n日本      1 s\n");
    }

    #[test]
    fn long_texts_lose_the_part_that_says_less() {
        assert_eq!(tail("/a/long/path/data.bin", 12), "…th/data.bin");
        assert_eq!(start("dd if=/dev/zero", 6), "dd if…");
        assert_eq!(tail("short", 12), "short");
    }

    #[test]
    fn styles_only_in_colour() {
        let mut page = Page::new(20, true);
        page.line(&[bold("x\x1b[2J"), plain("y")]);
        let text = page.into_text();
        assert!(text.starts_with("\x1b[1mx\\x1b[2J\x1b[0m"), "{text:?}");
    }
}
