//! How things stand: what a dialogue sets before it begins, and the directory that comes of it.

use super::*;

impl World {
    pub(super) fn set(&mut self, words: &[String]) {
        assert!(self.engine.is_none(), "settings come first");
        let on = |value: &str| value == "on";
        for word in words {
            let (name, value) = word.split_once('=').expect("name=value");
            match name {
                "ring-at-once" => self.trunk.ring_at_once = on(value),
                "single" => self.trunk.single_early_dialog = on(value),
                "force-rport" => self.trunk.force_rport = on(value),
                "trusted" => self.trunk.trusted = on(value),
                "redirect" => self.trunk.mode = if on(value) { TrunkMode::Redirect } else { TrunkMode::Call },
                "max-calls" => self.trunk.max_calls = Some(value.parse().expect("a number")),
                "limit-code" => self.trunk.limit_code = value.parse().expect("a code"),
                "local-net" => {
                    let (address, length) = value.split_once('/').expect("a prefix");
                    let net = Prefix {
                        address: address.parse().expect("an address"),
                        length: length.parse().expect("a length"),
                    };
                    self.config.listeners.iter_mut().for_each(|listener| listener.local_nets.push(net));
                }
                "failure-status" => {
                    self.trunk.webhook_failure_status = Some(value.parse().expect("a number"))
                }
                "source" => {
                    self.trunk
                        .sources
                        .push(Prefix { address: value.parse().expect("an address"), length: 32 });
                }
                "emergency" => self.trunk.emergency_numbers.push(value.into()),
                "nat" => {
                    self.trunk.nat = match value {
                        "on" => Nat::On,
                        "off" => Nat::Off,
                        _ => Nat::Auto,
                    }
                }
                "unknown" => {
                    self.config.unknown_source = match value {
                        "drop" => UnknownSource::Drop,
                        "default" => UnknownSource::DefaultOrganization,
                        _ => UnknownSource::Reject,
                    }
                }
                "callback" => self.callback = on(value),
                "sms" => self.profile.sms = Some(hook(value)),
                "sms-fallback" => self.profile.sms_fallback = Some(hook(value)),
                "refer" => self.profile.refer = on(value).then(|| hook("https://app.example/refer")),
                "fallback" => self.profile.fallback_target = Some(value.into()),
                "registrar" => self.organization.registrar = Some(value.into()),
                "skip-media" => self.organization.skip_media_verbs = on(value),
                "gateway" => self.gateways.push(Arc::new(gateway(value, self.gateways.len()))),
                "watch" => self.config.check_interval = duration(value),
                "dial-prefix" => self.dialling.prefixes.push(value.into()),
                "dial-domain" => self.dialling.domains.push(value.into()),
                "dial-minute" => self.dialling.per_minute = Some(value.parse().expect("a number")),
                "group" => self.group = Some(value.into()),
                "main" => self.main = Some(value.into()),
                // Of the gateway named last.
                "gateway-trusted" => self.last_gateway().trusted = on(value),
                "gateway-follow" => self.last_gateway().follow_redirects = follow(value),
                "gateway-rules" => self.last_gateway().header_rules = rules(value),
                "told" => {
                    self.last_gateway().forwarded_as =
                        if value == "diversion" { ForwardedAs::Diversion } else { ForwardedAs::HistoryInfo }
                }
                "follow" => self.config.follow_redirects = follow(value),
                "rules" => self.trunk.header_rules = rules(value),
                "advertise" => {
                    for listener in &mut self.config.listeners {
                        listener.advertise = Some((value.into(), 5060));
                    }
                }
                "tls" => {
                    let like = self.config.listeners[0].clone();
                    let id = ListenerId(u16::try_from(self.config.listeners.len()).expect("few"));
                    let (transport, name) = (Transport::Tls, "tls".into());
                    self.config.listeners.push(Listener { id, transport, name, ..like });
                }
                "listener" => {
                    let id = ListenerId(u16::try_from(self.config.listeners.len()).expect("few"));
                    let bind = value.parse().expect("an address");
                    let like = self.config.listeners[0].clone();
                    self.config.listeners.push(Listener { id, bind, name: value.into(), ..like });
                }
                other => panic!("no setting: {other}"),
            }
        }
    }

    pub(super) fn last_gateway(&mut self) -> &mut Gateway {
        Arc::make_mut(self.gateways.last_mut().expect("a gateway comes first"))
    }

    pub(super) fn directory(&self) -> Directory {
        let account = Account {
            gateway_group: self.group.clone(),
            dialling: self.dialling.clone(),
            ..Account::of(OrganizationSid(1), AccountSid(1))
        };
        let frame = Frame {
            organizations: vec![Arc::new(self.organization.clone())],
            accounts: vec![Arc::new(account)],
            applications: Vec::new(),
            trunks: vec![Arc::new(self.trunk.clone())],
            gateways: self.gateways.clone(),
        };
        let mut profile = self.profile.clone();
        if self.callback {
            profile.status_callback = Some(hook("https://app.example/status"));
        }
        let profile = Arc::new(profile);
        let number = |sid: u128, text: &str| {
            Number::of(OrganizationSid(1), AccountSid(1), NumberSid(sid), text, &profile)
        };
        let main = self.main.as_deref().map(|text| Number { main: true, ..number(5, text) });
        main.into_iter()
            .fold(Builder::new(frame), Builder::number)
            .number(number(1, "100"))
            .number(number(2, "200"))
            .number(number(3, "mms:+12345678"))
            .number(number(4, "55*"))
            .build(1)
    }
}
