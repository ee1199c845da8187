//! What was run, where, on what.

use super::page::{Page, bold, dim, plain, tail};
use crate::report::units::round_size;
use crate::report::v1::{Report, Workload};

pub(super) fn write(page: &mut Page, report: &Report) {
    let host = &report.host;
    page.paragraph(
        &[],
        0,
        &[
            bold(format!("profiler {}", report.tool.version)),
            dim(format!(
                " · Linux {} {} · {} CPUs",
                host.kernel, host.machine, host.cpus
            )),
        ],
    );
    let workloads = || report.scenarios.iter().map(|scenario| &scenario.workload);
    match workloads().find(|workload| workload.path.is_some()) {
        Some(workload) => file(page, workload),
        None => page.paragraph(&[], 0, &[plain(&report.session.target)]),
    }
}

fn file(page: &mut Page, workload: &Workload) {
    let mut facts: Vec<String> = Vec::new();
    facts.extend(workload.file_size.map(round_size));
    facts.extend(workload.filesystem.clone());
    facts.extend(
        workload
            .device
            .as_ref()
            .map(|device| format!("on {device}")),
    );
    let facts = facts.join(" ");
    let mut rest: Vec<String> = (!facts.is_empty()).then_some(facts).into_iter().collect();
    rest.extend(
        workload
            .read_ahead_kb
            .map(|kib| format!("read-ahead {}", round_size(kib.saturating_mul(1024)))),
    );
    rest.extend(
        workload
            .block_size
            .map(|bytes| format!("{} reads", round_size(bytes))),
    );
    rest.extend(
        workload
            .threads
            .filter(|&n| n > 1)
            .map(|threads| format!("{threads} threads")),
    );
    let path = workload.path.as_deref().unwrap_or_default();
    let path = plain(tail(path, page.width()));
    page.paragraph(&[], 0, &[path, dim(format!(" · {}", rest.join(" · ")))]);
}
