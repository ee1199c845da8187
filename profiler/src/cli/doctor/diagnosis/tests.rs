use super::*;
use crate::load::EntryKind;
use crate::load::{Outlook, hooks::PLAN};

/// A machine with a kernel that lacks some hooks, and what stands in for any.
fn machine(missing: &[&str]) -> Machine {
    let hooks = PLAN
        .iter()
        .filter(|hook| matches!(hook.need, Need::Required | Need::Optional));
    let hooks = hooks.map(|hook| HookState {
        hook: *hook,
        attached: !missing.contains(&hook.name),
        reason: missing
            .contains(&hook.name)
            .then(|| format!("this kernel has no tracepoint {}", hook.name)),
    });
    Machine {
        kernel: "6.12.1".into(),
        architecture: "x86_64".into(),
        types: Types::Fit(Survey {
            hooks: hooks.collect(),
            entry: Outlook {
                way: EntryKind::TpBtf,
                why: "because",
                is_certain: true,
            },
        }),
        rights: Rights::Enough,
        has_other_process_ids: false,
        is_locked_down: false,
        ftrace_is_off: false,
        silent_disks: Vec::new(),
        unnamed_functions: None,
    }
}

fn first(machine: &Machine) -> String {
    let diagnosis = Diagnosis::of(machine);
    let text = diagnosis.text();
    text.split("\n\n").next().unwrap().replace('\n', " ")
}

#[test]
fn where_all_is_there_the_verdict_says_so() {
    let machine = machine(&[]);
    assert!(first(&machine).starts_with("Works here. Nothing is hidden"));
    let text = Diagnosis::of(&machine).text();
    assert!(!text.contains("what to do"), "{text}");
    assert!(text.contains("calls are seen by tp_btf (--entry auto): because"));
}

#[test]
fn what_is_not_seen_is_said_once_with_what_to_do() {
    let mut machine = machine(&["page_cache_sync_ra", "page_cache_async_ra"]);
    machine.silent_disks.push(SilentDisk {
        name: "vdb".into(),
        is_mounted: true,
    });
    let said = first(&machine);
    let lost = "readahead windows are not counted";
    assert_eq!(said.matches(lost).count(), 1, "{said}");
    let text = Diagnosis::of(&machine).text();
    let (before, details) = text.split_once("\nDetails:\n").unwrap();
    assert!(before.contains("Linux 6.18 and later"), "{before}");
    assert!(before.contains("\n      echo 1 | sudo tee /sys/block/vdb/queue/iostats\n"));
    assert_eq!(details.matches("MISSING").count(), 3);
}

#[test]
fn disks_that_no_file_is_read_from_are_a_detail() {
    let mut machine = machine(&[]);
    for name in ["ram0", "zram0"] {
        machine.silent_disks.push(SilentDisk {
            name: name.into(),
            is_mounted: false,
        });
    }
    let text = Diagnosis::of(&machine).text();
    let (before, details) = text.split_once("\nDetails:\n").unwrap();
    assert!(before.contains("Nothing is hidden"), "{before}");
    let off = details.lines().find(|line| line.starts_with("  off "));
    assert!(off.is_some() && details.contains("zram0"), "{details}");
}

#[test]
fn the_verdict_stays_short() {
    let optional = PLAN.iter().filter(|hook| hook.need == Need::Optional);
    let names: Vec<_> = optional.map(|hook| hook.name).collect();
    let machine = machine(&names);
    let text = Diagnosis::of(&machine).text();
    let verdict = text.split("\n\n").next().unwrap();
    assert!(verdict.lines().count() <= 2, "{verdict}");
    assert!(verdict.contains("more, see below"), "{verdict}");
    // A cause that is not known comes before a number that is.
    assert!(
        verdict.contains("readahead") && !verdict.contains("bytes asked"),
        "{verdict}"
    );
}

#[test]
fn what_is_fatal_is_the_verdict() {
    for (machine, words) in [
        (machine(&["sched_switch"]), "sched_switch"),
        (
            Machine {
                is_locked_down: true,
                ..machine(&[])
            },
            "lockdown",
        ),
        (
            Machine {
                types: Types::Unfit("no field a in struct b".into()),
                ..machine(&[])
            },
            "Linux 6.1",
        ),
    ] {
        let said = first(&machine);
        assert!(said.starts_with("Does not work here: "), "{said}");
        assert!(said.contains("Do this: ") && said.contains(words), "{said}");
        assert!(!Diagnosis::of(&machine).works());
    }
}

#[test]
fn functions_need_ftrace() {
    let mut machine = machine(&[]);
    machine.ftrace_is_off = true;
    assert!(first(&machine).contains("Nothing is hidden"));
    let Types::Fit(survey) = &mut machine.types else {
        panic!("it is one");
    };
    let hook = PLAN.iter().find(|hook| hook.name == "fentry/filemap_fault");
    survey.hooks.push(HookState {
        hook: *hook.unwrap(),
        attached: true,
        reason: None,
    });
    let said = first(&machine);
    assert!(
        said.contains("ftrace is off") && said.contains("file mappings"),
        "{said}"
    );
}

#[test]
fn words_wrap_under_the_first() {
    let mut text = String::new();
    wrap(&mut text, "  - ", &"word ".repeat(20));
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines.iter().all(|line| line.len() <= WIDTH));
    assert!(lines[1].starts_with("    word"));
}
