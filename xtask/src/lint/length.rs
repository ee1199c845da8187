//! No source file is longer than one can keep in mind.

use super::source::Source;

const LIMIT: usize = 500;

pub(super) fn complaint(source: &Source) -> Option<String> {
    let lines = source.text.lines().count();
    (lines > LIMIT).then(|| {
        format!(
            "{}: {lines} lines; more than {LIMIT} are two files",
            source.path.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::{super::source::tests::source, *};

    #[test]
    fn the_limit_itself_is_allowed() {
        assert_eq!(complaint(&source("a.rs", &"\n".repeat(500))), None);
        let complaint = complaint(&source("a.rs", &"\n".repeat(501)));
        assert_eq!(
            complaint.unwrap(),
            "a.rs: 501 lines; more than 500 are two files"
        );
    }
}
