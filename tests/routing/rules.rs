//! The rules around the number: trunks, organizations, emergency, states, applications, limits.

use std::sync::Arc;
use std::time::Duration;

use callgate::ids::{ApplicationSid, GatewaySid, OrganizationSid, TrunkSid};
use callgate::reason::Reason;
use callgate::routing::limits::Limits;
use callgate::routing::model::*;
use callgate::routing::trunk::{self, Source};
use callgate::routing::{Address, Builder, Decision, Directory, Inbound, Scheme, decide, explain};
use callgate::time::Instant;

use crate::world;

fn refused(decision: &Decision<'_>) -> Option<Reason> {
    match decision {
        Decision::Refused(reason) => Some(*reason),
        Decision::Unasked { .. } => Some(Reason::NumberWithoutApplication),
        Decision::Application(_) | Decision::Emergency { .. } => None,
    }
}

fn text_of(decision: &Decision<'_>) -> Option<String> {
    match decision {
        Decision::Application(chosen) => Some(chosen.number.text().to_owned()),
        _ => None,
    }
}

fn with(frame: Frame, numbers: &[Number]) -> Directory {
    let mut builder = Builder::new(frame);
    for number in numbers {
        builder.add(number);
    }
    builder.build(7)
}

#[test]
fn an_account_that_is_not_active_is_refused() {
    for status in [Status::Suspended, Status::Closed] {
        let mut frame = world::frame(MatchMode::Full);
        Arc::make_mut(&mut frame.accounts[0]).status = status;
        let directory = with(frame, &[world::number(1, "A", "2222", true)]);
        let decision = world::dial(&directory, &world::trunk(), "2222", "-", "A");
        assert_eq!(refused(&decision), Some(Reason::AccountNotActive));
    }
}

#[test]
fn each_state_has_its_reason() {
    let mut frame = world::frame(MatchMode::Full);
    Arc::make_mut(&mut frame.organizations[1]).status = Status::Suspended;
    let silent = Number { in_service: false, ..world::number(1, "A", "1", true) };
    let bare = Number { profile: Arc::default(), ..world::number(2, "A", "2", true) };
    let directory = with(frame, &[silent, bare, world::number(3, "B", "3", true)]);
    let dial = |user, to| refused(&world::dial(&directory, &world::trunk(), user, "-", to));
    assert_eq!(dial("1", "A"), Some(Reason::NumberNotInService));
    assert_eq!(dial("2", "A"), Some(Reason::NumberWithoutApplication));
    assert_eq!(dial("3", "B"), Some(Reason::OrganizationNotActive));
    assert_eq!(dial("4", "A"), Some(Reason::UnknownNumber));
    assert_eq!(dial("%zz", "A"), Some(Reason::NumberUndialable));
    let suspended = Trunk { status: Status::Suspended, ..world::trunk() };
    assert_eq!(refused(&world::dial(&directory, &suspended, "4", "-", "A")), Some(Reason::TrunkNotActive));
}

#[test]
fn organizations_are_found_by_host_trunk_and_default() {
    let mut frame = world::frame(MatchMode::Full);
    Arc::make_mut(&mut frame.organizations[2]).is_default = true;
    Arc::make_mut(&mut frame.organizations[1]).domain = "b.test.".into();
    let numbers = [
        world::number(1, "A", "1", true),
        world::number(2, "B", "1", true),
        world::number(3, "C", "1", true),
    ];
    let directory = with(frame, &numbers);
    let bound = Trunk { organization: Some(world::organization_sid("A")), ..world::trunk() };
    let shared = world::trunk();
    let dial = |trunk: &Trunk, request: &str, to: &str, from: &str| {
        let address =
            |host: &'static str| Address { user: b"1", host: host.as_bytes(), ..Address::default() };
        let inbound = Inbound {
            trunk: Some(trunk),
            unknown_organization: None,
            request: address(request.to_owned().leak()),
            to: address(to.to_owned().leak()),
            from_host: from.as_bytes(),
            header: None,
        };
        match decide(&directory, &inbound) {
            Decision::Application(chosen) => Some(chosen.organization.sid),
            _ => None,
        }
    };
    let [a, b, c] = world::NAMES.map(|name| Some(world::organization_sid(name)));
    assert_eq!(dial(&shared, "B.TEST.", "a.test", "-"), b, "the Request-URI's host comes first");
    assert_eq!(dial(&shared, "10.0.0.1", "a.test", "-"), a, "then the To host");
    assert_eq!(dial(&bound, "10.0.0.1", "10.0.0.1", "-"), a, "then the trunk's");
    assert_eq!(dial(&shared, "10.0.0.1", "10.0.0.1", "-"), c, "then the default");
    assert_eq!(dial(&shared, "a.test", "a.test", "b.test"), None, "pure SIP numbers stay inside");
    assert_eq!(
        dial(&bound, "a.test", "a.test", "b.test"),
        a,
        "a bound trunk is the source, whatever From says"
    );
}

#[test]
fn unknown_sources_reach_their_organization_only() {
    let numbers = [world::number(1, "A", "1", true), world::number(2, "B", "1", true)];
    let directory = with(world::frame(MatchMode::Full), &numbers);
    let inbound = Inbound {
        trunk: None,
        unknown_organization: Some(world::organization_sid("B")),
        request: Address { user: b"1", host: b"a.test", ..Address::default() },
        to: Address::default(),
        from_host: b"",
        header: None,
    };
    let Decision::Application(chosen) = decide(&directory, &inbound) else { panic!("no decision") };
    assert_eq!(chosen.organization.sid, world::organization_sid("B"));
}

#[test]
fn a_tel_uri_and_another_header_are_understood() {
    let mut frame = world::frame(MatchMode::Full);
    Arc::make_mut(&mut frame.organizations[0]).is_default = true;
    let directory = with(frame, &[world::number(1, "A", "+16508251255", true)]);
    let tel = Address { scheme: Scheme::Tel, user: b"8251255;phone-context=+1-650", host: b"" };
    let own = Trunk { dialled_from: DialledFrom::Header("P-Called-Party-ID".into()), ..world::trunk() };
    let inbound = |header, request| Inbound {
        trunk: Some(&own),
        unknown_organization: None,
        request,
        to: Address::default(),
        from_host: b"",
        header,
    };
    let other = Address { user: b"0000", ..Address::default() };
    assert_eq!(text_of(&decide(&directory, &inbound(Some(tel), other))).as_deref(), Some("+16508251255"));
    assert_eq!(text_of(&decide(&directory, &inbound(None, tel))).as_deref(), Some("+16508251255"));
}

fn gateway(sid: u128, organization: Option<OrganizationSid>, emergency: bool) -> Arc<Gateway> {
    Arc::new(Gateway {
        organization,
        emergency,
        trusted: true,
        ..Gateway::at(GatewaySid(sid), format!("gateway-{sid}"), "192.0.2.200")
    })
}

#[test]
fn emergency_comes_first() {
    let mut frame = world::frame(MatchMode::Full);
    frame.gateways = vec![gateway(1, None, false), gateway(2, None, true)];
    let catch_all = [world::number(1, "A", "*", true), world::number(2, "A", "112", true)];
    let trunk = Trunk {
        emergency_numbers: vec!["112".into(), "110".into()],
        status: Status::Suspended,
        ..world::trunk()
    };
    let directory = with(frame, &catch_all);
    for user in ["112", "110", "1-1-0"] {
        let Decision::Emergency { gateway, .. } = world::dial(&directory, &trunk, user, "-", "A") else {
            panic!("{user} is an emergency number");
        };
        assert_eq!(gateway.sid, GatewaySid(2));
    }
    let sos = Inbound {
        trunk: Some(&trunk),
        unknown_organization: None,
        request: Address { scheme: Scheme::Urn, user: b"service:sos.fire", host: b"" },
        to: Address::default(),
        from_host: b"",
        header: None,
    };
    assert!(
        matches!(decide(&directory, &sos), Decision::Emergency { dialled, .. } if &*dialled == "sos.fire")
    );
    let unknown = Inbound { trunk: None, unknown_organization: Some(world::organization_sid("A")), ..sos };
    assert!(!matches!(decide(&directory, &unknown), Decision::Emergency { .. }), "unknown sources get none");
    let without = with(world::frame(MatchMode::Full), &catch_all);
    assert_eq!(
        refused(&world::dial(&without, &trunk, "112", "-", "A")),
        Some(Reason::EmergencyWithoutGateway)
    );
}

#[test]
fn an_organizations_own_gateway_comes_before_a_shared_one() {
    let mut frame = world::frame(MatchMode::Full);
    let a = world::organization_sid("A");
    let premium = Gateway { group: "premium".into(), ..(*gateway(4, None, false)).clone() };
    frame.gateways = vec![
        gateway(1, None, false),
        gateway(2, Some(a), false),
        gateway(3, None, true),
        Arc::new(premium.clone()),
        Arc::new(Gateway { sid: GatewaySid(5), media: true, ..premium }),
    ];
    let directory = with(frame, &[]);
    let of = |organization, group| {
        let found = directory.gateways_for(organization, group);
        found.iter().map(|gateway| gateway.sid.0).collect::<Vec<_>>()
    };
    let b = world::organization_sid("B");
    assert_eq!([of(a, "default"), of(b, "default")], [vec![2], vec![1, 3]]);
    assert_eq!([of(a, "premium"), of(b, "premium"), of(a, "none")], [vec![4], vec![4], vec![]]);
    assert_eq!(directory.emergency_gateways(Some(a)).map(|group| group.len()), [0, 1]);
}

#[test]
fn a_draining_gateway_gets_no_call_but_one_for_help_that_nobody_else_takes() {
    let mut frame = world::frame(MatchMode::Full);
    let draining = |sid, emergency: bool| {
        Arc::new(Gateway { draining: true, media: !emergency, ..(*gateway(sid, None, emergency)).clone() })
    };
    frame.gateways = vec![draining(1, true), draining(2, false), gateway(3, None, true)];
    let of = |frame: &Frame| {
        let directory = with(frame.clone(), &[]);
        let b = world::organization_sid("B");
        let calls = directory.gateways_for(b, "default").iter().map(|one| one.sid.0).collect::<Vec<_>>();
        let help = directory.emergency_gateway(Some(b)).map(|one| one.sid.0);
        (calls, directory.media_gateways(b).len(), help, directory.gateways().len())
    };
    assert_eq!(of(&frame), (vec![3], 0, Some(3), 3));
    frame.gateways.pop();
    assert_eq!(of(&frame), (vec![], 0, Some(1), 2));
}

fn hook(url: &str) -> Option<Hook> {
    Some(Hook { url: url.into(), method: Method::Get })
}

fn application(sid: u128, voice: Option<Hook>) -> Arc<Application> {
    Arc::new(Application {
        sid: ApplicationSid(sid),
        account: callgate::ids::AccountSid(1),
        voice,
        voice_fallback: None,
        status_callback: None,
        name_lookup: false,
        sms: None,
        sms_fallback: None,
        refer: None,
    })
}

#[test]
fn a_transfer_asks_the_application_that_is_named_for_it() {
    let mut frame = world::frame(MatchMode::Full);
    let with_refer = |sid, url| {
        let of_calls = application(sid, hook("https://rcml.test/"));
        Arc::new(Application { refer: hook(url), ..Application::clone(&of_calls) })
    };
    frame.applications = vec![
        with_refer(1, "https://calls.test/"),
        with_refer(2, "https://transfers.test/"),
        application(3, hook("https://three.test/")),
    ];
    let number = |sid, text, refer: Option<Hook>, application: u128, transfers: u128| Number {
        profile: Arc::new(VoiceProfile {
            voice: hook("https://own.test/"),
            refer,
            application: (application > 0).then_some(ApplicationSid(application)),
            refer_application: (transfers > 0).then_some(ApplicationSid(transfers)),
            ..VoiceProfile::default()
        }),
        ..world::number(sid, "A", text, true)
    };
    let own = hook("https://own-refer.test/");
    let numbers = [
        number(1, "1", own.clone(), 1, 2),
        number(2, "2", own.clone(), 1, 3),
        number(3, "3", own.clone(), 0, 2),
        number(4, "4", own.clone(), 0, 3),
        number(5, "5", None, 0, 3),
        number(6, "6", own, 0, 0),
        number(7, "7", None, 3, 0),
    ];
    let directory = with(frame, &numbers);
    for (user, url) in [
        ("1", Some("https://transfers.test/")),
        ("2", Some("https://calls.test/")),
        ("3", Some("https://transfers.test/")),
        ("4", Some("https://own-refer.test/")),
        // As with one that has a RcmlUrl alone.
        ("5", Some("https://three.test/")),
        ("6", Some("https://own-refer.test/")),
        ("7", None),
    ] {
        let Decision::Application(chosen) = world::dial(&directory, &world::trunk(), user, "-", "A") else {
            panic!("{user} is refused");
        };
        let profile = chosen.profile();
        assert_eq!(profile.refer.as_ref().map(|hook| &*hook.url), url, "{user}");
    }
}

#[test]
fn a_message_asks_the_application_that_is_named_for_it() {
    let mut frame = world::frame(MatchMode::Full);
    let sms = application(1, hook("https://rcml.test/"));
    frame.applications = vec![
        Arc::new(Application { sms: hook("https://sms.test/"), ..Application::clone(&sms) }),
        application(2, hook("https://rcml.test/")),
    ];
    let number = |sid, text, own: Option<&str>, application: u128| Number {
        profile: Arc::new(VoiceProfile {
            sms: own.and_then(hook),
            sms_application: (application > 0).then_some(ApplicationSid(application)),
            ..VoiceProfile::default()
        }),
        ..world::number(sid, "A", text, true)
    };
    let own = Some("https://own.test/");
    let numbers = [
        number(1, "1", own, 1),
        number(2, "2", own, 2),
        number(3, "3", None, 2),
        number(4, "4", own, 0),
        number(5, "5", None, 0),
    ];
    let directory = with(frame, &numbers);
    for (user, url) in [
        ("1", Some("https://sms.test/")),
        ("2", Some("https://own.test/")),
        // As with one that has a RcmlUrl alone.
        ("3", Some("https://rcml.test/")),
        ("4", Some("https://own.test/")),
        ("5", None),
    ] {
        let trunk = world::trunk();
        let host = world::host("A");
        let request = Address { user: user.as_bytes(), host: host.as_bytes(), ..Address::default() };
        let asked = decide::decide_message(&directory, &world::inbound(&trunk, request)).ok();
        let asked = asked.and_then(|(_, profile)| profile.sms.as_ref().map(|hook| hook.url.to_string()));
        assert_eq!(asked.as_deref(), url, "{user}");
    }
}

#[test]
fn the_applications_urls_lie_over_the_numbers() {
    let mut frame = world::frame(MatchMode::Full);
    frame.applications = vec![
        application(1, hook("https://one.test/")),
        application(2, None),
        application(3, hook("https://three.test/")),
    ];
    Arc::make_mut(&mut frame.organizations[0]).default_application = Some(ApplicationSid(3));
    let number = |sid, text, voice: Option<Hook>, application| Number {
        profile: Arc::new(VoiceProfile {
            voice,
            status_callback: hook("https://status.test/"),
            application,
            ..VoiceProfile::default()
        }),
        ..world::number(sid, "A", text, true)
    };
    let own = hook("https://own.test/");
    let numbers = [
        number(1, "1", own.clone(), Some(ApplicationSid(1))),
        number(2, "2", own.clone(), Some(ApplicationSid(2))),
        number(3, "3", None, None),
        number(4, "4", own, None),
        number(5, "5", None, Some(ApplicationSid(2))),
    ];
    let directory = with(frame.clone(), &numbers);
    let url = |directory: &Directory, user| match world::dial(directory, &world::trunk(), user, "-", "A") {
        Decision::Application(chosen) => {
            let profile = chosen.profile();
            assert_eq!(
                profile.status_callback,
                hook("https://status.test/"),
                "what is unset comes from the number"
            );
            profile.voice.as_ref().expect("asked").url.to_string()
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(url(&directory, "1"), "https://one.test/");
    assert_eq!(url(&directory, "2"), "https://own.test/");
    assert_eq!(url(&directory, "3"), "https://three.test/");
    assert_eq!(url(&directory, "4"), "https://own.test/");
    assert_eq!(url(&directory, "5"), "https://three.test/");
    frame.applications[0] = application(1, hook("https://edited.test/"));
    let edited = directory.apply(&Delta { frame: Some(frame), ..Delta::default() }, 8);
    assert_eq!(url(&edited, "1"), "https://edited.test/");
    assert_eq!((directory.generation(), edited.generation()), (7, 8));
}

fn source(address: &str) -> Source<'static> {
    Source {
        address: address.parse().expect("an address"),
        listener: "public",
        request_host: b"gw.test",
        tgrp: None,
        trunk_context: None,
        names: &[],
        username: None,
    }
}

fn prefix(text: &str) -> Prefix {
    let (address, length) = text.split_once('/').expect("a prefix");
    Prefix { address: address.parse().expect("an address"), length: length.parse().expect("a length") }
}

fn named(sid: u128, name: &str, sources: &[&str]) -> Trunk {
    let sources = sources.iter().map(|text| prefix(text)).collect();
    Trunk { sid: TrunkSid(sid), name: name.into(), sources, ..world::trunk() }
}

fn trunks(trunks: &[Trunk]) -> Directory {
    let mut frame = world::frame(MatchMode::Full);
    frame.trunks = trunks.iter().cloned().map(Arc::new).collect();
    with(frame, &[])
}

#[test]
fn the_most_specific_trunk_wins() {
    let directory = trunks(&[
        named(1, "wide", &["10.0.0.0/8", "2001:db8::/32"]),
        named(2, "narrow", &["10.1.2.3/32"]),
        Trunk { source_port: Some(5080), ..named(3, "port", &["10.0.0.0/8"]) },
        Trunk {
            request_host: Some("GW.test".into()),
            source_port: Some(5090),
            ..named(4, "both", &["10.0.0.0/8"])
        },
        Trunk {
            tgrp: Some("west".into()),
            trunk_context: Some("x.test".into()),
            ..named(5, "group", &["10.0.0.0/8"])
        },
        Trunk { listener: Some("inner".into()), ..named(6, "inner", &[]) },
    ]);
    let find = |source: Source<'_>| trunk::find(&directory, &source).map(|trunk| trunk.name.to_string());
    assert_eq!(find(source("10.9.9.9:5060")).as_deref(), Some("wide"));
    assert_eq!(find(source("10.1.2.3:5080")).as_deref(), Some("narrow"));
    assert_eq!(find(source("10.9.9.9:5080")).as_deref(), Some("port"));
    assert_eq!(find(source("10.9.9.9:5090")).as_deref(), Some("both"));
    assert_eq!(find(source("[2001:db8::1]:5060")).as_deref(), Some("wide"));
    assert_eq!(find(source("[::ffff:10.1.2.3]:5060")).as_deref(), Some("narrow"));
    assert_eq!(find(source("192.0.2.1:5060")), None);
    let group = Source { tgrp: Some(b"WEST"), trunk_context: Some(b"x.test"), ..source("10.9.9.9:5060") };
    assert_eq!(find(group).as_deref(), Some("group"));
    assert_eq!(find(Source { listener: "inner", ..source("192.0.2.1:5060") }).as_deref(), Some("inner"));
}

#[test]
fn a_proved_name_is_the_trunk_wherever_it_connects_from() {
    let directory = trunks(&[
        named(1, "by address", &["10.1.2.3/32"]),
        Trunk { tls_name: Some("Carrier.test".into()), ..named(2, "by name", &[]) },
        Trunk { tls_name: Some("bound.test".into()), ..named(3, "by both", &["10.0.0.0/8"]) },
    ]);
    let proved = |address: &str, names: &[Arc<str>]| {
        trunk::find(&directory, &Source { names, ..source(address) }).map(|trunk| trunk.name.to_string())
    };
    let (carrier, bound) = (["other.test".into(), "carrier.test".into()], ["bound.test".into()]);
    assert_eq!(proved("10.1.2.3:5060", &carrier).as_deref(), Some("by name"));
    assert_eq!(proved("192.0.2.1:5060", &carrier).as_deref(), Some("by name"));
    assert_eq!(proved("10.9.9.9:5060", &bound).as_deref(), Some("by both"));
    assert_eq!(proved("192.0.2.1:5060", &bound), None, "its sources hold beside the name");
    assert_eq!(proved("10.1.2.3:5060", &[]).as_deref(), Some("by address"));
    assert_eq!(proved("10.9.9.9:5060", &[]), None, "without its certificate nobody is that trunk");
}

#[test]
fn a_tie_is_refused_when_written() {
    let there = [Arc::new(Trunk { source_port: Some(5060), ..named(1, "one", &["10.0.0.0/8"]) })];
    let tie = Trunk { request_host: Some("x".into()), ..named(2, "two", &["10.0.0.0/8", "11.0.0.0/8"]) };
    let error = trunk::check(&tie, &there).expect_err("both match port 5060 at host x").to_string();
    assert!(error.contains("trunk `two` and trunk `one` both match sources in 10.0.0.0/8"), "{error}");
    let apart = Trunk { source_port: Some(5061), ..named(2, "two", &["10.0.0.0/8"]) };
    assert_eq!(trunk::check(&apart, &there), Ok(()));
    assert_eq!(trunk::check(&named(2, "two", &["10.0.0.0/9"]), &there), Ok(()));
    assert_eq!(trunk::check(&there[0], &there), Ok(()), "a trunk may be written again");
}

#[test]
fn limits_are_kept_and_given_back_once() {
    let limits = Limits::default();
    let trunk = Trunk { max_calls: Some(2), max_calls_per_second: Some(3), ..world::trunk() };
    let account = Account { max_calls: Some(1), ..world::account(world::organization_sid("A")) };
    let roomy = world::account(world::organization_sid("B"));
    let now = Instant::from_millis(5_000);
    let first = limits.admit(now, Some(&trunk), &account).expect("room");
    assert_eq!(limits.admit(now, Some(&trunk), &account).err(), Some(Reason::AccountLimit));
    let second =
        limits.admit(now, Some(&trunk), &roomy).expect("the account's refusal took nothing of the trunk");
    assert_eq!(limits.admit(now, Some(&trunk), &roomy).err(), Some(Reason::TrunkLimit));
    assert_eq!((limits.on_trunk(trunk.sid), limits.of_account(account.sid)), (2, 1));
    first.release();
    drop(second);
    assert_eq!((limits.on_trunk(trunk.sid), limits.of_account(account.sid)), (0, 0));
    let third = limits.admit(now, Some(&trunk), &roomy).expect("the third of this second");
    third.release();
    assert_eq!(limits.admit(now, Some(&trunk), &roomy).err(), Some(Reason::TrunkLimit), "the fourth");
    let later = now + Duration::from_millis(340);
    limits.admit(later, Some(&trunk), &roomy).expect("a third of a second later").release();
    assert_eq!(limits.on_trunk(trunk.sid), 0);
}

#[test]
fn limits_hold_between_threads() {
    let limits = Limits::default();
    let trunk = Trunk { max_calls: Some(5), ..world::trunk() };
    let account = world::account(world::organization_sid("A"));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for round in 0..2000 {
                    if let Ok(permit) = limits.admit(Instant::from_millis(round), Some(&trunk), &account) {
                        permit.release();
                    }
                }
            });
        }
    });
    assert_eq!((limits.on_trunk(trunk.sid), limits.of_account(account.sid)), (0, 0));
}

#[test]
fn explain_tells_every_step() {
    let numbers = [
        world::number(1, "A", "16508.*", true),
        world::number(2, "A", "16.*", true),
        world::number(3, "A", "*", true),
    ];
    let directory = with(world::frame(MatchMode::Full), &numbers);
    let trunk = world::trunk();
    let inbound = |user: &'static str| Inbound {
        trunk: Some(&trunk),
        unknown_organization: None,
        request: Address { user: user.as_bytes(), host: b"a.test", ..Address::default() },
        to: Address::default(),
        from_host: b"",
        header: None,
    };
    let told = explain(&directory, &inbound("1610-555"));
    let text = told.to_string();
    for line in [
        "generation    7",
        "dialled       1610-555 -> 1610555",
        "organization  a.test (OR00000000000000000000000000000001): the Request-URI's host",
        "form          1610-555 (as written, separators kept): no row",
        "pattern       16.* on 1610555: matches",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    assert!(text.contains("=> 16.* (PN"), "{text}");
    let told = explain(&directory, &inbound("999")).to_string();
    assert!(told.contains("catch-all     * answers"), "{told}");
    let told = explain(&directory, &inbound("alice")).to_string();
    assert!(
        told.contains("not tried: a name was dialled") && told.contains("=> 404 unknown_number"),
        "{told}"
    );
}

#[test]
fn broken_patterns_are_reported_and_too_many_unindexable_ones_too() {
    let mut numbers = vec![world::number(1, "A", "12[", true)];
    let middles = (0..501).map(|at| world::number(at + 2, "A", &format!(".*{at:03}.*"), true));
    numbers.extend(middles);
    let directory = with(world::frame(MatchMode::Full), &numbers);
    assert_eq!(directory.pattern_count(), 500);
    let why: Vec<String> = directory.skipped().map(|skipped| skipped.why.clone()).collect();
    assert_eq!(why.len(), 2);
    assert!(why.iter().any(|why| why.contains("`12[` is no valid pattern")), "{why:?}");
    assert!(why.iter().any(|why| why.contains("500 such patterns already")), "{why:?}");
}
