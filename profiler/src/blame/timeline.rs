//! From the beginning of a call to its end.

use profiler_common::fact::{Reclaim, WAIT_BACK_UNSEEN, WAIT_IN_RECLAIM, WAIT_PREEMPTED, Wait};

use super::{
    Cause, Detail, Shares, Span, Stacks, Verdict, outcome,
    rule::{Piece, Sleep},
    rules::RULES,
};
use crate::correlate::Call;

/// Where a call's time went, and what the page cache did for it.
pub fn blame(call: &Call, stacks: &dyn Stacks) -> Verdict {
    let mut timeline = Timeline::new(call, stacks);
    for wait in &call.waits {
        timeline.on_cpu_until(wait.out_ns);
        timeline.off_cpu(wait);
    }
    timeline.on_cpu_until(timeline.end);
    let spans = timeline.spans;
    let mut shares = Shares::default();
    for span in &spans {
        shares[span.cause] += span.ns;
    }
    Verdict {
        outcome: outcome::of(call, &spans),
        spans,
        shares,
    }
}

/// The walk: everything before `now` has been explained.
struct Timeline<'a> {
    call: &'a Call,
    stacks: &'a dyn Stacks,
    begin: u64,
    end: u64,
    now: u64,
    spans: Vec<Span>,
}

impl<'a> Timeline<'a> {
    fn new(call: &'a Call, stacks: &'a dyn Stacks) -> Self {
        let begin = call.ended.head.call_ns;
        let end = begin + call.ns();
        let spans = Vec::with_capacity(4 * call.waits.len() + 1);
        Self {
            call,
            stacks,
            begin,
            end,
            now: begin,
            spans,
        }
    }

    /// Explains everything up to `to`, as far as it lies in the call and is not
    /// explained yet.
    fn until(&mut self, to: u64, cause: Cause, detail: Detail, stack: Option<u32>) {
        let to = to.clamp(self.now, self.end);
        if to == self.now {
            return;
        }
        self.spans.push(Span {
            at_ns: self.now - self.begin,
            ns: to - self.now,
            cause,
            detail,
            stack,
        });
        self.now = to;
    }

    /// On the CPU: for the call, or in reclaim.
    fn on_cpu_until(&mut self, to: u64) {
        let call = self.call;
        for Reclaim { head, begin_ns, .. } in &call.reclaims {
            if head.at_ns > self.now && *begin_ns < to {
                self.until((*begin_ns).min(to), Cause::Cpu, Detail::None, None);
                self.until(head.at_ns.min(to), Cause::Reclaim, Detail::None, None);
            }
        }
        self.until(to, Cause::Cpu, Detail::None, None);
    }

    fn off_cpu(&mut self, wait: &Wait) {
        let back = wait.head.at_ns;
        let back_unseen = wait.flags & WAIT_BACK_UNSEEN != 0;
        if wait.flags & WAIT_PREEMPTED != 0 {
            // For how long of it is not known if its end was not seen.
            let (cause, detail) = match back_unseen {
                true => (Cause::Unexplained, Detail::BackUnseen),
                false => (Cause::Preempted, Detail::None),
            };
            return self.until(back, cause, detail, None);
        }
        let woken = if wait.woken_ns == 0 {
            back
        } else {
            wait.woken_ns.min(back)
        };
        let stack = u32::try_from(wait.stack).ok();
        if wait.flags & WAIT_IN_RECLAIM != 0 {
            self.until(woken, Cause::Reclaim, Detail::None, stack);
        } else {
            let sleep = Sleep {
                call: self.call,
                wait,
                from: wait.out_ns,
                to: woken,
                stacks: self.stacks,
            };
            let pieces = RULES
                .iter()
                .find_map(|rule| rule(&sleep))
                .unwrap_or_default();
            let unknown = match wait.woken_ns {
                0 if back_unseen => Detail::BackUnseen,
                0 => Detail::WakeUnseen,
                _ => Detail::None,
            };
            self.asleep(pieces, woken, (Cause::Unexplained, unknown), stack);
        }
        let (cause, detail) = match back_unseen {
            true => (Cause::Unexplained, Detail::BackUnseen),
            false => (Cause::Runqueue, Detail::None),
        };
        self.until(back, cause, detail, None);
    }

    fn asleep(
        &mut self,
        pieces: Vec<Piece>,
        woken: u64,
        mut rest: (Cause, Detail),
        stack: Option<u32>,
    ) {
        for piece in pieces {
            self.until(
                piece.to.min(woken),
                piece.cause,
                piece.detail.clone(),
                stack,
            );
            rest = (piece.cause, piece.detail);
        }
        self.until(woken, rest.0, rest.1, stack);
    }
}
