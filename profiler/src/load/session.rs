//! A session of kprobes on the functions behind the system calls: one program at their begin
//! and at their return.
//!
//! aya 0.14 loads kprobes without an attach type and has no link of this kind, so both are
//! system calls of our own (`bpf(2)`). The program comes out of the same object file; its
//! maps are those that aya made.

use std::{
    collections::HashSet,
    ffi::CString,
    fs::File,
    io,
    mem::size_of,
    os::fd::{AsFd as _, AsRawFd as _, FromRawFd as _, OwnedFd, RawFd},
};

use anyhow::{Context as _, Result};
use aya::{
    Ebpf,
    maps::{Map, MapData},
};
use aya_obj::{Object, btf::BtfKind};

use profiler_common::calls::CALLS;

use super::refusal::{Refused, last_words};

use super::types::Types;

/// The program in the object file.
pub(super) const PROGRAM: &str = "read_session";

/// `bpf_attach_type` of linux/bpf.h.
const BPF_TRACE_KPROBE_SESSION: u32 = 56;
const BPF_PROG_LOAD: u32 = 5;
const BPF_LINK_CREATE: u32 = 28;
const BPF_PROG_TYPE_KPROBE: u32 = 2;

/// The program, attached as long as this lives.
#[derive(Debug)]
pub(super) struct Session {
    program: OwnedFd,
    _link: OwnedFd,
}

/// The part of `union bpf_attr` that loads a program.
#[repr(C)]
#[derive(Default)]
struct ProgramLoad {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
    prog_ifindex: u32,
    expected_attach_type: u32,
}

/// The part of it that makes a link of kprobes.
#[repr(C)]
#[derive(Default)]
struct LinkCreate {
    prog_fd: u32,
    target_fd: u32,
    attach_type: u32,
    flags: u32,
    kprobes_flags: u32,
    cnt: u32,
    syms: u64,
    addrs: u64,
    cookies: u64,
}

const _: () = assert!(size_of::<ProgramLoad>() == 72 && size_of::<LinkCreate>() == 48);

impl Session {
    /// Loads and attaches the program.
    ///
    /// # Errors
    ///
    /// The kernel has no sessions (before 6.10), no kprobes, or other names for its calls.
    pub(super) fn attach(object: &[u8], ebpf: &Ebpf, types: &mut Types) -> Result<Self> {
        let program = load(object, ebpf)?;
        let calls = CALLS.iter().filter(|call| call.number().is_some());
        let mut names: Vec<String> = calls
            .map(|call| format!("{}{}", prefix(), call.function))
            .collect();
        let link = link(&program, &names).or_else(|error| {
            // One name that is missing costs all: a kernel is built without some calls.
            let all = names.len();
            if let Ok(btf) = types.get() {
                names.retain(|name| btf.id_by_type_name_kind(name, BtfKind::Func).is_ok());
            }
            if names.is_empty() || names.len() == all {
                return Err(error);
            }
            link(&program, &names)
        });
        Ok(Self {
            _link: link.context("the kernel does not attach a session of kprobes")?,
            program,
        })
    }

    /// The program, for what the kernel counts of it.
    pub(super) fn program(&self) -> RawFd {
        self.program.as_raw_fd()
    }
}

/// Attaches the program to functions.
fn link(program: &OwnedFd, functions: &[String]) -> io::Result<OwnedFd> {
    let names = functions
        .iter()
        .map(|name| CString::new(name.as_str()))
        .collect::<Result<Vec<_>, _>>()?;
    let names: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
    bpf(
        BPF_LINK_CREATE,
        &LinkCreate {
            prog_fd: program.as_raw_fd() as u32,
            attach_type: BPF_TRACE_KPROBE_SESSION,
            cnt: names.len() as u32,
            syms: names.as_ptr() as u64,
            ..LinkCreate::default()
        },
    )
}

/// How the kernel calls the function behind a system call.
fn prefix() -> &'static str {
    if cfg!(target_arch = "aarch64") {
        "__arm64_sys_"
    } else {
        "__x64_sys_"
    }
}

fn load(object: &[u8], ebpf: &Ebpf) -> Result<OwnedFd> {
    let mut object = Object::parse(object).context("the probes' object file")?;
    let text: HashSet<usize> = object
        .functions
        .keys()
        .map(|(section, _)| *section)
        .collect();
    let parsed = object.maps.clone();
    let maps = ebpf
        .maps()
        .filter_map(|(name, map)| Some((name, fd(map)?, parsed.get(name)?)));
    object.relocate_maps(maps, &text)?;
    object.relocate_calls(&text)?;
    let program = object
        .programs
        .get(PROGRAM)
        .with_context(|| format!("no program {PROGRAM}"))?;
    let function = object
        .functions
        .get(&program.function_key())
        .with_context(|| format!("no code of program {PROGRAM}"))?;
    let mut name = [0; 16];
    name[..PROGRAM.len()].copy_from_slice(PROGRAM.as_bytes());
    let attributes = ProgramLoad {
        prog_type: BPF_PROG_TYPE_KPROBE,
        insn_cnt: function.instructions.len() as u32,
        insns: function.instructions.as_ptr() as u64,
        license: object.license.as_ptr() as u64,
        prog_name: name,
        expected_attach_type: BPF_TRACE_KPROBE_SESSION,
        ..ProgramLoad::default()
    };
    let error = match bpf(BPF_PROG_LOAD, &attributes) {
        Ok(program) => return Ok(program),
        Err(error) => anyhow::Error::from(Refused(error)),
    };
    // Once more, for the verifier's last words.
    let mut log = vec![0u8; 1 << 20];
    let again = bpf(
        BPF_PROG_LOAD,
        &ProgramLoad {
            log_level: 1,
            log_size: log.len() as u32,
            log_buf: log.as_mut_ptr() as u64,
            ..attributes
        },
    );
    if let Ok(program) = again {
        return Ok(program);
    }
    let end = log.iter().position(|&byte| byte == 0).unwrap_or(log.len());
    let text = String::from_utf8_lossy(&log[..end]);
    let last = last_words(&text);
    Err(error.context(format!("the kernel does not load the session: {last}")))
}

fn fd(map: &Map) -> Option<RawFd> {
    let data: &MapData = match map {
        Map::Array(data)
        | Map::PerCpuArray(data)
        | Map::HashMap(data)
        | Map::RingBuf(data)
        | Map::StackTraceMap(data)
        | Map::Unsupported(data) => data,
        _ => return None,
    };
    Some(data.fd().as_fd().as_raw_fd())
}

/// `bpf(2)`, for commands that give a descriptor.
fn bpf<T>(command: u32, attributes: &T) -> io::Result<OwnedFd> {
    // SAFETY: the attributes are a part of `union bpf_attr`, of the size that is given, and
    // what they point to is alive.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_ref(attributes),
            size_of::<T>(),
        )
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { File::from_raw_fd(fd as RawFd) }.into())
}
