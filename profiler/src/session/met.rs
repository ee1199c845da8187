//! What a live session has told of already: each stack and each file is told once.

use foldhash::HashSet;

use anyhow::Result;
use profiler_common::fact::Ended;

use crate::host::files::Files;
use crate::recording::File;

#[derive(Debug, Default)]
pub(super) struct Met {
    stacks: HashSet<u32>,
    files: Files,
}

impl Met {
    /// Is this stack met for the first time?
    pub(super) fn is_new_stack(&mut self, id: u32) -> bool {
        self.stacks.insert(id)
    }

    /// Looks a call's file up in the live system, if the session has not met it yet.
    pub(super) fn file(&mut self, ended: &Ended) -> Option<File> {
        let path = self.files.meet(ended)?.to_owned();
        Some(File {
            dev: ended.dev,
            inode: ended.inode,
            name: ended
                .name
                .split(|byte| *byte == 0)
                .next()
                .unwrap_or_default()
                .to_vec(),
            path,
        })
    }

    /// A file that goes by a name that is known already.
    ///
    /// # Errors
    ///
    /// No file has such a path, or no session so many files.
    pub(super) fn named(&mut self, file: &File) -> Result<()> {
        self.files
            .insert(file.dev, file.inode, &file.name, file.path.clone())
    }
}
