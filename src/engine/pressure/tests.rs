//! The limit against a router in a few lines, whose capacity is known.

use super::*;

const GOOD: Option<TrunkSid> = Some(TrunkSid(1));
const NOISY: Option<TrunkSid> = Some(TrunkSid(2));

/// A router that serves `capacity` calls a second; what is admitted beyond waits.
struct Router {
    pressure: Pressure,
    capacity: f64,
    backlog: f64,
    now: Instant,
    /// Milliseconds between two looks.
    looks: u32,
    /// What a refusal costs, in calls, and what of a call is to be done a second after it was admitted.
    refusal: f64,
    later: f64,
    due: std::collections::VecDeque<f64>,
    longest: Duration,
}

impl Router {
    fn new(capacity: f64) -> Self {
        let pressure = Pressure::new(Duration::from_millis(50), Map::default());
        let now = Instant::ZERO + Duration::from_secs(9);
        let due = std::iter::repeat_n(0.0, 1_000).collect();
        let (refusal, later, longest) = (0.0, 0.0, Duration::ZERO);
        Self { pressure, capacity, backlog: 0.0, now, looks: 1, refusal, later, due, longest }
    }

    /// Offers calls a second for so long; of each source how many were admitted and refused.
    fn offer(&mut self, seconds: u32, offers: &[(Option<TrunkSid>, u32)]) -> Vec<(u32, u32)> {
        self.offer_for(seconds * 1_000, offers)
    }

    fn offer_for(&mut self, ticks: u32, offers: &[(Option<TrunkSid>, u32)]) -> Vec<(u32, u32)> {
        let mut served = vec![(0, 0); offers.len()];
        for tick in 0..ticks {
            self.now += Duration::from_millis(1);
            self.backlog = (self.backlog - self.capacity / 1_000.0).max(0.0);
            self.backlog += self.due.pop_front().unwrap_or_default();
            let (mut later, wait) = (0.0, Duration::from_secs_f64(self.backlog / self.capacity));
            self.longest = self.longest.max(wait);
            if tick % self.looks == 0 {
                self.pressure.waited(self.now, wait);
            }
            for ((source, rate), served) in offers.iter().zip(&mut served) {
                for _ in 0..(tick + 1) * rate / 1_000 - tick * rate / 1_000 {
                    if self.pressure.admits(self.now, *source) {
                        self.backlog += 1.0 - self.later;
                        later += self.later;
                        served.0 += 1;
                    } else {
                        self.backlog += self.refusal;
                        served.1 += 1;
                    }
                }
            }
            self.due.push_back(later);
        }
        served
    }
}

#[test]
fn a_host_so_slow_that_it_looks_seldom_knows_of_its_load_too() {
    let mut router = Router::new(50.0);
    router.looks = 70;
    let served = router.offer(60, &[(GOOD, 2), (NOISY, 250)]);
    assert_eq!(served[0], (120, 0), "the quiet one is served whole");
    let goodput = f64::from(served[0].0 + served[1].0) / 60.0;
    assert!((40.0..=55.0).contains(&goodput), "{goodput}");
    assert!(router.backlog / router.capacity < 1.0, "{}", router.backlog);
}

#[test]
fn below_capacity_nobody_is_refused() {
    let mut router = Router::new(500.0);
    assert_eq!(router.offer(10, &[(GOOD, 20), (NOISY, 400)]), [(200, 0), (4_000, 0)]);
    assert_eq!(router.pressure.limit(), None);
}

#[test]
fn at_five_times_the_capacity_the_noisy_one_gives_up_and_four_fifths_are_served() {
    let mut router = Router::new(500.0);
    let served = router.offer(60, &[(GOOD, 20), (NOISY, 2_500)]);
    assert_eq!(served[0], (1_200, 0), "the quiet one is served whole");
    let goodput = f64::from(served[0].0 + served[1].0) / 60.0;
    assert!((400.0..=520.0).contains(&goodput), "{goodput}");
    let waits = router.backlog / router.capacity;
    assert!(waits < 0.5, "nothing waits for ever: {waits}");
    router.offer(2, &[(GOOD, 20), (NOISY, 200)]);
    let after = router.offer(2, &[(GOOD, 20), (NOISY, 200)]);
    assert_eq!(after, [(40, 0), (400, 0)], "after two seconds it is over");
}

#[test]
fn a_flood_whose_calls_cost_later_is_answered_before_it_is_repeated() {
    for capacity in [170.0, 1_000.0] {
        let mut router = Router::new(capacity);
        (router.refusal, router.later) = (0.04, 0.6);
        router.offer(5, &[(GOOD, 20), (NOISY, (capacity * 0.7) as u32)]);
        let offers = [(GOOD, 20), (NOISY, (capacity * 4.7) as u32)];
        router.offer(3, &offers);
        router.longest = Duration::ZERO;
        let served = router.offer(57, &offers);
        let goodput = f64::from(served[0].0 + served[1].0) / 57.0 / capacity;
        assert_eq!(served[0], (1_140, 0), "the quiet one is served whole");
        assert!(goodput > 0.7, "{goodput}");
        assert!(router.longest < Duration::from_millis(500), "{:?}", router.longest);
    }
}

#[test]
fn who_places_what_it_always_did_hears_nothing_of_anothers_flood() {
    for capacity in [100.0, 400.0, 2_000.0] {
        let mut router = Router::new(capacity);
        assert_eq!(router.offer(5, &[(GOOD, 20)]), [(100, 0)]);
        let mut lost = 0;
        for _ in 0..80 {
            // A stalled host gets the calls of half a second at once.
            router.offer_for(500, &[(NOISY, (capacity * 5.0) as u32)]);
            let now = router.now;
            lost += (0..10).filter(|_| !router.pressure.admits(now, GOOD)).count();
        }
        assert_eq!(lost, 0, "of 800, at {capacity} calls/s");
    }
}

#[test]
fn what_a_stalled_host_gets_at_once_was_not_placed_at_once() {
    let mut router = Router::new(100.0);
    let few = Duration::from_millis(50);
    let mut lost = 0;
    for _ in 0..60 {
        router.offer_for(100, &[(NOISY, 500)]);
        // For four tenths of a second nobody looked, and twenty calls a second came.
        router.now += few * 8;
        for nth in (0..8).rev() {
            router.pressure.waited(router.now, few * nth);
            lost += u32::from(!router.pressure.admits(router.now, GOOD));
        }
    }
    assert_eq!(lost, 0, "of 480");
}

#[test]
fn a_stall_within_a_flood_lets_no_more_through_behind_it() {
    let mut router = Router::new(200.0);
    router.offer(10, &[(GOOD, 20), (NOISY, 1_000)]);
    for _ in 0..20 {
        // Nobody looks for six tenths of a second, but for three messages at its end.
        router.now += Duration::from_millis(580);
        for wait in [580, 585, 590] {
            router.pressure.waited(router.now, Duration::from_millis(wait));
        }
        router.now += Duration::from_millis(20);
        let mut admitted = 0;
        for nth in 0..600_u32 {
            router.pressure.waited(router.now, Duration::from_millis(600 - u64::from(nth)));
            admitted += u32::from(router.pressure.admits(router.now, NOISY));
        }
        assert!(admitted < 200, "of 600, in 0.6 s of 200 calls/s: {admitted}");
        router.offer_for(400, &[(GOOD, 20), (NOISY, 1_000)]);
    }
}

#[test]
fn a_journal_that_comes_late_costs_the_noisy_one_calls_and_nobody_else() {
    let mut router = Router::new(200.0);
    router.offer(10, &[(GOOD, 20), (NOISY, 1_000)]);
    router.backlog = 0.0;
    router.pressure.waited(router.now, Duration::ZERO);
    router.pressure.set_behind(Duration::from_millis(300));
    let now = router.now;
    assert!(!(0..50).any(|_| router.pressure.admits(now, NOISY)));
    assert!(router.pressure.admits(now, GOOD));
}

#[test]
fn what_was_usual_is_forgotten_where_it_can_be_carried_no_more() {
    let mut router = Router::new(500.0);
    assert_eq!(router.offer(20, &[(GOOD, 200), (NOISY, 250)]), [(4_000, 0), (5_000, 0)]);
    router.capacity = 100.0;
    router.offer(20, &[(GOOD, 200), (NOISY, 250)]);
    let served = router.offer(20, &[(GOOD, 200), (NOISY, 250)]);
    let goodput = f64::from(served[0].0 + served[1].0) / 20.0;
    assert!((50.0..=130.0).contains(&goodput), "{goodput}");
    assert!(router.backlog / router.capacity < 1.0, "{}", router.backlog);
}

#[test]
fn equals_give_up_alike_and_zero_is_off() {
    let mut router = Router::new(500.0);
    let served = router.offer(20, &[(GOOD, 1_000), (NOISY, 1_000)]);
    let ratio = f64::from(served[0].0) / f64::from(served[1].0);
    assert!((0.8..1.25).contains(&ratio), "{served:?}");
    router.pressure.set_target(Duration::ZERO);
    assert_eq!(router.offer(1, &[(GOOD, 1_000)]), [(1_000, 0)]);
}

#[test]
fn one_late_turn_is_no_overload() {
    let mut router = Router::new(500.0);
    router.offer(1, &[(GOOD, 100)]);
    router.backlog = 400.0;
    router.pressure.waited(router.now, Duration::from_millis(800));
    router.backlog = 0.0;
    assert_eq!(router.offer(5, &[(GOOD, 100)]), [(500, 0)]);
}
