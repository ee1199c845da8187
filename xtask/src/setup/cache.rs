//! The folder where setup keeps what it built and decided. It belongs to the
//! user, not to a checkout: `cargo clean` or a second clone costs no new set-up.

use std::{env, path::PathBuf};

use anyhow::{Context as _, Result};

/// `profiler/` in the user's cache (profiler/build.rs looks in the same place).
pub(crate) fn folder() -> Result<PathBuf> {
    let absolute = |name| {
        env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
    Ok(cache
        .context("neither XDG_CACHE_HOME nor HOME is set")?
        .join("profiler"))
}
