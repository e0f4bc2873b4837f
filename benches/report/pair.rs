//! One measured run: a subject between two sipps, an application beside it.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use crate::app::App;
use crate::machine::spent;
use crate::sipp::{Counted, Side};
use crate::subject::Subject;

/// A scenario's size.
#[derive(Clone, Copy)]
pub struct Size {
    /// Calls each second.
    pub rate: u32,
    /// How many.
    pub calls: u32,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Outcome {
    /// CPU of the subject and its children, in microseconds per call.
    pub cpu: f64,
    /// The same by thread.
    pub threads: BTreeMap<String, f64>,
    /// How much of it was the kernel's, from 0 to 1.
    pub in_kernel: f64,
    /// Calls that failed on either side, those that never came to it included.
    pub failed: u64,
    /// Messages the sipps repeated.
    pub repeated: u64,
    /// Questions and reports that the application had not heard 30 s after the last call.
    pub unheard: u64,
}

impl Outcome {
    /// The threads that cost something, the dearest first.
    pub fn by_thread(&self) -> String {
        let mut threads: Vec<_> = self.threads.iter().filter(|(_, cpu)| **cpu >= 1.0).collect();
        threads.sort_unstable_by(|one, other| other.1.total_cmp(one.1));
        let words: Vec<String> = threads.iter().map(|(name, cpu)| format!("{name} {cpu:.0}")).collect();
        format!("{}; {:.0} % in the kernel", words.join(", "), self.in_kernel * 100.0)
    }
}

/// Who calls whom, and what the application must have heard per call in the end.
pub struct Pair<'a> {
    /// Between them.
    pub subject: &'a Subject,
    /// Where it is asked.
    pub app: &'a App,
    /// The callee; none in redirect mode.
    pub callee: Option<Side>,
    /// The caller.
    pub caller: Side,
    /// Questions and reports per call.
    pub heard: (usize, usize),
}

impl Pair<'_> {
    /// Runs it to its end.
    pub fn run(self, size: Size) -> Outcome {
        let (calls, before_app) = (size.calls, self.app.counts());
        let sized = |side: &Side| Side { calls, rate: size.rate, ..side.clone() };
        let callees = self.callee.as_ref().map(|side| sized(side).start(&self.subject.folder));
        thread::sleep(Duration::from_millis(300));
        let before = spent(self.subject.pid());
        let called = sized(&self.caller).start(&self.subject.folder).end();
        // A callee whose call never came would wait for it: its time is the caller's.
        let missing = called.failed > 0 || !called.ended;
        let answered = callees.map(|callees| if missing { Counted::default() } else { callees.end() });
        let expected = [(before_app.0, self.heard.0), (before_app.1, self.heard.1)];
        let [asked, told] = expected.map(|(before, each)| before + each * calls as usize);
        let settled = !missing && self.app.settle(asked, told);
        let heard = self.app.counts();
        let unheard = if settled { 0 } else { (asked + told).saturating_sub(heard.0 + heard.1) as u64 };
        // The store has the last batch, and the transactions are over.
        thread::sleep(Duration::from_millis(500));
        let after = spent(self.subject.pid());
        let each = |cpu: f64| cpu / f64::from(calls);
        let lost = u64::from(calls).saturating_sub(called.good);
        Outcome {
            cpu: each(after.since(&before)),
            threads: after.by_thread(&before).into_iter().map(|(name, cpu)| (name, each(cpu))).collect(),
            in_kernel: after.in_kernel(&before),
            failed: lost.max(answered.map_or(0, |side| side.failed)),
            unheard,
            repeated: called.repeated + answered.map_or(0, |side| side.repeated),
        }
    }
}
