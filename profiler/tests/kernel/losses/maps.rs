//! Calls that were missed beside a program that uses BPF maps all the time.
//!
//! Which calls are missed is made sure of: a 32-bit call of a 64-bit program is not seen by the
//! probes, and is in the kernel's count. What is tested is who is named for it, and when.

use std::{
    mem::size_of,
    os::{
        fd::{FromRawFd as _, OwnedFd},
        unix::process::CommandExt as _,
    },
    path::Path,
    process::{Child, Command},
};

use profiler::report::v1::Report;

use super::{
    absent,
    actor::{Act, Actor},
    kept,
};
use crate::harness::{Running, Session, file, folder, needs_kernel, only, skip};

/// A 32-bit read (`read` is number 3 there), if the kernel takes such calls. The addresses have
/// to fit 32 bits.
#[cfg(target_arch = "x86_64")]
pub(super) fn read_32_bit(fd: i32) -> i64 {
    use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};
    let protection = ProtFlags::READ | ProtFlags::WRITE;
    let low = MapFlags::PRIVATE | MapFlags::from_bits_retain(libc::MAP_32BIT as u32);
    // SAFETY: a new mapping, at an address of the kernel's choice.
    let page = unsafe { mmap_anonymous(std::ptr::null_mut(), 4096, protection, low) };
    let page = page.expect("a page below 4 GiB") as u64;
    let returned: i32;
    // SAFETY: reads into the page that was just mapped; `rbx` is put back. The kernel's entry
    // for such calls may change r8 to r11.
    unsafe {
        std::arch::asm!(
            "xchg rbx, {fd}",
            "int 0x80",
            "xchg rbx, {fd}",
            fd = inout(reg) i64::from(fd) => _,
            inlateout("eax") 3 => returned,
            in("rcx") page,
            in("rdx") 64,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
    // SAFETY: mapped above, and used no more.
    unsafe { rustix::mm::munmap(page as *mut _, 4096) }.expect("to give the page back");
    returned.into()
}

#[cfg(not(target_arch = "x86_64"))]
pub(super) fn read_32_bit(_: i32) -> i64 {
    -1
}

/// Updates an element of a map of its own, until the process is ended.
pub(super) fn update_for_ever() -> ! {
    const MAP_CREATE: u32 = 0;
    const MAP_UPDATE_ELEM: u32 = 2;
    const HASH: u32 = 1;
    // The part of `union bpf_attr` that makes a map, and that which updates an element.
    let create: [u32; 5] = [HASH, 4, 8, 16, 0];
    #[repr(C)]
    struct Update {
        map: u32,
        unused: u32,
        key: u64,
        value: u64,
        flags: u64,
    }
    fn bpf<T>(command: u32, attributes: &T) -> i64 {
        let attributes = std::ptr::from_ref(attributes);
        // SAFETY: a part of `union bpf_attr` of the size that is given; what it points to lives.
        unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of::<T>()) }
    }
    let map = bpf(MAP_CREATE, &create);
    assert!(map >= 0, "{}", std::io::Error::last_os_error());
    // SAFETY: the kernel has just made this descriptor for us.
    let _map = unsafe { OwnedFd::from_raw_fd(map as i32) };
    let (key, value) = (1u32, 1u64);
    let update = Update {
        map: map as u32,
        unused: 0,
        key: (&raw const key) as u64,
        value: (&raw const value) as u64,
        flags: 0,
    };
    loop {
        assert_eq!(bpf(MAP_UPDATE_ELEM, &update), 0);
    }
}

/// A process that does so, ended with this value.
struct User(Child);

impl User {
    fn start(folder: &Path) -> Self {
        let actor = Actor::new(Act::Maps, folder);
        let command = actor.command();
        let child = Command::new(&command[0]).args(&command[1..]).spawn();
        let user = Self(child.expect("it starts"));
        actor.wait_pid();
        user
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Watches an actor in a mount namespace of its own, in which there is a tracefs.
fn watch(way: &str, act: Act, folder: &Path) -> Session {
    let actor = Actor::new(act, folder);
    let mount = |command: &mut Command| {
        let tracefs = || {
            let (none, at, what) = (std::ptr::null(), c"/sys/kernel/tracing", c"tracefs");
            let apart = libc::MS_REC | libc::MS_PRIVATE;
            // SAFETY: names that live as long as the program; all else is plain numbers.
            let done = unsafe {
                libc::unshare(libc::CLONE_NEWNS) == 0
                    && libc::mount(none, c"/".as_ptr(), none, apart, none.cast()) == 0
                    && libc::mount(what.as_ptr(), at.as_ptr(), what.as_ptr(), 0, none.cast()) == 0
            };
            match std::io::Error::last_os_error() {
                // It is mounted there already.
                error if !done && error.raw_os_error() != Some(libc::EBUSY) => Err(error),
                _ => Ok(()),
            }
        };
        // SAFETY: between fork and exec, and does nothing but system calls.
        unsafe { command.pre_exec(tracefs) };
    };
    Running::start_as(&["run", "--entry", way], &actor.command(), mount).wait()
}

fn named(report: &Report, user: &User) -> bool {
    let users = &report.quality.bpf_users;
    let user = users.iter().find(|found| found.pid == user.0.id());
    user.is_some_and(|user| user.map_calls > 0 && !user.comm.is_empty())
}

#[test]
fn who_uses_maps_is_named_where_that_may_have_cost_calls() {
    needs_kernel!();
    const READS: u64 = 200;
    let folder = folder();
    // In another process: a kernel without such calls ends it.
    let one = Act::Missed {
        path: "/dev/zero".into(),
        reads: 1,
    };
    let one = Actor::new(one, folder.path()).command();
    let done = Command::new(&one[0]).args(&one[1..]).status();
    if !done.is_ok_and(|status| status.success()) {
        absent(
            "another user of BPF maps, named",
            "this kernel takes no 32-bit calls, so no call can be missed on purpose",
        );
        skip!("this kernel takes no 32-bit calls");
    }
    let path = file(&folder, "data", 1 << 16);
    let missed = |reads| Act::Missed {
        path: path.clone(),
        reads,
    };
    let told = |way, reads| watch(way, missed(reads), folder.path()).report;

    let alone = told("raw-syscalls", READS);
    assert_eq!(only(&alone).missed_calls.whole, READS, "{alone:#?}");
    let user = User::start(folder.path());
    let beside = told("raw-syscalls", READS);
    assert!(only(&beside).missed_calls.whole >= READS, "{beside:#?}");
    assert!(!named(&alone, &user), "{:#?}", alone.quality);
    assert!(named(&beside, &user), "{:#?}", beside.quality);
    // Nobody is named where nothing was missed, and where it cannot be the reason.
    let nothing = told("raw-syscalls", 0);
    if only(&nothing).missed_calls.total == 0 {
        assert_eq!(nothing.quality.bpf_users, []);
    }
    let elsewhere = told("tp-btf", READS);
    assert_eq!(only(&elsewhere).missed_calls.whole, READS);
    assert_eq!(elsewhere.quality.bpf_users, []);
    kept(
        "another user of BPF maps, named",
        &format!("{READS} missed reads beside a program that updates a map"),
        "its process, where calls were missed by raw_syscalls",
        &format!("{} named", beside.quality.bpf_users.len()),
    );
}
