//! What the kernel side is told to watch.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::Result;
use aya::maps::Map;
use profiler_common::{control::Control, target::TARGET_NOTHING};

use super::mapped::Mapped;

/// The kernel side's orders, in its own memory.
#[derive(Debug)]
pub(super) struct Orders {
    control: Mapped<Control>,
    /// How often something was watched.
    scenario: u32,
    /// What the hooks tell, as `CONTROL_*` bits; goes with every order.
    told: u32,
}

impl Orders {
    pub(super) fn new(map: &Map) -> Result<Self> {
        let control = Mapped::new(map)?;
        Ok(Self {
            control,
            scenario: 0,
            told: 0,
        })
    }

    /// Lets the kernel side know what the hooks that are attached tell, as `CONTROL_*` bits.
    pub(super) fn hooks_tell(&mut self, told: u32) {
        self.told = told;
        self.give(Control::default());
    }

    /// Tells the kernel side what to watch from now on.
    pub(super) fn give(&mut self, mut control: Control) {
        if control.target_kind != TARGET_NOTHING {
            self.scenario += 1;
        }
        control.scenario = self.scenario;
        control.flags |= self.told;
        let to = self.control.entry().as_ptr();
        // SAFETY: the mapped entry. The target's kind is written first where a target is taken
        // away, and last where it is given: a program that sees it sees what goes with it.
        unsafe {
            let kind = AtomicU32::from_ptr(&raw mut (*to).target_kind);
            kind.store(TARGET_NOTHING, Ordering::Release);
            (&raw mut (*to).target_number).write_volatile(control.target_number);
            (&raw mut (*to).flags).write_volatile(control.flags);
            (&raw mut (*to).scenario).write_volatile(control.scenario);
            (&raw mut (*to).threshold_ns).write_volatile(control.threshold_ns);
            kind.store(control.target_kind, Ordering::Release);
        }
    }
}
