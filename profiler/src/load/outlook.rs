//! How begins and ends of calls will be seen, as far as that can be told without any right.

use super::{
    cast::Symbols,
    entry::{FIRST_PREEMPTIBLE, Kind, release},
    fields::Fields,
};

/// How `auto` will see them, as far as that can be told without any right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// The entry that `auto` would take.
    pub way: Kind,
    /// Why that one, in words.
    pub why: &'static str,
    /// No test at the start can change it.
    pub is_certain: bool,
}

impl Outlook {
    pub(super) fn of(fields: &Fields) -> Self {
        let symbols = Symbols::of(fields);
        let has_sessions =
            symbols.session.is_some() && fields.function("register_fprobe").is_some();
        Self::foresee(symbols.preempt_count.is_some(), has_sessions, release())
    }

    /// As `Choice` goes about it.
    fn foresee(can_be_tested: bool, has_sessions: bool, release: [u32; 2]) -> Self {
        if !can_be_tested {
            return Self {
                way: Kind::TpBtf,
                why: "this kernel does not show whether programs on system calls can be \
                      preempted; before Linux 7.0 they cannot",
                is_certain: true,
            };
        }
        if release < FIRST_PREEMPTIBLE {
            return Self {
                way: Kind::TpBtf,
                why: "before Linux 7.0 programs on system calls cannot be preempted",
                is_certain: false,
            };
        }
        Self {
            way: if has_sessions {
                Kind::Session
            } else {
                Kind::Classic
            },
            why: "since Linux 7.0 programs on system calls can be preempted, and miss calls then",
            is_certain: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_tested_is_certain() {
        let old = Outlook::foresee(false, false, [6, 1]);
        assert!(old.way == Kind::TpBtf && old.is_certain);
        let usual = Outlook::foresee(true, true, [6, 18]);
        assert!(usual.way == Kind::TpBtf && !usual.is_certain);
        assert_eq!(Outlook::foresee(true, true, [7, 0]).way, Kind::Session);
        assert_eq!(Outlook::foresee(true, false, [7, 3]).way, Kind::Classic);
    }
}
