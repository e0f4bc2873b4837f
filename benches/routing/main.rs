//! How long routing takes: exact look-ups among 10^3 to 10^6 numbers (10^7 with `CALLGATE_BENCH_BIG=1`),
//! a bare hash map beside them, and all forms through 1 to 10,000 patterns.

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;

use callgate::ids::{AccountSid, NumberSid, OrganizationSid};
use callgate::routing::model::{Account, Delta, Frame, Hook, Method, Number, Organization, VoiceProfile};
use callgate::routing::{Address, Builder, Decision, Directory, Inbound, decide};
use criterion::{BenchmarkId, Criterion};

fn frame() -> Frame {
    let organization = Organization { is_default: true, ..Organization::at(OrganizationSid(1), "a.test") };
    let account = Account::of(OrganizationSid(1), AccountSid(1));
    Frame {
        organizations: vec![Arc::new(organization)],
        accounts: vec![Arc::new(account)],
        ..Frame::default()
    }
}

fn number(sid: u128, text: &str, profile: &Arc<VoiceProfile>) -> Number {
    Number {
        sid: NumberSid(sid),
        text: text.into(),
        account: AccountSid(1),
        organization: OrganizationSid(1),
        is_sip: true,
        in_service: true,
        main: false,
        profile: Arc::clone(profile),
    }
}

fn profile() -> Arc<VoiceProfile> {
    let hook = Hook { url: "https://app.test/voice".into(), method: Method::Post };
    Arc::new(VoiceProfile { voice: Some(hook), ..VoiceProfile::default() })
}

/// Numbers spread over the North American plan, without two alike.
fn nth(n: u64) -> u64 {
    12_000_000_000 + n.wrapping_mul(7_919) % 7_999_999_993
}

fn decided(directory: &Directory, user: &str) -> bool {
    let inbound = Inbound {
        trunk: None,
        unknown_organization: None,
        request: Address { user: user.as_bytes(), host: b"a.test", ..Address::default() },
        to: Address::default(),
        from_host: b"",
        header: None,
    };
    matches!(decide(directory, &inbound), Decision::Application(_))
}

fn exact(criterion: &mut Criterion) {
    let big = std::env::var_os("CALLGATE_BENCH_BIG").is_some();
    let sizes = [1_000_u64, 100_000, 1_000_000].into_iter().chain(big.then_some(10_000_000));
    for size in sizes {
        let (profile, before) = (profile(), resident());
        let mut builder = Builder::new(frame());
        for n in 0..size {
            builder.add(&number(u128::from(n), &format!("+{}", nth(n)), &profile));
        }
        let directory = builder.build(1);
        println!("{size} numbers: {:.1} bytes each", (resident() - before) / size as f64);
        let bare: HashMap<u64, u32, foldhash::fast::RandomState> =
            (0..size).map(|n| (nth(n), n as u32)).collect();
        let texts: Vec<String> = (0..4096).map(|n| format!("+{}", nth(n * 2_654_435_761 % size))).collect();
        let mut at = 0;
        let mut next = move || {
            at = (at + 1) % 4096;
            at
        };
        let mut group = criterion.benchmark_group("exact");
        group.bench_function(BenchmarkId::new("probe", size), |bencher| {
            bencher.iter(|| directory.numbers_of(black_box(&texts[next()])).count());
        });
        group.bench_function(BenchmarkId::new("bare map", size), |bencher| {
            bencher.iter(|| texts[next()][1..].parse::<u64>().ok().and_then(|key| bare.get(&key).copied()));
        });
        group.bench_function(BenchmarkId::new("decide", size), |bencher| {
            bencher.iter(|| decided(&directory, black_box(&texts[next()])));
        });
        let delta = Delta {
            written: vec![number(u128::from(size) + 1, "+4930123456", &profile)],
            ..Delta::default()
        };
        group.bench_function(BenchmarkId::new("delta of one", size), |bencher| {
            bencher.iter(|| directory.apply(black_box(&delta), 2));
        });
    }
}

fn patterns(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("patterns");
    for count in [1_u64, 100, 10_000] {
        let profile = profile();
        let mut builder = Builder::new(frame());
        for n in 0..count {
            // Half begin with two keys of their own, half end with them.
            let (key, length) = (10 + n % 90, n / 180 % 60);
            let rest = "[0-9]".repeat(1 + length as usize % 12);
            let text = if n % 2 == 0 {
                format!("{key}{rest}{}?", n % 10)
            } else {
                format!("{}?{rest}{key}", n % 10)
            };
            builder.add(&number(u128::from(n), &format!("{text}({n})?"), &profile));
        }
        let directory = builder.build(1);
        group.bench_function(BenchmarkId::new("miss", count), |bencher| {
            bencher.iter(|| decided(&directory, black_box("#0000000000000#")));
        });
        group.bench_function(BenchmarkId::new("all forms", count), |bencher| {
            bencher.iter(|| decided(&directory, black_box("6508251255")));
        });
    }
    for count in [1_u64, 500] {
        let profile = profile();
        let mut builder = Builder::new(frame());
        for n in 0..count {
            builder.add(&number(u128::from(n), &format!("[0-9]*{n}[0-9]{{30,40}}[a]?.*"), &profile));
        }
        let directory = builder.build(1);
        group.bench_function(BenchmarkId::new("unindexable", count), |bencher| {
            bencher.iter(|| decided(&directory, black_box("6508251255")));
        });
    }
}

/// Resident bytes now, from `/proc`.
fn resident() -> f64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<f64>().ok()).unwrap_or(0.0) * 4096.0
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    exact(&mut criterion);
    patterns(&mut criterion);
    criterion.final_summary();
}
