//! Text from outside, made harmless for a terminal.

use std::borrow::Cow;

/// Makes everything visible that would act on a terminal or deceive its reader:
/// control characters (so no escape sequence survives), characters that change the
/// direction of text, and those that take no room. `\n` → `\n` in two characters,
/// ESC → `\x1b`, U+202E → `\u{202e}`.
pub fn sanitize(text: &str) -> Cow<'_, str> {
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            '\t' => safe.push_str("\\t"),
            c if acts(c) && u32::from(c) < 0x100 => {
                safe.push_str(&format!("\\x{:02x}", u32::from(c)))
            }
            c if acts(c) => safe.push_str(&format!("\\u{{{:x}}}", u32::from(c))),
            c => safe.push(c),
        }
    }
    Cow::Owned(safe)
}

fn acts(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}' // soft hyphen, marks without width
            | '\u{200b}'..='\u{200f}' // without width, direction marks
            | '\u{2028}'..='\u{202e}' // line and paragraph ends, direction overrides
            | '\u{2060}'..='\u{206f}' // invisible operators, direction isolates
            | '\u{fff9}'..='\u{fffb}' // annotations
            | '\u{e0000}'..='\u{e007f}') // tags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_text_is_left_alone() {
        for text in ["", "data.bin", "Größe 95.2 µs", "日本語", "a\\b"] {
            assert!(matches!(sanitize(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn nothing_that_acts_survives() {
        assert_eq!(sanitize("a\x1b[31mb"), "a\\x1b[31mb");
        assert_eq!(sanitize("two\nlines\r\t"), "two\\nlines\\r\\t");
        assert_eq!(sanitize("\u{9b}31m\x7f\0"), "\\x9b31m\\x7f\\x00");
        assert_eq!(sanitize("exe\u{202e}gpj"), "exe\\u{202e}gpj");
        let all: String = (0..0x11_0000).filter_map(char::from_u32).collect();
        assert!(!sanitize(&all).contains(acts));
    }
}
