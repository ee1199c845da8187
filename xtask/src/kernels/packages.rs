//! Debian's kernels, fetched with a state of apt's own beside the system's, which
//! stays as it is: other releases' packages are looked at, none is installed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result, bail};

use super::{clear, modules, step, tools::Tools};
use crate::process;

/// The small flavour for virtual machines; it has ext4 built in.
const FLAVOUR: &str = "cloud-amd64";
/// What is asked of apt when the newest kernel is wanted, whatever its number.
pub(super) const NEWEST: &str = "newest";
/// Label of a mirror, and the suite that it has.
pub(super) type Suite = (&'static str, &'static str);
/// Where the series are: the long-lived ones with their releases, the rest in backports.
const SUITES: [Suite; 3] = [
    ("Debian-Security", "bookworm-security"),
    ("Debian-Security", "trixie-security"),
    ("Debian", "trixie-backports"),
];
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// How long the lists of packages are good for.
const FRESH: Duration = Duration::from_secs(12 * 60 * 60);

/// A kernel that can be booted.
#[derive(Debug)]
pub(super) struct Kernel {
    /// As `uname -r` says it.
    pub(super) release: String,
    pub(super) image: PathBuf,
    /// Modules to load, in this order.
    pub(super) modules: Vec<PathBuf>,
}

/// Makes sure that the newest kernel of every series is in the cache.
pub(super) fn fetch(folder: &Path, series: &[String], tools: &Tools) -> Result<Vec<Kernel>> {
    let apt = Apt::new(folder.join("apt"), &SUITES)?;
    let names = apt.names()?;
    series
        .iter()
        .map(|series| {
            let release = newest(&names, series).with_context(|| {
                let known = releases(&names).map(series_of).collect::<Vec<_>>();
                format!("there is no kernel {series}, there are: {}", listed(known))
            })?;
            kernel(folder, &apt, &names, release, tools)
                .with_context(|| format!("kernel {release}"))
        })
        .collect()
}

fn kernel(
    folder: &Path,
    apt: &Apt,
    names: &[String],
    release: &str,
    tools: &Tools,
) -> Result<Kernel> {
    let home = folder.join(release);
    let (stamp, wanted) = (home.join("ready"), modules::WANTED.join(" "));
    if fs::read_to_string(&stamp).ok().as_deref() != Some(&wanted) {
        step(&format!("{release}: fetching"));
        clear(&home)?;
        let unpacked = home.join("unpacked");
        fs::create_dir_all(&unpacked)?;
        let packages = packages(names, release);
        apt.download(&packages, &home)?;
        unpack(&home, &unpacked)?;
        let image = modules::find(&unpacked, &|name| name.starts_with("vmlinuz"))
            .context("there is no kernel in its package")?;
        fs::copy(&image, home.join("vmlinuz"))?;
        modules::take(&unpacked, &home.join("modules"), tools)?;
        clear(&unpacked)?;
        fs::write(&stamp, wanted)?;
    }
    let mut modules = fs::read_dir(home.join("modules"))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    modules.sort();
    Ok(Kernel {
        release: release.to_owned(),
        image: home.join("vmlinuz"),
        modules,
    })
}

/// Unpacks the packages in a folder, and removes them.
pub(super) fn unpack(packages: &Path, to: &Path) -> Result<()> {
    for entry in fs::read_dir(packages)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            let mut command = Command::new("dpkg-deb");
            process::output(command.arg("-x").arg(&path).arg(to))?;
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Since 6.19 the image is a package of the kernel and one of its modules.
fn packages(names: &[String], release: &str) -> Vec<String> {
    let package = |part: &str| format!("linux-{part}-{release}");
    if names.contains(&package("binary")) {
        vec![package("binary"), package("modules")]
    } else {
        vec![package("image")]
    }
}

/// The releases that can be had whole: modules leave the index before their images do.
fn releases(names: &[String]) -> impl Iterator<Item = &str> {
    let releases = names.iter().filter_map(|name| {
        let release = name.strip_prefix("linux-image-")?;
        let numbers = release.strip_suffix(FLAVOUR)?;
        let full = numbers.matches('.').count() >= 2;
        let plain = numbers.starts_with(|c: char| c.is_ascii_digit()) && !numbers.contains("rt");
        (full && plain).then_some(release)
    });
    releases.filter(|release| packages(names, release).iter().all(|it| names.contains(it)))
}

fn newest<'a>(names: &'a [String], series: &str) -> Option<&'a str> {
    releases(names)
        .filter(|release| series == NEWEST || series_of(release) == series)
        .max_by_key(|release| numbers(release))
}

fn series_of(release: &str) -> String {
    let numbers = numbers(release);
    let part = |at: usize| numbers.get(at).copied().unwrap_or(0);
    format!("{}.{}", part(0), part(1))
}

/// All numbers in a release, which sort as its parts do.
fn numbers(release: &str) -> Vec<u32> {
    release
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect()
}

fn listed(mut series: Vec<String>) -> String {
    series.sort_by_key(|series| numbers(series));
    series.dedup();
    series.join(", ")
}

/// apt with a state of its own.
pub(super) struct Apt {
    folder: PathBuf,
}

impl Apt {
    /// Reads the lists of the suites, if those at hand are old.
    pub(super) fn new(folder: PathBuf, suites: &[Suite]) -> Result<Self> {
        fs::create_dir_all(folder.join("lists/partial"))?;
        fs::create_dir_all(folder.join("cache/archives/partial"))?;
        fs::write(folder.join("status"), "")?;
        let apt = Self { folder };
        let stamp = apt.folder.join("updated");
        let age = fs::metadata(&stamp)
            .and_then(|stamp| stamp.modified())
            .ok()
            .and_then(|then| SystemTime::now().duration_since(then).ok());
        if age.is_none_or(|age| age > FRESH) {
            step("reading Debian's lists of packages");
            fs::write(apt.folder.join("sources.list"), sources(suites)?)?;
            process::output(apt.command("apt-get").args(["-q", "update"]))?;
            fs::write(&stamp, "")?;
        }
        Ok(apt)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let path = |name: &str| self.folder.join(name).display().to_string();
        for (option, value) in [
            ("Dir::State", path("")),
            ("Dir::State::lists", path("lists")),
            ("Dir::State::status", path("status")),
            ("Dir::Cache", path("cache")),
            ("Dir::Etc::sourcelist", path("sources.list")),
            ("Dir::Etc::sourceparts", "/dev/null".to_owned()),
            ("Dir::Etc::preferencesparts", "/dev/null".to_owned()),
            ("Acquire::Languages", "none".to_owned()),
            // Its own user may not write to ours' folder; this only matters to root.
            ("APT::Sandbox::User", "root".to_owned()),
        ] {
            command.arg("-o").arg(format!("{option}={value}"));
        }
        command
    }

    /// Names of all packages that are parts of kernels.
    fn names(&self) -> Result<Vec<String>> {
        let pattern = format!("^linux-(image|binary|modules)-[0-9].*-{FLAVOUR}$");
        let mut command = self.command("apt-cache");
        let text = process::output(command.args(["search", "--names-only", &pattern]))?;
        let first = |line: &str| line.split_whitespace().next().map(str::to_owned);
        Ok(text.lines().filter_map(first).collect())
    }

    /// Fetches packages with all that they depend on, as for a system that has none; gives the
    /// folder that they lie in.
    pub(super) fn download_all(&self, packages: &[&str]) -> Result<PathBuf> {
        let mut command = self.command("apt-get");
        command.args(["-q", "-y", "--no-install-recommends", "--download-only"]);
        process::output(command.arg("install").args(packages))?;
        Ok(self.folder.join("cache/archives"))
    }

    fn download(&self, packages: &[String], to: &Path) -> Result<()> {
        let mut command = self.command("apt-get");
        command.args(["-q", "download"]).args(packages);
        process::output(command.current_dir(to))?;
        Ok(())
    }
}

/// The mirrors are those that the machine itself uses.
fn sources(suites: &[Suite]) -> Result<String> {
    let format = "--format=$(LABEL) $(REPO_URI)";
    let mut command = Command::new("apt-get");
    let text = process::output(command.args(["indextargets", format, "Created-By: Packages"]))?;
    let mirror = |label: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(label)?.strip_prefix(' '))
            .map(str::to_owned)
    };
    if !Path::new(KEYRING).exists() {
        bail!("{KEYRING} is missing: install debian-archive-keyring");
    }
    suites
        .iter()
        .map(|(label, suite)| {
            let mirror = mirror(label).with_context(|| {
                format!(
                    "the kernels are Debian's, and apt knows no mirror labelled {label}; \
                     run this on Debian 12 or later, with its security updates enabled"
                )
            })?;
            Ok(format!("deb [signed-by={KEYRING}] {mirror} {suite} main\n"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<String> {
        [
            "linux-image-6.1.0-0.deb11.52-cloud-amd64",
            "linux-image-6.1.0-9-cloud-amd64",
            "linux-image-6.1.0-56-cloud-amd64",
            "linux-image-6.1-cloud-amd64",
            "linux-image-6.12.117+deb13-cloud-amd64",
            "linux-binary-7.2.12+deb13-cloud-amd64",
            "linux-image-7.2.12+deb13-cloud-amd64",
            "linux-modules-7.2.12+deb13-cloud-amd64",
            "linux-binary-7.3.4+deb13-cloud-amd64",
            "linux-image-7.3.4+deb13-cloud-amd64",
        ]
        .map(str::to_owned)
        .to_vec()
    }

    #[test]
    fn the_newest_of_a_series_is_taken() {
        let names = names();
        assert_eq!(newest(&names, "6.1"), Some("6.1.0-56-cloud-amd64"));
        assert_eq!(newest(&names, "6.12"), Some("6.12.117+deb13-cloud-amd64"));
        assert_eq!(newest(&names, "6.13"), None);
    }

    #[test]
    fn a_kernel_without_its_modules_does_not_count() {
        assert_eq!(newest(&names(), NEWEST), Some("7.2.12+deb13-cloud-amd64"));
    }

    #[test]
    fn a_split_kernel_is_two_packages() {
        assert_eq!(
            packages(&names(), "7.2.12+deb13-cloud-amd64"),
            [
                "linux-binary-7.2.12+deb13-cloud-amd64",
                "linux-modules-7.2.12+deb13-cloud-amd64"
            ]
        );
    }

    #[test]
    fn series_are_listed_in_their_order() {
        let known = ["6.12", "6.1", "6.12", "7.3"].map(str::to_owned).to_vec();
        assert_eq!(listed(known), "6.1, 6.12, 7.3");
    }
}
