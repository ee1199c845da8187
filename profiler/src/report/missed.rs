//! Why calls were missed, as far as there is evidence for it.

use super::sums::sum;
use super::units::{count, counted};
use super::v1::{BpfUser, Report};
use crate::load::EntryKind;

/// In one sentence, without a full stop.
pub fn why_missed(report: &Report) -> String {
    let quality = &report.quality;
    let by_hook = &quality.recursion_misses_by_hook;
    let seeing = by_hook.iter().filter(|hook| hook.sees_calls());
    let skipped = match (
        sum(seeing.map(|hook| hook.misses)),
        quality.recursion_misses,
    ) {
        // Recordings and reports of programs that told a sum only.
        (0, Some(all @ 1..)) if by_hook.is_empty() => {
            return format!(
                "the kernel skipped {} of the probes",
                counted(all, "run", "runs")
            );
        }
        (0, _) => {
            return "the kernel's own count of reads (ioac.syscr) has more than the probes saw; \
                    why is not known"
                .to_owned();
        }
        (skipped, _) => counted(skipped, "run", "runs"),
    };
    let because = match (report.session.entry.known(), report.session.preemptible) {
        (Some(EntryKind::TpBtf), Some(true)) => {
            ", which can be preempted on this kernel".to_owned()
        }
        (Some(EntryKind::Session | EntryKind::Classic), _) if !quality.bpf_users.is_empty() => {
            format!(
                ", as it does while a BPF map call is in progress: perhaps of {}",
                users(&quality.bpf_users)
            )
        }
        (Some(EntryKind::TpBtf | EntryKind::Session | EntryKind::Classic) | None, _) => {
            "; why is not known".to_owned()
        }
    };
    format!("the kernel skipped {skipped} of the probes that see calls{because}")
}

/// `pid 4711 (bpftool)`, and how many more.
fn users(users: &[BpfUser]) -> String {
    let first = users.first().map(|user| {
        format!(
            "pid {} ({}, {} of them)",
            user.pid,
            user.comm,
            count(user.map_calls)
        )
    });
    let more = match users.len() {
        0 | 1 => String::new(),
        n => format!(" or {} more", n - 1),
    };
    first.unwrap_or_default() + &more
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::assemble;
    use crate::report::v1::{HookMisses, Host, Quality, Session, Tool, Word};

    fn why(entry: &str, preemptible: Option<bool>, hooks: &[(&str, u64)], users: &[u32]) -> String {
        let hooks = hooks.iter().map(|&(hook, misses)| HookMisses {
            hook: hook.to_owned(),
            misses,
            ..HookMisses::default()
        });
        let by_hook: Vec<_> = hooks.collect();
        let users = users.iter().map(|&pid| BpfUser {
            pid,
            comm: "maps".to_owned(),
            map_calls: 1_200,
        });
        let session = Session {
            entry: Word::from_text(entry),
            preemptible,
            ..Session::default()
        };
        let quality = Quality {
            recursion_misses: Some(by_hook.iter().map(|hook| hook.misses).sum()),
            recursion_misses_by_hook: by_hook,
            bpf_users: users.collect(),
            ..Quality::default()
        };
        let (tool, host) = (Tool::default(), Host::default());
        why_missed(&assemble(tool, host, session, Vec::new(), quality))
    }

    #[test]
    fn preemption_is_named_only_where_it_was_measured() {
        let hooks = [("sys_enter", 3), ("sys_exit", 4), ("block_rq_issue", 50)];
        let said = why("tp_btf", Some(true), &hooks, &[]);
        assert!(said.contains("skipped 7 runs"), "{said}");
        assert!(said.contains("can be preempted"), "{said}");
        for (entry, preemptible) in [
            ("tp_btf", Some(false)),
            ("tp_btf", None),
            // They cannot be, wherever others can.
            ("kprobe.session", Some(true)),
            ("raw_syscalls", Some(true)),
            ("", None),
        ] {
            let said = why(entry, preemptible, &hooks, &[]);
            assert!(said.ends_with("see calls; why is not known"), "{said}");
        }
    }

    #[test]
    fn who_uses_maps_may_be_the_cause_where_that_matters() {
        let hooks = [("kprobe.session", 9)];
        let said = why("kprobe.session", Some(true), &hooks, &[7]);
        assert!(
            said.ends_with("perhaps of pid 7 (maps, 1,200 of them)"),
            "{said}"
        );
        let said = why("raw_syscalls", None, &[("sys_exit", 1)], &[7, 8, 9]);
        assert!(said.contains("skipped 1 run of"), "{said}");
        assert!(said.ends_with("of them) or 2 more"), "{said}");
        let said = why("tp_btf", None, &[("sys_exit", 1)], &[7]);
        assert!(!said.contains("pid 7"), "{said}");
    }

    #[test]
    fn runs_of_other_probes_are_no_reason() {
        let said = why("tp_btf", Some(true), &[("block_rq_issue", 50)], &[]);
        assert!(said.starts_with("the kernel's own count"), "{said}");
        let said = why("tp_btf", Some(true), &[], &[]);
        assert!(said.starts_with("the kernel's own count"), "{said}");
    }
}
