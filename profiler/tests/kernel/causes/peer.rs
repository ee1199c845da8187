//! `peer`: somebody writes to a pipe, a socket or a terminal, after a set time.

use profiler::blame::Cause;
use std::{
    fs::File,
    io::Write,
    os::{fd::OwnedFd, unix::net::UnixStream},
    process::Stdio,
    thread::sleep,
    time::Duration,
};

use nix::pty::openpty;
use profiler::report::v1::SlowCall;

use super::{Stall, TRIED, checked, matched, prove, undisturbed};
use crate::{
    harness::{Running, folder, needs_kernel, only},
    player::{Op, Script, now},
};

#[test]
fn a_slow_writer_is_blamed_for_its_time() {
    needs_kernel!();
    let (pipe, end) = std::io::pipe().expect("a pipe");
    slow_writer("pipe", &[1; 512], pipe.into(), end);
    let (socket, end) = UnixStream::pair().expect("a pair of sockets");
    slow_writer("socket", &[1; 512], OwnedFd::from(socket).into(), end);
    let pty = openpty(None, None).expect("a terminal");
    // A line at a time, and the end of it: ^D at the beginning of a line.
    let mut line = [b'x'; 64];
    line[63] = b'\n';
    slow_writer(
        "terminal",
        &line,
        pty.slave.into(),
        Master(pty.master.into()),
    );
}

/// A terminal's other end. A reader must not be told of its end before it has read all.
struct Master(File);

impl Write for Master {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

impl Drop for Master {
    fn drop(&mut self) {
        let _ = self.0.write_all(&[4]);
        sleep(Duration::from_millis(100));
    }
}

fn slow_writer(what: &str, bytes: &[u8], stdin: Stdio, mut end: impl Write) {
    let folder = folder();
    let script = Script {
        record: folder.path().join("ops"),
        block: bytes.len() as u32,
        urgent: true,
        ..Script::default()
    };
    let run = Running::start_with(&["run", "--slowest", "1000"], &script.command(), stdin);
    script.wait_ready();
    let mut written = Vec::new();
    for _ in 0..TRIED {
        sleep(Duration::from_millis(5));
        written.push(now());
        end.write_all(bytes).expect("somebody reads");
    }
    drop(end);
    let run = run.wait();
    assert!(run.output.status.success(), "{:?}", run.output);
    let report = checked(run.report);
    let scenario = only(&report);
    let calls: Vec<_> = scenario
        .slowest
        .iter()
        .filter(|call| call.blame_ns.or_zero(Cause::Peer) > 0)
        .collect();
    let stall = |(call, op): &(&SlowCall, Op)| {
        // The first write after the op had begun is what ended it.
        let write = *written.iter().find(|&&at| at > op.start_ns)?;
        let injected_ns = write - op.start_ns;
        undisturbed(op, injected_ns).then(|| Stall::of(call, Cause::Peer, injected_ns))
    };
    let stalls: Vec<_> = matched(&calls, &script.ops())
        .iter()
        .filter_map(stall)
        .collect();
    prove(
        Cause::Peer,
        &format!("{what}, its writer waits 5 ms"),
        &stalls,
    );
    let test = std::process::id();
    for wait in scenario
        .waits
        .iter()
        .filter(|wait| wait.cause == Cause::Peer)
    {
        let detail = &wait.detail;
        assert!(detail.contains(what), "{detail}");
        assert!(detail.contains("by tid"), "{detail} (this is {test})");
    }
}
