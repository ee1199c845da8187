//! What the report says of what was recorded. The only place that knows both.

use crate::{
    recording as recorded,
    report::{Readings, v1},
};

pub(super) fn tool(tool: recorded::Tool) -> v1::Tool {
    let recorded::Tool { version } = tool;
    v1::Tool { version }
}

pub(super) fn host(host: recorded::Host) -> v1::Host {
    let recorded::Host {
        kernel,
        machine,
        cpus,
        page_size,
        devices,
    } = host;
    v1::Host {
        kernel,
        machine,
        cpus,
        page_size,
        devices,
    }
}

pub(super) fn hook(hook: recorded::Hook) -> v1::Hook {
    let recorded::Hook {
        hook,
        attached,
        without_it,
        hides,
        reason,
    } = hook;
    v1::Hook {
        hook,
        attached,
        without_it,
        hides: hides.iter().map(|word| v1::Word::from_text(word)).collect(),
        reason,
    }
}

pub(super) fn workload(workload: recorded::Workload) -> v1::Workload {
    let recorded::Workload {
        style,
        pattern,
        block_size,
        threads,
        path,
        file_size,
        filesystem,
        device,
        read_ahead_kb,
        advice,
        state,
        reads,
        witnessed,
        iostats,
        scheduler,
    } = workload;
    v1::Workload {
        style: v1::Word::from_text(&style),
        pattern: pattern.as_deref().map(v1::Word::from_text),
        block_size,
        threads,
        path,
        file_size,
        filesystem,
        device,
        read_ahead_kb,
        advice: advice.as_deref().map(v1::Word::from_text),
        state: state.as_deref().map(v1::Word::from_text),
        reads,
        witnessed: witnessed.map(residency),
        iostats,
        scheduler,
    }
}

fn residency(residency: recorded::Residency) -> v1::Residency {
    let recorded::Residency {
        resident_before,
        resident_after,
        pages,
        evicted,
    } = residency;
    v1::Residency {
        resident_before,
        resident_after,
        pages,
        evicted,
    }
}

pub(super) fn missed(missed: recorded::Missed) -> v1::MissedCalls {
    let recorded::Missed {
        begins,
        ends,
        whole,
    } = missed;
    v1::MissedCalls::of(begins, ends, whole)
}

pub(super) fn readings(readings: recorded::Readings) -> Readings {
    let recorded::Readings {
        before,
        after,
        ops: record,
        residency: pages,
        pages_used,
        elapsed_ns,
    } = readings;
    Readings {
        before,
        after,
        ops: record.map(ops),
        residency: pages.map(residency),
        pages_used,
        elapsed_ns,
    }
}

fn ops(ops: recorded::Ops) -> v1::OpRecord {
    let recorded::Ops {
        count,
        bytes,
        total_ns,
        min_ns,
        p50_ns,
        p99_ns,
    } = ops;
    v1::OpRecord {
        count,
        bytes,
        total_ns,
        min_ns,
        p50_ns,
        p99_ns,
    }
}

pub(super) fn hook_misses(misses: recorded::HookMisses) -> v1::HookMisses {
    let recorded::HookMisses {
        hook,
        misses,
        costs,
    } = misses;
    v1::HookMisses {
        hook,
        misses,
        costs,
    }
}

pub(super) fn bpf_user(user: recorded::BpfUser) -> v1::BpfUser {
    let recorded::BpfUser {
        pid,
        comm,
        map_calls,
    } = user;
    v1::BpfUser {
        pid,
        comm,
        map_calls,
    }
}

pub(super) fn own_cost(own: recorded::OwnCost) -> v1::OwnCost {
    let recorded::OwnCost {
        bpf_ns,
        cpu_ns,
        max_rss_bytes,
    } = own;
    v1::OwnCost {
        bpf_ns,
        cpu_ns,
        max_rss_bytes,
    }
}
