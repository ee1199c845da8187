//! Programs that something other than the build takes, by Debian's packages.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};

use super::distribution;
use crate::{args, process};

/// A program, and the package with it.
pub(crate) type Program = (&'static str, &'static str);

/// Finds it. Users have no `sbin` on their `PATH`; what it does in a file needs no rights.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let sbin = || {
        let path = Path::new("/usr/sbin").join(program);
        path.exists().then_some(path)
    };
    process::find(program).or_else(sbin)
}

/// Packages with those of the programs that are not here.
pub(crate) fn missing(needed: &[Program]) -> Vec<&'static str> {
    needed
        .iter()
        .filter(|(program, _)| find(program).is_none())
        .map(|(_, package)| *package)
        .collect()
}

/// Installs packages, if that is allowed; otherwise says how.
pub(crate) fn install(packages: &[&str], install: args::Install) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let names = packages.join(" ");
    let by_hand = format!("sudo apt-get install --no-install-recommends {names}");
    if install.no_install {
        bail!("missing: {names}. Install with: {by_hand}");
    }
    if process::find("apt-get").is_none() {
        bail!("missing: {names}, as Debian calls them, and there is no apt-get here");
    }
    distribution::install_packages(packages).with_context(|| {
        format!(
            "can't install {names}; where packages from backports are in the way, \
             take it from there (-t RELEASE-backports). By hand: {by_hand}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_here_is_missing() {
        let needed = [("sh", "dash"), ("no such program", "a-package")];
        assert_eq!(missing(&needed), ["a-package"]);
    }

    #[test]
    fn where_nothing_may_be_installed_it_is_said_how() {
        let refused = install(&["a-package"], args::Install { no_install: true });
        let said = refused.unwrap_err().to_string();
        assert!(said.contains("apt-get install --no-install-recommends a-package"));
        let no_install = args::Install { no_install: true };
        assert!(install(&[], no_install).is_ok());
    }
}
