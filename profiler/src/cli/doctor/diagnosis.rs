//! What follows from what is known of the machine: a verdict, what is not seen and what to do
//! about it, then the details.

#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

use super::machine::{Machine, Rights, SilentDisk, Types};
use crate::load::{
    HookState, Survey,
    hooks::{Need, Place},
};

const WIDTH: usize = 80;

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Trouble {
    /// A sentence without its end.
    what: String,
    /// What to do about it, as a sentence.
    advice: String,
    /// A command that does it.
    command: Option<String>,
    /// Nothing works as long as it is so.
    is_fatal: bool,
    /// Something in the report is not known at all, not only told less exactly.
    hides: bool,
}

/// A line of the details.
#[derive(Debug)]
struct Detail {
    mark: &'static str,
    text: String,
}

const OK: &str = "ok";
const INSTEAD: &str = "instead";
const MISSING: &str = "MISSING";
const NEEDS_ROOT: &str = "NEEDS ROOT";
const OFF: &str = "off";

/// What is said of the machine.
#[derive(Debug)]
pub(super) struct Diagnosis {
    rights: Rights,
    troubles: Vec<Trouble>,
    details: Vec<Detail>,
}

impl Diagnosis {
    pub(super) fn of(machine: &Machine) -> Self {
        let mut diagnosis = Self {
            rights: machine.rights.clone(),
            troubles: Vec::new(),
            details: Vec::new(),
        };
        let Machine {
            kernel,
            architecture,
            ..
        } = machine;
        diagnosis.detail(OK, format!("kernel {kernel} on {architecture}"));
        diagnosis.rights();
        if machine.has_other_process_ids {
            diagnosis.trouble(Trouble {
                what: "this is a container with process ids of its own, which the probes do not \
                       see"
                .into(),
                advice: "Start the profiler outside, or in a container with the host's process \
                         ids (docker run --pid=host)."
                    .into(),
                command: None,
                is_fatal: true,
                hides: true,
            });
        }
        if machine.is_locked_down {
            diagnosis.trouble(Trouble {
                what: "the kernel is locked down: not even root may read its memory".into(),
                advice: "Boot without lockdown=confidentiality; lockdown=integrity does no harm."
                    .into(),
                command: None,
                is_fatal: true,
                hides: true,
            });
        }
        match &machine.types {
            Types::None => diagnosis.trouble(Trouble {
                what: "the kernel has no type information (/sys/kernel/btf/vmlinux)".into(),
                advice: "Boot a kernel that was built with CONFIG_DEBUG_INFO_BTF=y; those of all \
                         current distributions are. In a container, mount /sys."
                    .into(),
                command: None,
                is_fatal: true,
                hides: true,
            }),
            Types::Unfit(why) => diagnosis.trouble(Trouble {
                what: why.clone(),
                advice: "Boot Linux 6.1 or later. If it is later, please report this with the \
                         version of the kernel."
                    .into(),
                command: None,
                is_fatal: true,
                hides: true,
            }),
            Types::Fit(survey) => diagnosis.hooks(survey, machine.ftrace_is_off),
        }
        diagnosis.silent_disks(&machine.silent_disks);
        if let Some(why) = &machine.unnamed_functions {
            diagnosis.trouble(Trouble {
                what: format!("{why}: waits that only a kernel stack explains can't be explained"),
                advice:
                    "Root sees the addresses of functions there where kernel.kptr_restrict is 0 \
                         or 1 and nothing is mounted over it."
                        .into(),
                command: None,
                is_fatal: false,
                hides: true,
            });
        }
        diagnosis
    }

    /// Can the profiler work here, started by somebody who may?
    pub(super) fn works(&self) -> bool {
        !self.troubles.iter().any(|trouble| trouble.is_fatal)
    }

    fn detail(&mut self, mark: &'static str, text: String) {
        self.details.push(Detail { mark, text });
    }

    fn trouble(&mut self, trouble: Trouble) {
        self.detail(MISSING, trouble.what.clone());
        self.troubles.push(trouble);
    }

    /// Those that no mounted file system is on are a detail: no file is read from them.
    fn silent_disks(&mut self, disks: &[SilentDisk]) {
        let (mounted, others): (Vec<_>, Vec<_>) = disks.iter().partition(|disk| disk.is_mounted);
        for SilentDisk { name, .. } in mounted {
            self.trouble(Trouble {
                what: format!("I/O accounting is off for {name}: waits for it can't be explained"),
                advice: "Turn it on:".into(),
                command: Some(format!("echo 1 | sudo tee /sys/block/{name}/queue/iostats")),
                is_fatal: false,
                hides: true,
            });
        }
        if !others.is_empty() {
            let names: Vec<_> = others.iter().map(|disk| disk.name.as_str()).collect();
            let text = format!(
                "I/O accounting, on disks that hold no mounted file system: {}",
                names.join(", ")
            );
            self.detail(OFF, text);
        }
    }

    fn rights(&mut self) {
        let (what, advice) = match &self.rights {
            Rights::Enough => {
                return self.detail(OK, "rights: this process may load probes".into());
            }
            Rights::User => {
                let text = "bench, run and attach: start them with sudo";
                return self.detail(NEEDS_ROOT, text.into());
            }
            Rights::Unknown => {
                let text = "rights: unknown, since /proc is not mounted";
                return self.detail(MISSING, text.into());
            }
            Rights::Lacks(capabilities) => (
                format!(
                    "this process is root, but lacks {}",
                    capabilities.join(", ")
                ),
                "Start the profiler outside of the container, or give the container these \
                 capabilities.",
            ),
            Rights::Namespace => (
                "this process is root in a user namespace only".to_owned(),
                "Start the profiler outside of the container, as root of the machine.",
            ),
        };
        self.trouble(Trouble {
            what,
            advice: advice.into(),
            command: None,
            is_fatal: true,
            hides: true,
        });
    }

    fn hooks(&mut self, survey: &Survey, ftrace_is_off: bool) {
        self.detail(
            OK,
            "type information (BTF) with every field that the probes read".into(),
        );
        let entry = &survey.entry;
        let text = if entry.is_certain {
            format!(
                "calls are seen by {} (--entry auto): {}",
                entry.way, entry.why
            )
        } else {
            format!(
                "calls are most likely seen by {} (--entry auto): {}; bench, run and attach test \
                 this when they start",
                entry.way, entry.why
            )
        };
        self.detail(OK, text);
        let on_functions = |state: &&HookState| {
            state.attached && !matches!(state.hook.place(), Place::Tracepoint(_))
        };
        if ftrace_is_off && survey.hooks.iter().any(|state| on_functions(&state)) {
            let hooks = survey.hooks.iter().filter(on_functions);
            let lost: Vec<_> = hooks.map(|state| state.hook.without_it).collect();
            self.trouble(Trouble {
                what: format!(
                    "ftrace is off, so no program can be attached to a function: {}",
                    unique(&lost).join("; ")
                ),
                advice: "Switch it on:".into(),
                command: Some("sudo sysctl kernel.ftrace_enabled=1".into()),
                is_fatal: false,
                hides: true,
            });
        }
        if survey.hooks.iter().any(|state| on_functions(&state)) {
            let text = "programs can be attached to functions; bench, run and attach see when they \
                        start whether the kernel accepts each";
            self.detail(OK, text.into());
        }
        for state in &survey.hooks {
            let hook = &state.hook;
            match (state.attached, hook.need) {
                (true, Need::Same(of) | Need::Instead(of)) => {
                    self.detail(INSTEAD, format!("{} in place of {of}", hook.name));
                }
                (true, _) => self.detail(OK, hook.name.into()),
                (false, need) => {
                    self.detail(MISSING, format!("{}: {}", hook.name, hook.without_it));
                    self.lost(state, need == Need::Required);
                }
            }
        }
    }

    /// Something is not seen because a hook is missing. What several hooks tell together is
    /// said once.
    fn lost(&mut self, state: &HookState, is_fatal: bool) {
        let hook = &state.hook;
        let what = if is_fatal {
            format!("the kernel has no {}: {}", hook.name, hook.without_it)
        } else {
            hook.without_it.to_owned()
        };
        if self.troubles.iter().any(|trouble| trouble.what == what) {
            return;
        }
        let advice = match (is_fatal, hook.since) {
            (true, _) => "Boot a kernel that has this tracepoint (CONFIG_BPF_EVENTS, \
                          CONFIG_FTRACE_SYSCALLS); those of all current distributions do."
                .to_owned(),
            (false, Some(since)) => format!("Linux {since} and later have it."),
            (false, None) => "The kernel was built without it.".to_owned(),
        };
        let reason = state.reason.as_deref().unwrap_or_default();
        self.troubles.push(Trouble {
            what,
            advice: format!("{advice} Here: {reason}."),
            command: None,
            is_fatal,
            hides: !hook.hides.is_empty(),
        });
    }

    /// All of it, in lines that fit, but for commands.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for sentence in self.verdict() {
            wrap(&mut text, "", &sentence);
        }
        let rest = self.troubles.iter().filter(|trouble| !trouble.is_fatal);
        let rest: Vec<_> = rest.collect();
        if !rest.is_empty() && self.works() {
            text.push_str("\nWhat is not seen, and what to do:\n");
            for trouble in rest {
                wrap(&mut text, "  - ", &trouble.what);
                wrap(&mut text, "    ", &trouble.advice);
                if let Some(command) = &trouble.command {
                    let _ = writeln!(text, "      {command}");
                }
            }
        }
        text.push_str("\nDetails:\n");
        for detail in &self.details {
            wrap(&mut text, &format!("  {:<12}", detail.mark), &detail.text);
        }
        text
    }

    /// The first lines: does it work, and what is not seen?
    fn verdict(&self) -> Vec<String> {
        if !self.works() {
            let fatal = self.troubles.iter().filter(|trouble| trouble.is_fatal);
            return fatal
                .flat_map(|trouble| {
                    [
                        format!("Does not work here: {}.", trouble.what),
                        format!("Do this: {}", trouble.advice),
                    ]
                })
                .collect();
        }
        let works = match self.rights {
            Rights::User => "Works here with root: start bench, run and attach with sudo.",
            Rights::Unknown => "Works here if it may load probes, which only /proc would show.",
            _ => "Works here.",
        };
        vec![format!("{works} {}", self.lost_in_short())]
    }

    /// What is not seen, in a line or two: what is not known at all comes first.
    fn lost_in_short(&self) -> String {
        const ENOUGH: usize = 100;
        let mut lost: Vec<_> = self.troubles.iter().collect();
        lost.sort_by_key(|trouble| !trouble.hides);
        let Some((first, others)) = lost.split_first() else {
            return "Nothing is hidden: the kernel has every hook needed, or an equivalent."
                .to_owned();
        };
        let mut short = format!("But {}", first.what);
        for (said, trouble) in others.iter().enumerate() {
            if short.width() + trouble.what.width() > ENOUGH {
                let _ = write!(short, "; and {} more, see below", others.len() - said);
                break;
            }
            let _ = write!(short, "; {}", trouble.what);
        }
        short + "."
    }
}

fn unique<'a>(words: &[&'a str]) -> Vec<&'a str> {
    let mut unique = Vec::new();
    for word in words {
        if !unique.contains(word) {
            unique.push(*word);
        }
    }
    unique
}

/// Words in lines that fit, the first with `label` before it, the others as far in.
fn wrap(text: &mut String, label: &str, words: &str) {
    let indent = " ".repeat(label.width());
    let mut line = label.to_owned();
    let mut is_empty = true;
    for word in words.split_whitespace() {
        if !is_empty && line.width() + 1 + word.width() > WIDTH {
            let _ = writeln!(text, "{}", line.trim_end());
            line.clone_from(&indent);
            is_empty = true;
        }
        if !is_empty {
            line.push(' ');
        }
        line.push_str(word);
        is_empty = false;
    }
    let _ = writeln!(text, "{}", line.trim_end());
}
