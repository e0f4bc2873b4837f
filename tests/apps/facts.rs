//! A call to tell applications about, and a client to do it with.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use callgate::call::facts::CallFacts;
use callgate::dns::Resolver;
use callgate::ids::{AccountSid, CallSid, InstanceSid, NumberSid, OrganizationSid, TrunkSid};
use callgate::outbound::{AllowPrivate, Client, Config, Provider, Urls};
use callgate::routing::model::{Hook, Method, SigningKeys, VoiceProfile};
use callgate::time::Instant;
use callgate::webhook::{Keys, Setup, Webhook};

pub const TOKEN: &str = "0123456789abcdef0123456789abcdef";
/// The one that is rotated in, and the one that is rotated out.
pub const SECRETS: [&[u8]; 2] = [b"the secret that is rotated in", b"twenty-four octets of key"];

pub fn hook(url: impl Into<Arc<str>>) -> Hook {
    Hook { url: url.into(), method: Method::Post }
}

pub fn get(url: impl Into<Arc<str>>) -> Hook {
    Hook { url: url.into(), method: Method::Get }
}

pub fn facts(call: u128, profile: VoiceProfile) -> Arc<CallFacts> {
    Arc::new(CallFacts {
        call: CallSid(call),
        account: AccountSid(0xacc),
        organization: OrganizationSid(0x0e),
        number: Some(NumberSid(0x42)),
        number_text: "+1650825....".into(),
        trunk: Some(TrunkSid(7)),
        profile: Arc::new(profile),
        base_url: "https://acme.example".into(),
        post_query_in_body: false,
        from: "+14158675309".into(),
        to: "+16508251255".into(),
        sip_to: None,
        caller_name: "Zoë & Søn".into(),
        forwarded_from: "".into(),
        sip_call_id: "a84b4c76e66710@pc33".into(),
        sip_source: IpAddr::from([192, 0, 2, 1]),
        sip_headers: vec![
            ("X-Queue".into(), "blue=1;2".into()),
            ("Diversion".into(), "<sip:+1650@h>;reason=busy".into()),
        ],
        started: Instant::from_millis(1_500),
        generation: 3,
    })
}

pub fn keys() -> Keys {
    let keys = Arc::new(SigningKeys {
        auth_token: TOKEN.to_owned(),
        webhook_secrets: SECRETS.map(<[u8]>::to_vec).to_vec(),
    });
    Arc::new(move |_| Some(keys.clone()))
}

pub fn client_with(config: Config) -> Client {
    let resolver = Resolver::new(callgate::dns::Setup::default()).expect("the system's servers");
    Client::new(config, resolver.lookup_fn(), Arc::new(Urls::default())).expect("a client")
}

pub fn client() -> Client {
    client_with(Config { allow_private: AllowPrivate::All, ..Config::default() })
}

pub fn webhook_with(client: Client, budget: Duration) -> Webhook {
    webhook_knowing(client, budget, None)
}

/// A webhook that asks for callers' names.
pub fn webhook_knowing(client: Client, budget: Duration, names: Option<Provider>) -> Webhook {
    let origin = SystemTime::UNIX_EPOCH + Duration::from_secs(1_530_785_730);
    let setup = Setup { instance: InstanceSid(9), budget: budget.into(), keys: keys(), names, origin };
    Webhook::new(Arc::new(setup), client)
}

pub fn webhook() -> Webhook {
    webhook_with(client(), Duration::from_secs(5))
}
