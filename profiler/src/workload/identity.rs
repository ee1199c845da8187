//! Whose rights the reader has: the invoking user's, not root's.

use std::env;

use anyhow::{Context as _, Result, bail};
use nix::unistd::{Gid, Uid, User, getgrouplist};
use std::ffi::{CString, OsString};

/// A user, as the kernel knows one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// User id.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
}

impl Identity {
    /// The one this process has.
    ///
    /// # Errors
    /// The kernel does not tell the groups.
    pub fn current() -> Result<Self> {
        let groups = nix::unistd::getgroups().context("cannot ask for this process's groups")?;
        Ok(Self {
            uid: Uid::effective().as_raw(),
            gid: Gid::effective().as_raw(),
            groups: groups.into_iter().map(Gid::as_raw).collect(),
        })
    }

    /// The one who typed the command: under sudo the user who called it, else the
    /// current one.
    ///
    /// # Errors
    /// `SUDO_UID` and `SUDO_GID` are not the two numbers that sudo sets.
    pub fn invoking() -> Result<Self> {
        // Only root may become somebody else, and only root was started by sudo.
        if !Uid::effective().is_root() {
            return Self::current();
        }
        match sudo_ids(env::var_os("SUDO_UID"), env::var_os("SUDO_GID"))? {
            None | Some((0, _)) => Self::current(),
            Some((uid, gid)) => Ok(Self {
                uid,
                gid,
                groups: groups_of(uid, gid)?,
            }),
        }
    }

    /// Whether becoming this one changes nothing.
    pub(crate) fn is_current(&self) -> bool {
        Self::current().is_ok_and(|current| current == *self)
    }
}

/// What sudo says about who called it; `None`: not under sudo.
fn sudo_ids(uid: Option<OsString>, gid: Option<OsString>) -> Result<Option<(u32, u32)>> {
    let number = |name: &str, value: OsString| {
        let text = value
            .to_str()
            .filter(|t| t.bytes().all(|b| b.is_ascii_digit()));
        // u32::MAX means "leave as it is" to the calls that set an id.
        match text
            .and_then(|t| t.parse().ok())
            .filter(|&id| id != u32::MAX)
        {
            Some(id) => Ok(id),
            None => bail!("{name} is {value:?}, not a number: unset it or start with sudo again"),
        }
    };
    match (uid, gid) {
        (None, None) => Ok(None),
        (Some(uid), Some(gid)) => Ok(Some((number("SUDO_UID", uid)?, number("SUDO_GID", gid)?))),
        _ => bail!("only one of SUDO_UID and SUDO_GID is set: set both, or none to run as root"),
    }
}

fn groups_of(uid: u32, gid: u32) -> Result<Vec<u32>> {
    let user = User::from_uid(Uid::from_raw(uid))
        .with_context(|| format!("cannot look up the user with id {uid}"))?;
    // A user without an entry (in a container, say) has no groups but its own.
    let Some(user) = user else {
        return Ok(vec![gid]);
    };
    let name = CString::new(user.name)?;
    let groups = getgrouplist(&name, Gid::from_raw(gid))
        .with_context(|| format!("cannot look up the groups of the user with id {uid}"))?;
    Ok(groups.into_iter().map(Gid::as_raw).collect())
}

/// A file made by root for the user who called sudo is theirs.
///
/// # Errors
///
/// That user is not known, or the file cannot be given away.
pub fn give_to_invoking_user(file: &std::fs::File) -> Result<()> {
    let identity = Identity::invoking()?;
    let (uid, gid) = (identity.uid, identity.gid);
    if rustix::process::geteuid().is_root() && uid != 0 {
        rustix::fs::fchown(
            file,
            Some(rustix::fs::Uid::from_raw(uid)),
            Some(rustix::fs::Gid::from_raw(gid)),
        )
        .context("cannot give the file to the user who called sudo")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sudo_says() {
        type Ids = Option<Option<(u32, u32)>>;
        let table: [(Option<&str>, Option<&str>, Ids); 9] = [
            (None, None, Some(None)),
            (Some("1000"), Some("100"), Some(Some((1000, 100)))),
            (Some("0"), Some("0"), Some(Some((0, 0)))),
            (Some("1000"), None, None),
            (None, Some("1000"), None),
            (Some("+1"), Some("1"), None),
            (Some("root"), Some("1"), None),
            (Some(""), Some("1"), None),
            (Some("4294967295"), Some("1"), None),
        ];
        for (uid, gid, want) in table {
            let got = sudo_ids(uid.map(Into::into), gid.map(Into::into));
            assert_eq!(got.ok(), want, "{uid:?} {gid:?}");
        }
    }

    #[test]
    fn a_user_has_at_least_their_own_group() {
        assert!(groups_of(4_000_000_000, 17).unwrap().contains(&17));
        assert!(groups_of(0, 0).unwrap().contains(&0));
    }
}
