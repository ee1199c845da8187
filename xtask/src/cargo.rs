//! cargo, as the user who asked.

use std::{
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::process;

/// The root of the workspace, which is the parent of this crate's.
pub(crate) fn root() -> PathBuf {
    let here = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    let here = here.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    here.parent().map_or(here.clone(), Path::to_path_buf)
}

/// The cargo that runs us, in the root of the workspace.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(root());
    command
}

/// Builds, and returns the executable of the target with that name and kind.
pub(crate) fn executable(args: &[&str], kind: &str, name: &str) -> Result<PathBuf> {
    let mut command = cargo(args);
    command
        .arg("--message-format=json-render-diagnostics")
        .stderr(Stdio::inherit());
    let output = command.output().with_context(|| process::shown(&command))?;
    if !output.status.success() {
        bail!("`cargo {}` failed ({})", args.join(" "), output.status);
    }
    let messages = String::from_utf8(output.stdout)?;
    executable_in(&messages, kind, name)
        .with_context(|| format!("cargo built no {kind} called {name}"))
}

fn executable_in(messages: &str, kind: &str, name: &str) -> Option<PathBuf> {
    let messages = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let ours = |message: &Value| {
        let target = &message["target"];
        target["name"] == name && has_kind(target, kind)
    };
    let executable = |message: Value| message["executable"].as_str().map(PathBuf::from);
    messages.filter(ours).filter_map(executable).next_back()
}

/// What `cargo metadata` says about this workspace.
#[derive(Debug)]
pub(crate) struct Metadata {
    /// Where cargo builds, whatever decided that.
    pub(crate) target: PathBuf,
    packages: Value,
}

pub(crate) fn metadata() -> Result<Metadata> {
    let text = process::output(&mut cargo(&["metadata", "--no-deps", "--format-version=1"]))?;
    let mut metadata: Value = serde_json::from_str(&text).context("cargo metadata")?;
    let target = metadata["target_directory"]
        .as_str()
        .context("cargo metadata has no target")?;
    Ok(Metadata {
        target: target.into(),
        packages: metadata["packages"].take(),
    })
}

impl Metadata {
    /// The targets of that kind in a package.
    pub(crate) fn targets(&self, package: &str, kind: &str) -> Vec<String> {
        let packages = self.packages.as_array().into_iter().flatten();
        let targets = packages
            .filter(|candidate| candidate["name"] == package)
            .flat_map(|package| package["targets"].as_array().into_iter().flatten());
        targets
            .filter(|target| has_kind(target, kind))
            .filter_map(|target| target["name"].as_str().map(str::to_owned))
            .collect()
    }
}

fn has_kind(target: &Value, kind: &str) -> bool {
    target["kind"]
        .as_array()
        .is_some_and(|kinds| kinds.iter().any(|each| each == kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_is_found_among_the_messages() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"kernel"},"executable":null}"#,
            "\nnot json at all\n",
            r#"{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"kernel"},"executable":"/t/bin"}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"kind":["test"],"name":"kernel"},"executable":"/t/kernel-1"}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        assert_eq!(
            executable_in(messages, "test", "kernel"),
            Some("/t/kernel-1".into())
        );
        assert_eq!(
            executable_in(messages, "bin", "kernel"),
            Some("/t/bin".into())
        );
        assert_eq!(executable_in(messages, "test", "other"), None);
    }

    #[test]
    fn the_workspace_knows_its_packages() {
        let metadata = metadata().unwrap();
        assert_eq!(metadata.targets("xtask", "bin"), ["xtask"]);
        assert!(metadata.targets("xtask", "test").is_empty());
        assert!(root().join("profiler/build.rs").exists());
    }
}
