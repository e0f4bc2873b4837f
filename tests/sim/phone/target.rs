//! A target that is called: the mood decides.

use super::plan::{MOODS, Mood, Todo};
use super::{Hands, MS, Phone};

impl Phone {
    pub(super) fn ring(&mut self, hands: &mut Hands<'_>, branch: &str) {
        if let Some(at) = self.server.iter().rposition(|server| server.branch == branch) {
            let invite = self.server[at].request.clone();
            let reliable = Self::answers_reliably(hands, &invite);
            let session = super::session::agreed(hands, &invite);
            let server = &mut self.server[at];
            (server.reliable, server.rseq, server.session) =
                (reliable, hands.rng.below(1_000) as u32, session);
        }
        if self.clerk_answers(hands, branch) {
            return;
        }
        let mood = self.mood.unwrap_or_else(|| hands.rng.pick(MOODS));
        let (one, two) = (format!("t{}a", self.fresh()), format!("t{}b", self.fresh()));
        let ringing = hands.now + hands.rng.between(10, 800) * MS;
        let later = ringing + hands.rng.between(50, 6_000) * MS;
        let plan = |phone: &mut Self, at: u64, code: u16, tag: &str| {
            phone.later(at, Todo::Respond { branch: branch.to_owned(), code, tag: tag.to_owned() });
        };
        match mood {
            Mood::Silent => {}
            Mood::AnswerAtOnce => plan(self, hands.now + MS, 200, &one),
            Mood::Busy => plan(self, ringing, 486, &one),
            Mood::Refuse(code) => plan(self, ringing, code, &one),
            Mood::RingUntilCancel => plan(self, ringing, 180, &one),
            Mood::Answer => {
                plan(self, ringing, 180, &one);
                plan(self, later, 200, &one);
            }
            Mood::EarlyMediaThenAnswer => {
                plan(self, ringing, 183, &one);
                plan(self, ringing + 20 * MS, 180, &two);
                plan(self, later, 200, &two);
            }
            Mood::EarlyMediaThenRefuse => {
                plan(self, ringing, 183, &one);
                plan(self, later, 480, &one);
            }
            Mood::Slow => {
                let at = hands.now + hands.rng.between(400, 9_000) * MS;
                if hands.rng.chance(50) {
                    plan(self, at, 180, &one);
                }
                plan(self, at + hands.rng.between(1, 2_000) * MS, 200, &one);
            }
            Mood::TwoAnswers => {
                plan(self, ringing, 180, &one);
                plan(self, later, 200, &one);
                plan(self, later + hands.rng.between(0, 2_000) * MS, 200, &two);
            }
        }
        if hands.rng.chance(10) {
            let at = hands.now + hands.rng.between(60_000, 300_000) * MS;
            self.later(at, Todo::Late { branch: branch.to_owned() });
        }
    }

    /// The last response again, minutes later, marked so that nobody waits for what it asks for.
    pub(super) fn say_again(&mut self, hands: &mut Hands<'_>, branch: &str) {
        let Some(server) = self.server.iter().find(|server| server.branch == branch) else { return };
        let Some(last) = &server.last else { return };
        let text = String::from_utf8_lossy(last).replacen("\r\nCSeq:", "\r\nX-Late: 1\r\nCSeq:", 1);
        hands.send(server.from, text.into_bytes());
    }
}
