//! CPU per call at few and many numbers, at few and many calls in progress; and what a standing call takes of memory.

use std::thread;
use std::time::{Duration, Instant};

use crate::app::App;
use crate::callgate::{Setup, provision};
use crate::free_port::free_port;
use crate::machine::{resident, spent};
use crate::numbers;
use crate::pair::{Outcome, Pair, Size};
use crate::results::{Row, Section, median, number};
use crate::sipp::Side;
use crate::subject::Subject;

const RATE: u32 = 300;

/// One callgate, its application, and where its number leads.
struct Line {
    subject: Subject,
    app: App,
    callee: u16,
}

impl Line {
    fn start(setup: Setup, seconds: u64) -> Self {
        let (app, callee) = (App::start(), free_port());
        let store = setup.folder.as_ref().map(|folder| folder.join("callgate.db"));
        let subject = setup.start(seconds);
        let (voice, status) = (app.url(&format!("/dial/{callee}")), app.url("/status"));
        match store {
            Some(file) => numbers::provision(&subject, &file, &voice, &status),
            None => provision(&subject, "call", &voice, &status),
        }
        Self { subject, app, callee }
    }

    fn side(&self, scenario: &'static str, port: u16, talk: u32, size: Size) -> Side {
        let remote = self.subject.udp;
        Side {
            scenario,
            transport: "u1",
            port,
            remote,
            calls: size.calls,
            rate: size.rate,
            number: "1",
            ring: 100,
            talk: [talk; 2],
            contact: None,
        }
    }

    fn run(&self, seconds: u32) -> Outcome {
        let size = Size { rate: RATE, calls: RATE * seconds };
        let callee = Some(self.side("callee", self.callee, 200, size));
        let caller = self.side("caller", free_port(), 200, size);
        Pair { subject: &self.subject, app: &self.app, callee, caller, heard: (1, 3) }.run(size)
    }
}

fn compared(section: &mut Section, what: &str, few: &Line, many: &Line) {
    let seconds = number("CALLGATE_BENCH_SECONDS", 10);
    let (mut one, mut other) = (Vec::new(), Vec::new());
    few.run(3);
    many.run(3);
    let mut failed = 0;
    for _ in 0..number("CALLGATE_BENCH_ROUNDS", 3).max(1) {
        for (line, found) in [(few, &mut one), (many, &mut other)] {
            let outcome = line.run(seconds);
            failed += outcome.failed + outcome.unheard;
            found.push(outcome.cpu);
        }
    }
    let ratio = median(&one.iter().zip(&other).map(|(few, many)| many / few).collect::<Vec<_>>());
    section.line(&format!("\n{what}: {:.0} against {:.0} us of CPU per call.", median(&other), median(&one)));
    section.row(Row {
        what: format!("CPU per call, {what}"),
        budget: "within 10 %".to_owned(),
        measured: format!("{ratio:.2}x"),
        met: Some(ratio <= 1.1 && failed == 0),
        why: if failed == 0 {
            String::new()
        } else {
            format!("{failed} calls failed: the machine is too busy")
        },
    });
}

/// At a thousand and at ten million numbers.
pub fn by_numbers(section: &mut Section) {
    let folder = numbers::sqlite(section);
    let few = Line::start(Setup::default(), 30);
    numbers::thousand(&few.subject);
    let many = Line::start(numbers::setup(&folder), 300);
    section.line(&format!(
        "\nAfter a start with {} numbers their lists are walked ahead, beside calls: {:.0} s.",
        numbers::count(),
        rested(&many.subject)
    ));
    compared(section, &format!("{} numbers against 1,000", numbers::count()), &few, &many);
}

/// Waits until it does nothing any more, as it has no calls, two minutes at most; how many seconds.
fn rested(subject: &Subject) -> f64 {
    let (began, second) = (Instant::now(), Duration::from_secs(1));
    loop {
        let before = spent(subject.pid());
        thread::sleep(second);
        let is_idle = spent(subject.pid()).since(&before) < 50_000.0;
        if is_idle || began.elapsed() > 120 * second {
            return began.elapsed().as_secs_f64();
        }
    }
}

/// At a hundred and at twenty thousand calls in progress; memory of a confirmed one.
pub fn by_calls(section: &mut Section) {
    let standing = number("CALLGATE_BENCH_STANDING", 20_000);
    let [few, many] = [(), ()].map(|()| Line::start(Setup::default(), 30));
    // The allocator has what a busy process needs, so that what is added is the calls'.
    many.run(5);
    let before = resident(many.subject.pid());
    let size = Size { rate: 500, calls: standing };
    // Longer than all that follows; they are killed, not ended.
    let talk = 3_600_000;
    let port = free_port();
    let held = App::start();
    let voice = held.url(&format!("/dial/{port}"));
    crate::callgate::sql(
        &many.subject,
        &format!(
            "UPDATE numbers SET voice_url = '{voice}', status_callback = '{}' WHERE number = '1'",
            held.url("/status")
        ),
    );
    let callees = many.side("callee", port, talk, size).start(&many.subject.folder);
    thread::sleep(Duration::from_millis(300));
    let callers = many.side("caller", free_port(), talk, size).start(&many.subject.folder);
    let all = held.settle_for(
        standing as usize,
        2 * standing as usize,
        Duration::from_secs(u64::from(standing / 500) + 60),
    );
    assert!(all, "{:?} of {standing} calls stand:\n{}", held.counts(), many.subject.log());
    // The transactions of their INVITEs end.
    thread::sleep(Duration::from_secs(35));
    let each = (resident(many.subject.pid()) - before) / f64::from(standing);
    crate::callgate::sql(
        &many.subject,
        &format!(
            "UPDATE numbers SET voice_url = '{}', status_callback = '{}' WHERE number = '1'",
            many.app.url(&format!("/dial/{}", many.callee)),
            many.app.url("/status")
        ),
    );
    section.row(Row {
        what: format!("memory per confirmed call, {standing} of them (sipp's INVITE)"),
        budget: "under 6 KiB".to_owned(),
        measured: format!("{:.2} KiB", each / 1024.0),
        met: Some(each < 6.0 * 1024.0),
        why: String::new(),
    });
    compared(section, &format!("{standing} calls in progress against about 100"), &few, &many);
    drop((callers, callees));
}
