//! The machine, for the report's head.

use std::time::SystemTime;

/// Release of the running kernel.
pub fn kernel() -> String {
    rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned()
}

/// Its architecture.
pub fn architecture() -> String {
    rustix::system::uname()
        .machine()
        .to_string_lossy()
        .into_owned()
}

/// Pages of files that were fetched again after they had been reclaimed.
pub fn refaults() -> Option<u64> {
    // Has each CPU hand in what it has counted; for root only, and only a refinement.
    let _ = std::fs::read("/proc/sys/vm/stat_refresh");
    let text = std::fs::read_to_string("/proc/vmstat").ok()?;
    let count = text
        .lines()
        .find_map(|line| line.strip_prefix("workingset_refault_file "))?;
    count.trim().parse().ok()
}

/// CPUs online.
pub fn cpus() -> u32 {
    std::thread::available_parallelism().map_or(1, |n| n.get() as u32)
}

/// Now, as RFC 3339 in UTC, to the second.
pub fn now() -> String {
    let seconds = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs() as i64);
    let time = calendar(seconds);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        time.0, time.1, time.2, time.3, time.4, time.5
    )
}

/// Year, month, day, hour, minute, second of a Unix time, by libc.
fn calendar(seconds: i64) -> (i32, i32, i32, i32, i32, i32) {
    let seconds = seconds as libc::time_t;
    // SAFETY: all zero is a valid `tm`.
    let mut time: libc::tm = unsafe { std::mem::zeroed() };
    // SAFETY: both are live and of the right type.
    unsafe { libc::gmtime_r(&raw const seconds, &raw mut time) };
    (
        time.tm_year + 1900,
        time.tm_mon + 1,
        time.tm_mday,
        time.tm_hour,
        time.tm_min,
        time.tm_sec,
    )
}
