//! How a disk's requests are queued before its driver gets them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::keeper::Keeper;

/// Settings of a disk of our own, put back when this is dropped: the disk's number is
/// given to somebody else afterwards.
pub(crate) struct Queue {
    folder: PathBuf,
    _keeper: Keeper,
}

impl Queue {
    /// The queue of a disk as it is now. Why not, if it cannot be changed.
    pub(crate) fn of(device: &Path) -> Result<Self, String> {
        let name = device.file_name().unwrap_or_default();
        let folder = Path::new("/sys/block").join(name).join("queue");
        let requests = fs::read_to_string(folder.join("nr_requests"))
            .map_err(|error| format!("{}: {error}", folder.display()))?;
        let keeper = Keeper::new(
            "echo \"$1\" > \"$0/scheduler\"; echo \"$2\" > \"$0/nr_requests\"",
            &[
                folder.as_os_str(),
                scheduler(&folder)?.as_ref(),
                requests.trim().as_ref(),
            ],
        )?;
        Ok(Self {
            folder,
            _keeper: keeper,
        })
    }

    /// Without a scheduler, so many requests at once; the next ones are not even made.
    pub(crate) fn unscheduled(&self, requests: u32) -> Result<(), String> {
        self.set("scheduler", "none")?;
        self.set("nr_requests", &requests.to_string())
    }

    /// So many more in a scheduler, which keeps what the driver cannot take yet. How many
    /// that are at once stays as it was without one.
    pub(crate) fn scheduled(&self, scheduler: &str, requests: u32) -> Result<(), String> {
        self.set("scheduler", scheduler)?;
        self.set("nr_requests", &requests.to_string())
    }

    fn set(&self, knob: &str, value: &str) -> Result<(), String> {
        fs::write(self.folder.join(knob), value).map_err(|error| format!("{knob} {value}: {error}"))
    }
}

/// The one in brackets, of `[none] mq-deadline`.
fn scheduler(folder: &Path) -> Result<String, String> {
    let text = fs::read_to_string(folder.join("scheduler")).map_err(|error| error.to_string())?;
    let chosen = text.split(['[', ']']).nth(1);
    chosen
        .map(str::to_owned)
        .ok_or_else(|| format!("no scheduler is chosen: {text}"))
}
