//! How many requests a disk's queue takes, and which scheduler orders them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Reason, keeper::Keeper};

/// The queue of a disk of our own. Its settings are restored when this is dropped, because the
/// kernel gives the device number to somebody else afterwards.
#[derive(Debug)]
pub struct Queue {
    folder: PathBuf,
    _keeper: Keeper,
}

impl Queue {
    /// Remembers the settings of a disk's queue.
    ///
    /// # Errors
    /// The device has no queue with settings.
    pub fn of(device: &Path) -> Result<Self, Reason> {
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

    /// Removes the scheduler and allows so many requests at once. For the next read the kernel has
    /// no request to allocate, so it waits for one.
    ///
    /// # Errors
    /// The kernel refuses the setting.
    pub fn unscheduled(&self, requests: u32) -> Result<(), Reason> {
        self.set("scheduler", "none")?;
        self.set("nr_requests", &requests.to_string())
    }

    /// Adds a scheduler, which holds so many requests that the driver cannot take yet. How many the
    /// driver takes at once stays as it was without a scheduler.
    ///
    /// # Errors
    /// The kernel refuses the setting.
    pub fn scheduled(&self, scheduler: &str, requests: u32) -> Result<(), Reason> {
        self.set("scheduler", scheduler)?;
        self.set("nr_requests", &requests.to_string())
    }

    fn set(&self, knob: &str, value: &str) -> Result<(), Reason> {
        fs::write(self.folder.join(knob), value).map_err(|error| format!("{knob} {value}: {error}"))
    }
}

/// The one in brackets, of `[none] mq-deadline`.
fn scheduler(folder: &Path) -> Result<String, Reason> {
    let text = fs::read_to_string(folder.join("scheduler")).map_err(|error| error.to_string())?;
    let chosen = text.split(['[', ']']).nth(1);
    chosen
        .map(str::to_owned)
        .ok_or_else(|| format!("no scheduler is chosen: {text}"))
}
