//! Several lines measured side by side, round by round.

use crate::line::Line;
use crate::pair::{Outcome, Size};
use crate::results::{median, number};

/// What each of `lines` costs at `rate`: all of them in each round, as the machine's mood lasts longer than one.
pub fn rounds(what: &str, lines: &[Line], rate: u32) -> Vec<Vec<Outcome>> {
    let seconds = number("CALLGATE_BENCH_SECONDS", 10);
    let mut all: Vec<Vec<Outcome>> = lines.iter().map(|_| Vec::new()).collect();
    // They stay from round to round: a daemon that has just begun still gets its memory from the system.
    for line in lines {
        line.run(Size { rate, calls: rate * 2 });
    }
    for round in 0..count() as usize {
        // Each is first in its turn: what begins after a rest costs more.
        for at in (0..lines.len()).map(|step| (step + round) % lines.len()) {
            let line = &lines[at];
            let outcome = line.run(Size { rate, calls: rate * seconds });
            println!(
                "  {what} {rate}/s {}: {:.0} us, {} failed, {} repeated; {}",
                line.who.name(),
                outcome.cpu,
                outcome.failed,
                outcome.repeated,
                outcome.by_thread()
            );
            all[at].push(outcome);
        }
    }
    all
}

/// How many rounds there are.
pub fn count() -> u32 {
    number("CALLGATE_BENCH_ROUNDS", 3).max(1)
}

/// The median CPU per call, in microseconds.
pub fn cpu(outcomes: &[Outcome]) -> f64 {
    median(&outcomes.iter().map(|outcome| outcome.cpu).collect::<Vec<_>>())
}

/// The median over rounds of one's CPU as a part of another's.
pub fn ratio(all: &[Vec<Outcome>], one: usize, other: usize) -> f64 {
    let each = all[one].iter().zip(&all[other]).map(|(one, other)| one.cpu / other.cpu);
    median(&each.collect::<Vec<_>>())
}

/// Calls that failed and reports that were not heard, in all rounds.
pub fn lost(outcomes: &[Outcome]) -> u64 {
    outcomes.iter().map(|outcome| outcome.failed + outcome.unheard).sum()
}

/// By thread in the last round.
pub fn by_thread(outcomes: &[Outcome]) -> String {
    outcomes.last().map_or(String::new(), Outcome::by_thread)
}
