//! What was decided, kept as `key=value` lines for the next time and for
//! profiler/build.rs, which needs no parser for that.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use super::{cache, compiler, compiler::Compiler, linker, shown};

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Decision {
    /// For `rustup run`: a name or an absolute path.
    pub(crate) toolchain: String,
    /// The compiler's own words, to notice when another one takes its place.
    compiler: String,
    /// Crates that may use feature gates although the compiler is a stable one.
    pub(crate) bootstrap: Option<String>,
    pub(crate) linker: PathBuf,
}

impl Decision {
    pub(super) fn new(compiler: &Compiler, linker: PathBuf) -> Self {
        let Compiler {
            toolchain,
            version,
            bootstrap,
            ..
        } = compiler.clone();
        Self {
            toolchain,
            compiler: version,
            bootstrap,
            linker,
        }
    }

    /// What the user decided, through PROFILER_BPF_TOOLCHAIN and PATH.
    pub(super) fn given(toolchain: String, linker: Option<PathBuf>) -> Result<Self> {
        let Some(linker) = linker else {
            bail!("PROFILER_BPF_TOOLCHAIN is set, but bpf-linker is not on PATH");
        };
        let bootstrap = std::env::var("RUSTC_BOOTSTRAP").ok();
        let compiler = compiler::version(&toolchain)?;
        Ok(Self {
            toolchain,
            compiler,
            bootstrap,
            linker,
        })
    }

    pub(super) fn load() -> Option<Self> {
        Self::parse(&fs::read_to_string(path().ok()?).ok()?)
    }

    /// Writes it, unless it says the same already: a new time stamp would have
    /// cargo build the kernel side again.
    pub(super) fn save(&self) -> Result<()> {
        if Self::load().as_ref() == Some(self) {
            return Ok(());
        }
        let path = path()?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(folder).with_context(|| format!("creating {}", folder.display()))?;
        let draft = path.with_extension(std::process::id().to_string());
        fs::write(&draft, self.text()).with_context(|| draft.display().to_string())?;
        fs::rename(&draft, &path).with_context(|| path.display().to_string())
    }

    /// Whether all that it names is still there, by asking each for its version.
    pub(super) fn holds(&self) -> bool {
        compiler::version(&self.toolchain).is_ok_and(|version| version == self.compiler)
            && compiler::builds_for_bpf(&self.toolchain)
            && linker::version(&self.linker).is_ok()
    }

    fn text(&self) -> String {
        let Self {
            toolchain,
            compiler,
            bootstrap,
            linker,
        } = self;
        let bootstrap = bootstrap
            .as_ref()
            .map(|crates| format!("bootstrap={crates}\n"));
        format!(
            "toolchain={toolchain}\ncompiler={compiler}\n{}linker={}\n",
            bootstrap.unwrap_or_default(),
            linker.display(),
        )
    }

    fn parse(text: &str) -> Option<Self> {
        let value = |key: &str| {
            let mut lines = text.lines();
            lines
                .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
                .map(str::to_owned)
        };
        Some(Self {
            toolchain: value("toolchain")?,
            compiler: value("compiler")?,
            bootstrap: value("bootstrap"),
            linker: value("linker")?.into(),
        })
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} ({}), {}",
            self.toolchain,
            self.compiler,
            shown(&self.linker)
        )
    }
}

fn path() -> Result<PathBuf> {
    Ok(cache::folder()?.join("setup"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_was_written() {
        let mut decision = Decision {
            toolchain: "/usr".into(),
            compiler: "rustc 1.96.0 (ac68faa20 2026-05-25)".into(),
            bootstrap: Some("aya_ebpf,profiler".into()),
            linker: "/cache/a=b/bin/bpf-linker".into(),
        };
        assert_eq!(Decision::parse(&decision.text()), Some(decision.clone()));
        decision.bootstrap = None;
        assert_eq!(Decision::parse(&decision.text()), Some(decision));
    }

    #[test]
    fn half_a_decision_is_none() {
        assert_eq!(Decision::parse("toolchain=nightly\ncompiler=rustc"), None);
        assert_eq!(Decision::parse(""), None);
    }
}
