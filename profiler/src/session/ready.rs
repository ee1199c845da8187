//! `--ready-fd N`: tells whoever started the session that its probes are on.

use std::{fs::File, io::Write as _, os::fd::OwnedFd};

/// A descriptor that is written a line feed to, once, and closed.
#[derive(Debug)]
pub(super) struct Ready(Option<File>);

impl Ready {
    pub(super) fn new(descriptor: Option<OwnedFd>) -> Self {
        Self(descriptor.map(File::from))
    }

    pub(super) fn tell(&mut self) {
        if let Some(mut file) = self.0.take() {
            // Who has stopped listening does not want to know.
            let _ = file.write_all(b"\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn it_is_told_once_and_no_more() {
        let (mut ours, theirs) = std::io::pipe().unwrap();
        let mut ready = Ready::new(Some(theirs.into()));
        ready.tell();
        ready.tell();
        let mut said = String::new();
        ours.read_to_string(&mut said).unwrap();
        assert_eq!(said, "\n");
    }
}
