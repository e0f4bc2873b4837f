//! CPU per call at few and many numbers, at few and many calls in progress; and what a standing call takes of memory.

use std::thread;
use std::time::{Duration, Instant};

use crate::app::App;
use crate::callgate::{Setup, sql};
use crate::free_port::free_port;
use crate::line::Line;
use crate::machine::{resident, spent};
use crate::numbers;
use crate::pair::Size;
use crate::results::{Row, Section, number};
use crate::rounds::{cpu, lost, ratio, rounds};
use crate::sipp::Side;
use crate::subject::Subject;

const RATE: u32 = 300;

fn compared(section: &mut Section, what: &str, lines: &[Line; 2]) {
    let all = rounds(what, lines, RATE);
    let (ratio, lost) = (ratio(&all, 1, 0), lost(&all[0]) + lost(&all[1]));
    section.line(&format!("\n{what}: {:.0} against {:.0} us of CPU per call.", cpu(&all[1]), cpu(&all[0])));
    section.row(Row {
        what: format!("CPU per call, {what}"),
        budget: "within 10 %".to_owned(),
        measured: format!("{ratio:.2}x"),
        met: Some(ratio <= 1.1 && lost == 0),
        why: if lost == 0 { String::new() } else { format!("{lost} calls failed: the machine is too busy") },
    });
}

/// At a thousand and at ten million numbers.
pub fn by_numbers(section: &mut Section) {
    let folder = numbers::sqlite(section);
    let few = Line::with_store(Setup::default(), 30);
    numbers::thousand(&few.subject);
    let many = Line::with_store(numbers::setup(&folder), 300);
    section.line(&format!(
        "\nAfter a start with {} numbers their lists are walked ahead, beside calls: {:.0} s.",
        numbers::count(),
        rested(&many.subject)
    ));
    compared(section, &format!("{} numbers against 1,000", numbers::count()), &[few, many]);
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
    let lines = [(), ()].map(|()| Line::with_store(Setup::default(), 30));
    let many = &lines[1];
    // The allocator has what a busy process needs, so that what is added is the calls'.
    many.run(Size { rate: RATE, calls: RATE * 5 });
    let before = resident(many.subject.pid());
    // Longer than all that follows; they are killed, not ended.
    let side = |scenario, port| Side {
        rate: 500,
        calls: standing,
        talk: [3_600_000; 2],
        ..Side::new(scenario, port, many.subject.udp)
    };
    let (port, held) = (free_port(), App::start());
    lead(&many.subject, &held, port);
    let callees = side("callee", port).start(&many.subject.folder);
    thread::sleep(Duration::from_millis(300));
    let callers = side("caller", free_port()).start(&many.subject.folder);
    let all = held.settle_for(
        standing as usize,
        2 * standing as usize,
        Duration::from_secs(u64::from(standing / 500) + 60),
    );
    assert!(all, "{:?} of {standing} calls stand:\n{}", held.counts(), many.subject.log());
    // The transactions of their INVITEs end.
    thread::sleep(Duration::from_secs(35));
    let each = (resident(many.subject.pid()) - before) / f64::from(standing);
    if let Some(callee) = &many.callee {
        lead(&many.subject, &many.app, callee.port);
    }
    section.row(Row {
        what: format!("memory per confirmed call, {standing} of them (sipp's INVITE)"),
        budget: "under 6 KiB".to_owned(),
        measured: format!("{:.2} KiB", each / 1024.0),
        met: Some(each < 6.0 * 1024.0),
        why: String::new(),
    });
    compared(section, &format!("{standing} calls in progress against about 100"), &lines);
    drop((callers, callees));
}

/// From here on the number asks `app`, which sends its calls to `callee`.
fn lead(subject: &Subject, app: &App, callee: u16) {
    let (voice, status) = (app.url(&format!("/dial/{callee}")), app.url("/status"));
    let change =
        format!("UPDATE numbers SET voice_url = '{voice}', status_callback = '{status}' WHERE number = '1'");
    sql(subject, &change);
}
