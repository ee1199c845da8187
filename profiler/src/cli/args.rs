//! What can be typed.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::{
    Args, Parser, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};

use super::output::Asked;
use crate::{
    export::{FORMATS, Format, TEXT},
    load::Way,
    workload::Scenario,
};

/// Why did this read() block? Says for every read where its nanoseconds went.
#[derive(Debug, Parser)]
#[command(
    version,
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = "\
Examples:
  sudo profiler bench                  all scenarios, on a temporary file
  sudo profiler run -- dd if=disk.img of=/dev/null bs=4k iflag=direct
  sudo profiler attach --pid 4711 --duration 10s"
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Read a file cold, with readahead and with O_DIRECT, and say why reads block
    #[command(after_help = "\
Examples:
  sudo profiler bench                               all scenarios, 20 s
  sudo profiler bench /data/big.db --json out.json  reads an existing file
  sudo profiler bench --scenario cold-random,direct-random --threads 8
  sudo profiler bench --json - | jq '.scenarios[].blame_ns'")]
    Bench(BenchArgs),
    /// Start a command and watch it to its end, with all that it starts
    #[command(after_help = "\
Examples:
  sudo profiler run -- grep -r pattern /usr/share
  sudo profiler run --json out.json -- make -j8
The command runs as the user who called sudo, and its exit code is
passed on. The report goes to standard error. With --json - the JSON
goes to standard output, where the command writes too.")]
    Run(RunArgs),
    /// Watch a running process, its threads and what it starts from now on
    #[command(after_help = "\
Examples:
  sudo profiler attach --pid 4711                 until it ends, or ^C
  sudo profiler attach --pid 4711 --duration 10s --json out.json")]
    Attach(AttachArgs),
    /// Show a report or replay a recording (no root)
    #[command(after_help = "\
Examples:
  profiler report out.json
  profiler report session.rec --format json")]
    Report(ReportArgs),
    /// Print the JSON Schema of the report (no root)
    #[command(after_help = "Example:\n  profiler schema > report.schema.json")]
    Schema,
    /// Say what this machine offers the profiler, and what it lacks (no root)
    #[command(after_help = "Example:\n  profiler doctor")]
    Doctor,
}

/// What all watching commands take.
#[derive(Debug, Args)]
pub(super) struct WatchArgs {
    #[command(flatten)]
    pub export: ExportArgs,
    /// Record the session in FILE, for `profiler report FILE`
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Report each call, even if it never waited (otherwise those are only counted, in the kernel)
    #[arg(long)]
    pub every_call: bool,
    /// Report a call that takes this long even if it never waited
    #[arg(long, value_name = "TIME", default_value = "100us", value_parser = time)]
    pub threshold: Duration,
    /// How many of the slowest calls to show
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(0..=1000))]
    pub slowest: u16,
    /// Size of the buffer between kernel and profiler: a power of two
    #[arg(long, value_name = "SIZE", default_value = "16M", value_parser = ring_size)]
    pub ring_size: u32,
    /// Leave system calls other than reads untouched, where the kernel allows it (since 6.14 with
    /// kprobes); a watched read costs more
    #[arg(long)]
    pub quiet_neighbours: bool,
    /// Which hooks see calls begin and end, to compare them
    #[arg(long, value_name = "WAY", value_enum, default_value_t = Way::Auto, conflicts_with = "quiet_neighbours")]
    pub entry: Way,
    /// Write a line feed to descriptor N, and close it, once the target is watched
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(3..))]
    pub ready_fd: Option<i32>,
    /// Log what the probes do to standard error
    #[arg(long)]
    pub verbose: bool,
}

/// What is written besides the text.
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// Write the report as JSON to FILE; "-": to standard output, in place of the text
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    #[arg(long = "export", value_name = "FORMAT=FILE", help = formats())]
    exports: Vec<Asked>,
}

impl ExportArgs {
    /// All that is to be written, in the order in which it was asked for.
    pub(super) fn asked(&self) -> Vec<Asked> {
        let json = self.json.as_deref().map(Asked::json);
        json.into_iter()
            .chain(self.exports.iter().cloned())
            .collect()
    }
}

fn scenarios() -> String {
    let names: Vec<&str> = Scenario::ALL.iter().map(|it| it.name).collect();
    format!("Which scenarios, in order: {}", names.join(", "))
}

fn formats() -> String {
    let formats = FORMATS.map(|format| format!("{} ({})", format.name, format.about));
    format!(
        "Write the report as FORMAT to FILE (\"-\": standard output); may be repeated. \
         Formats: {}",
        formats.join(", ")
    )
}

#[derive(Debug, Args)]
pub(super) struct BenchArgs {
    /// File to read; it is opened read-only. Its pages are dropped from the cache.
    /// If not given, a temporary file is used
    pub path: Option<PathBuf>,
    #[arg(long, value_name = "NAME,…", help = scenarios(), value_delimiter = ',', value_parser = scenario)]
    pub scenario: Vec<&'static Scenario>,
    /// Size of the temporary file
    #[arg(long, value_name = "SIZE", default_value = "256M", value_parser = size, conflicts_with = "path")]
    pub size: u64,
    /// Where the temporary file is made
    #[arg(long, value_name = "DIR", default_value = ".", conflicts_with = "path")]
    pub dir: PathBuf,
    /// How much a read asks for
    #[arg(long, value_name = "SIZE", default_value = "4K", value_parser = size)]
    pub block_size: u64,
    /// Threads that read
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub threads: u32,
    /// Reads per scenario, all threads together [default: what each scenario needs]
    #[arg(long, value_name = "N")]
    pub reads: Option<u64>,
    /// Drop the whole machine's cache before each cold scenario, not just the file's
    #[arg(long)]
    pub drop_caches: bool,
    #[command(flatten)]
    pub watch: WatchArgs,
}

#[derive(Debug, Args)]
pub(super) struct RunArgs {
    #[command(flatten)]
    pub watch: WatchArgs,
    /// The command and its arguments
    #[arg(required = true, last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

#[derive(Debug, Args)]
pub(super) struct AttachArgs {
    /// Process to watch
    #[arg(long, value_name = "N", required = true, value_parser = clap::value_parser!(u32).range(1..=i32::MAX as i64))]
    pub pid: u32,
    /// How long to watch [default: until it ends, or ^C]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub duration: Option<Duration>,
    #[command(flatten)]
    pub watch: WatchArgs,
}

#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// A report (JSON) or a recording
    pub file: PathBuf,
    /// What to show on standard output
    #[arg(long, default_value = TEXT.name, value_parser = format_names(), conflicts_with_all = ["json", "exports"])]
    pub format: &'static Format,
    #[command(flatten)]
    pub export: ExportArgs,
}

/// The name of any format.
fn format_names() -> impl TypedValueParser<Value = &'static Format> {
    let names = PossibleValuesParser::new(FORMATS.map(|format| format.name));
    names.try_map(|name| Format::by_name(&name).ok_or_else(|| format!("no format is {name}")))
}

fn scenario(name: &str) -> Result<&'static Scenario, String> {
    Scenario::by_name(name).map_err(|error| error.to_string())
}

fn size(text: &str) -> Result<u64, String> {
    parse_size::Config::new()
        .with_binary()
        .parse_size(text)
        .map_err(|error| format!("{error}; sizes are written like 4096, 4K, 256M"))
}

fn ring_size(text: &str) -> Result<u32, String> {
    let bytes = size(text)?;
    match u32::try_from(bytes) {
        Ok(bytes) if bytes.is_power_of_two() && (4096..=1 << 30).contains(&bytes) => Ok(bytes),
        _ => Err("it must be a power of two from 4K to 1G".into()),
    }
}

fn time(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text)
        .map_err(|_| "times are written like 100us, 5ms, 10s, 2m".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn sizes_are_binary() {
        assert_eq!(size("4K"), Ok(4096));
        assert_eq!(size("256M"), Ok(256 << 20));
        assert!(size("many").is_err());
        assert!(ring_size("3M").is_err());
    }

    #[test]
    fn times_have_units() {
        assert_eq!(time("100us"), Ok(Duration::from_micros(100)));
        assert!(time("10").is_err());
    }

    #[test]
    fn an_unknown_scenario_is_told_with_the_known_ones() {
        let error = Cli::try_parse_from(["profiler", "bench", "--scenario", "frozen"])
            .expect_err("no such scenario")
            .to_string();
        assert!(
            error.contains("frozen") && error.contains("cold-random"),
            "{error}"
        );
    }
}
