//! The experiments, a file each. To add one: write its file, and add its row to [`ALL`].

mod slow_disk;
mod slow_server;

use super::experiment::Experiment;

/// Every experiment.
pub const ALL: &[&Experiment] = &[&slow_disk::EXPERIMENT, &slow_server::EXPERIMENT];

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs};

    use super::*;

    #[test]
    fn every_file_has_its_row() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/lab/claims");
        let files = fs::read_dir(folder).unwrap();
        let names = files.map(|file| file.unwrap().path().with_extension(""));
        let names = names.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned());
        let files: BTreeSet<_> = names.filter(|name| name != "mod").collect();
        let rows: BTreeSet<_> = ALL.iter().map(|it| it.id.replace('-', "_")).collect();
        assert_eq!(files, rows, "files, and the ids of the rows in ALL");
        assert_eq!(rows.len(), ALL.len(), "an id is given once");
    }

    #[test]
    fn a_claim_is_a_sentence() {
        for Experiment { id, claim, .. } in ALL {
            assert!(claim.ends_with('.') && claim.len() > 20, "{id}: {claim}");
        }
    }
}
