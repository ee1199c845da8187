//! A call as a row, its verdict as a table.
//!
//! A row is what happened, by time in nanoseconds since the call began; the call begins
//! at 0:
//!
//! ```text
//! 20 out in=io_schedule | 25 submitted | 30 issued | 90 completed | 92 woken | 95 back | 100 end
//! ```
//!
//! - `out`: off the CPU; asleep, or `preempted`; `iowait`, `reclaim`, `lock=ADDRESS`;
//!   `in=f,g`: the stack it slept with, innermost first.
//! - `submitted`, `issued`, `completed`: the life of a request. `by=` tells who
//!   submitted it: `me` (this call, unless told otherwise), `earlier` (this thread
//!   before), `sibling`, `other`, `worker`, `nobody`; `metadata`, `readahead`,
//!   `throttled`. Requests of this call are told of their own too, as the kernel side
//!   does.
//! - `woken`: by the completion of the last request, if it has completed since the
//!   sleep began (0 in the facts: `woken=unseen` is simply no `woken`); `by=NAME`: by
//!   that task and not by a completion, whose stack is `from=f,g`.
//! - `back`: on the CPU again; `ran`: found on the CPU again. `reclaim` and `reclaimed`: direct reclaim. `end`.
//!
//! A row may begin with what the call was: `pipe | …`, `direct returned=0 | …`.

use std::{collections::HashMap, fmt::Write as _};

use profiler::{
    blame::{Detail, Outcome, Owner, Stacks, Verdict, blame},
    correlate::{Call, Completeness},
};
use profiler_common::fact::{
    CALL_FAULT, CALL_PREAD, ENDED_BY_EXIT, Ended, Head, REQUEST_BY_WORKER, REQUEST_METADATA,
    REQUEST_READAHEAD, REQUEST_THROTTLED, Reclaim, Request, RequestFacts, WAIT_BACK_UNSEEN,
    WAIT_IN_RECLAIM, WAIT_IOWAIT, WAIT_PREEMPTED, WAIT_WAKE_UNSEEN, Wait, stay,
};

/// When every call of the tests begins.
pub(crate) const BEGIN: u64 = 1_000_000;
pub(crate) const TID: u32 = 70;
pub(crate) const PID: u32 = 7;

/// Stacks by id, as the session keeps them.
#[derive(Debug, Default)]
pub(crate) struct Known(HashMap<u32, Vec<String>>);

impl Stacks for Known {
    fn frames(&self, id: u32) -> Option<&[String]> {
        self.0.get(&id).map(Vec::as_slice)
    }
}

impl Known {
    fn add(&mut self, frames: &str) -> i32 {
        let id = self.0.len() as u32;
        self.0
            .insert(id, frames.split(',').map(String::from).collect());
        id as i32
    }
}

/// One cell of a row: `25 submitted by=other readahead`.
struct Cell<'a> {
    at: u64,
    word: &'a str,
    rest: Vec<&'a str>,
}

impl<'a> Cell<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let at = words.next()?.parse::<u64>().ok()?;
        Some(Self {
            at: BEGIN + at,
            word: words.next().expect("a cell has a word after its time"),
            rest: words.collect(),
        })
    }

    fn has(&self, word: &str) -> bool {
        self.rest.contains(&word)
    }

    fn value(&self, key: &str) -> Option<&'a str> {
        let value = |word: &&'a str| word.strip_prefix(key)?.strip_prefix('=');
        self.rest.iter().find_map(value)
    }
}

fn name(text: &str) -> [u8; 16] {
    let mut name = [0; 16];
    name[..text.len()].copy_from_slice(text.as_bytes());
    name
}

fn head(at_ns: u64) -> Head {
    Head {
        tid: TID,
        pid: PID,
        at_ns,
        call_ns: BEGIN,
        op: stay(TID, BEGIN),
        ..Head::default()
    }
}

/// What kind of call it was: the first cell, if it has no time.
fn describe(text: &str, ended: &mut Ended) {
    for word in text.split_whitespace() {
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        let number = || value.parse::<i64>().unwrap();
        match key {
            "file" => ended.mode = libc::S_IFREG,
            "disk" => ended.mode = libc::S_IFBLK,
            "pipe" => ended.mode = libc::S_IFIFO,
            "socket" => ended.mode = libc::S_IFSOCK,
            "device" => ended.mode = libc::S_IFCHR,
            "folder" => ended.mode = libc::S_IFDIR,
            "eventfd" => ended.mode = 0,
            "closed" => (ended.mode, ended.inode) = (0, 0),
            "direct" => ended.file_flags = libc::O_DIRECT as u32,
            "fault" => ended.call = CALL_FAULT,
            "exit" => ended.flags |= ENDED_BY_EXIT,
            "magic" => ended.magic = u32::from_str_radix(value, 16).unwrap(),
            "requested" => ended.requested = number() as u64,
            "returned" => ended.returned = number(),
            "filled" => ended.filled = number() as u32,
            "asked" => ended.filled_asked = number() as u32,
            "data" => ended.bios[0] = number() as u32,
            "metadata" => ended.bios[1] = number() as u32,
            "ahead" => ended.bios[2] = number() as u32,
            _ => panic!("no call is {word:?}"),
        }
    }
}

/// Reads a row.
pub(crate) fn call(row: &str) -> (Call, Known) {
    let mut known = Known::default();
    let mut call = Call {
        ended: Ended {
            head: head(0),
            requested: 4096,
            returned: 4096,
            inode: 12,
            mode: libc::S_IFREG,
            call: CALL_PREAD,
            ..Ended::default()
        },
        waits: Vec::new(),
        reclaims: Vec::new(),
        requests: Vec::new(),
        completeness: Completeness::Complete,
    };
    let mut wait: Option<Wait> = None;
    let mut request = RequestFacts::default();
    let mut reclaim_ns = 0;
    for text in row.split('|') {
        let Some(cell) = Cell::parse(text) else {
            describe(text, &mut call.ended);
            continue;
        };
        match cell.word {
            "out" => wait = Some(out(&cell, &mut known)),
            "submitted" => request = submitted(&cell),
            "issued" => request.issued_ns = cell.at,
            "completed" => {
                request.completed_ns = cell.at;
                if request.owner_op == stay(TID, BEGIN) {
                    call.requests.push(Request {
                        head: head(cell.at),
                        request,
                    });
                }
            }
            "woken" => {
                let wait = wait.as_mut().expect("who is woken was out");
                woken(&cell, wait, &mut known);
                // The completion that is going on here is told with the wake-up.
                if cell.value("by").is_none() && request.completed_ns >= wait.out_ns {
                    wait.request = request;
                }
            }
            // "ran": it is found running, and nobody saw it come back.
            "back" | "ran" => {
                let mut wait = wait.take().expect("who is back was out");
                wait.head = head(cell.at);
                if cell.word == "ran" {
                    wait.flags |= WAIT_BACK_UNSEEN;
                }
                if wait.woken_ns == 0 && wait.flags & WAIT_PREEMPTED == 0 {
                    wait.flags |= WAIT_WAKE_UNSEEN;
                }
                call.waits.push(wait);
            }
            "reclaim" => reclaim_ns = cell.at,
            "reclaimed" => call.reclaims.push(Reclaim {
                head: head(cell.at),
                begin_ns: reclaim_ns,
                pages: 32,
            }),
            "end" => call.ended.head = head(cell.at),
            word => panic!("nothing is called {word:?}"),
        }
    }
    assert_ne!(call.ended.head.at_ns, 0, "a row needs an end: {row}");
    (call, known)
}

fn out(cell: &Cell<'_>, known: &mut Known) -> Wait {
    let mut flags = 0;
    for (word, flag) in [
        ("preempted", WAIT_PREEMPTED),
        ("iowait", WAIT_IOWAIT),
        ("reclaim", WAIT_IN_RECLAIM),
    ] {
        if cell.has(word) {
            flags |= flag;
        }
    }
    Wait {
        out_ns: cell.at,
        flags,
        lock: cell
            .value("lock")
            .map_or(0, |address| u64::from_str_radix(address, 16).unwrap()),
        stack: cell.value("in").map_or(-1, |frames| known.add(frames)),
        waker_stack: -1,
        ..Wait::default()
    }
}

fn submitted(cell: &Cell<'_>) -> RequestFacts {
    let mut request = RequestFacts {
        submitted_ns: cell.at,
        bytes: 4096,
        dev: 254 << 20,
        owner_tid: TID,
        owner_pid: PID,
        owner_op: stay(TID, BEGIN),
        owner_comm: name("reader"),
        ..RequestFacts::default()
    };
    match cell.value("by").unwrap_or("me") {
        "me" => {}
        "earlier" => request.owner_op = stay(TID, BEGIN - 500),
        "sibling" => {
            (request.owner_tid, request.owner_op) = (TID + 1, stay(TID + 1, BEGIN - 500));
            request.owner_comm = name("sibling");
        }
        "other" => {
            (request.owner_tid, request.owner_pid) = (80, 8);
            request.owner_op = 0;
            request.owner_comm = name("fio");
        }
        "worker" => {
            (request.owner_tid, request.owner_pid) = (90, 90);
            request.owner_op = 0;
            request.owner_comm = name("kworker/0:1");
            request.flags |= REQUEST_BY_WORKER;
        }
        "nobody" => {
            (request.owner_tid, request.owner_pid) = (0, 0);
            request.owner_op = 0;
            request.owner_comm = [0; 16];
        }
        who => panic!("nobody is called {who:?}"),
    }
    for (word, flag) in [
        ("readahead", REQUEST_READAHEAD),
        ("metadata", REQUEST_METADATA),
        ("throttled", REQUEST_THROTTLED),
    ] {
        if cell.has(word) {
            request.flags |= flag;
        }
    }
    request
}

fn woken(cell: &Cell<'_>, wait: &mut Wait, known: &mut Known) {
    wait.woken_ns = cell.at;
    if let Some(by) = cell.value("by") {
        (wait.waker_tid, wait.waker_pid) = (99, 9);
        wait.waker_comm = name(by);
    }
    if let Some(frames) = cell.value("from") {
        wait.waker_stack = known.add(frames);
    }
}

/// What blame says of a row, and that it is a partition.
pub(crate) fn verdict(row: &str) -> Verdict {
    let (call, known) = call(row);
    let verdict = blame(&call, &known);
    assert_partition(&call, &verdict);
    verdict
}

/// The spans follow each other without gaps from the beginning to the end, and the
/// shares are their sums.
pub(crate) fn assert_partition(call: &Call, verdict: &Verdict) {
    let mut now = 0;
    for span in &verdict.spans {
        assert_eq!(span.at_ns, now, "a gap or an overlap: {:?}", verdict.spans);
        assert_ne!(span.ns, 0, "a span of no length: {:?}", verdict.spans);
        now += span.ns;
    }
    assert_eq!(now, call.ns(), "{:?}", verdict.spans);
    assert_eq!(verdict.shares.total(), call.ns());
    for (cause, ns) in verdict.shares.iter() {
        let of = verdict.spans.iter().filter(|span| span.cause == cause);
        assert_eq!(of.map(|span| span.ns).sum::<u64>(), ns, "{cause:?}");
    }
}

/// The verdict as a table: `cause ns detail`, a span a line.
fn table(verdict: &Verdict) -> String {
    let mut table = String::new();
    for span in &verdict.spans {
        let line = format!("{} {} {}", span.cause.name(), span.ns, words(&span.detail));
        writeln!(table, "{}", line.trim_end()).unwrap();
    }
    table
}

fn words(detail: &Detail) -> String {
    let text = |bytes: &[u8]| profiler::report::text_of(bytes);
    match detail {
        Detail::None => String::new(),
        Detail::WakeUnseen => "wake-up unseen".to_owned(),
        Detail::BackUnseen => "return unseen".to_owned(),
        Detail::Request { kind, owner, .. } => {
            let owner = match owner {
                Owner::Call => "me".to_owned(),
                Owner::Thread => "earlier".to_owned(),
                Owner::Process { comm, .. } => text(comm),
                Owner::Foreign { pid, comm } => format!("{} of {pid}", text(comm)),
                Owner::Unknown => "nobody".to_owned(),
            };
            format!("{} by {owner}", kind.name())
        }
        Detail::Lock { name, address: 0 } => (*name).to_owned(),
        Detail::Lock { name, address } => format!("{name} at {address:x}"),
        Detail::Waker { comm, through, .. } => format!("{through} by {}", text(comm)),
        Detail::Server { name, comm, .. } => format!("{name} by {}", text(comm)),
    }
}

/// Asserts that a row gets the verdict that the table shows.
#[track_caller]
pub(crate) fn shows(row: &str, expected: &str) {
    let expected: Vec<&str> = expected
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let table = table(&verdict(row));
    assert_eq!(
        table.lines().collect::<Vec<_>>(),
        expected,
        "\n{row}\nis\n{table}"
    );
}

/// Asserts that a row has this outcome.
#[track_caller]
pub(crate) fn ends_as(row: &str, outcome: Outcome) {
    assert_eq!(verdict(row).outcome, outcome, "{row}");
}
