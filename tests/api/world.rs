//! One API over one store, both of the test's own.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use callgate::api::{
    Api as State, BanNote, Bans, BoxFuture, CallControl, Follower, GenerationNote, Handles, HttpConfig,
    KazooConfig, Receivers, ReloadError, ReloadOptions, ReloadReport, SentAgain, Service, Upgrade,
    UpgradeNote, UpgradeRefused, UpgradeState, bind_unix, router, serve_tcp, serve_unix,
};
use callgate::ids::{AccountSid, CallSid};
use callgate::outbound::{
    AllowPrivate, Client, Config, Guard, LookupFuture, Providers, ProvidersConfig, Urls,
};
use callgate::routing::model::Hook;
use callgate::routing::{Builder, Directory};
use callgate::store::calls::{AttemptRow, DeliveryRow};
use callgate::store::{AccountRow, OrganizationRow, Role, Store};
use callgate::telemetry::{Calls, Health, Metrics};
use hyper::Method;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::client::{Answer, Credentials, form, over_tcp, over_unix, request};
use crate::servers::{Server, World};

/// A running API.
pub struct Api {
    pub world: World,
    pub address: SocketAddr,
    pub socket: PathBuf,
    pub handles: Handles,
    pub told: Arc<Told>,
    /// How often the follower was told to look at the store.
    pub looks: Arc<AtomicU64>,
    pub admin: Caller,
    /// What is served, for a listener of a test's own.
    pub routes: axum::Router,
    stop: watch::Sender<bool>,
}

/// An account with its credentials.
#[derive(Clone, Debug)]
pub struct Caller {
    pub sid: String,
    pub organization: String,
    pub credentials: Credentials,
}

impl Caller {
    pub fn numbers(&self) -> String {
        format!("/restcomm/2012-04-24/Accounts/{}/IncomingPhoneNumbers.json", self.sid)
    }

    pub fn number(&self, sid: &str) -> String {
        format!("/restcomm/2012-04-24/Accounts/{}/IncomingPhoneNumbers/{sid}.json", self.sid)
    }

    pub fn kind(&self, kind: &str) -> String {
        format!("/restcomm/2012-04-24/Accounts/{}/IncomingPhoneNumbers/{kind}.json", self.sid)
    }

    pub fn available(&self, of: &str) -> String {
        format!("/restcomm/2012-04-24/Accounts/{}/AvailablePhoneNumbers/{of}", self.sid)
    }

    pub fn applications(&self) -> String {
        format!("/restcomm/2012-04-24/Accounts/{}/Applications.json", self.sid)
    }
}

impl Api {
    pub async fn new(server: Server) -> Self {
        let http = HttpConfig { client_timeout_ms: 3_000, ..HttpConfig::default() };
        Self::with(server, http).await
    }

    pub async fn with(server: Server, http: HttpConfig) -> Self {
        let kazoo = KazooConfig::default();
        Self::over(World::new(server).await, http, false, Providers::default(), kazoo).await
    }

    /// Customers get numbers out of the inventory only.
    pub async fn strict(server: Server) -> Self {
        let (http, kazoo) = (HttpConfig::default(), KazooConfig::default());
        Self::over(World::new(server).await, http, true, Providers::default(), kazoo).await
    }

    /// With providers of others' knowledge, all at one address, and few activations a day.
    pub async fn provided(server: Server, providers: &str) -> Self {
        let config = ProvidersConfig {
            carrier_url: format!("{providers}/carrier"),
            locality_url: format!("{providers}/locality"),
            e911_url: format!("{providers}/e911"),
            timeout_ms: 500,
            ..ProvidersConfig::default()
        };
        let limits = Config { allow_private: AllowPrivate::All, ..Config::default() };
        let nowhere =
            |_: &str| -> LookupFuture { Box::pin(async { Err(std::io::ErrorKind::NotFound.into()) }) };
        let client = Client::new(limits, Arc::new(nowhere), Arc::new(Urls::default())).unwrap();
        let (http, kazoo) =
            (HttpConfig::default(), KazooConfig { activations_per_day: 3, carriers: vec!["harbour".into()] });
        Self::over(World::new(server).await, http, false, Providers::new(&config, &client), kazoo).await
    }

    async fn over(
        world: World,
        http: HttpConfig,
        strict: bool,
        providers: Providers,
        kazoo: KazooConfig,
    ) -> Self {
        let token = callgate::store::new_token().unwrap();
        world.store.set_auth_token("test", world.account.id, &token).await.unwrap();
        let admin = Caller {
            sid: world.account.id.to_string(),
            organization: world.organization.id.to_string(),
            credentials: Credentials(Some((world.account.id.to_string(), token))),
        };
        let directory = Arc::new(ArcSwap::from_pointee(load(&world.store).await));
        let looks = Arc::new(AtomicU64::new(0));
        let follower = Arc::new(Reloads {
            store: world.store.clone(),
            directory: directory.clone(),
            looks: looks.clone(),
        });
        let told = Arc::new(Told::default());
        let handles = Handles {
            directory: directory.clone(),
            follower,
            calls: Arc::new(Calls::new(SystemTime::now())),
            metrics: Arc::new(Metrics::new()),
            health: Arc::new(Health::new()),
            control: told.clone(),
            upgrade: Arc::new(NoUpgrade),
            bans: Arc::new(OneBan),
            receivers: Arc::new(Gone::default()),
            providers,
            sample: Arc::new(|| ()),
        };
        let service = Service::new(world.store.clone(), directory, Guard::default()).strict(strict);
        let routes = router(&State::new(handles.clone(), service, http.clone(), kazoo));
        let (stop, stopped) = watch::channel(false);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let socket = world.folder.0.join("callgate.sock");
        let local = bind_unix(&socket).unwrap();
        let (config, tcp_routes, tcp_stopped) = (http.clone(), routes.clone(), stopped.clone());
        tokio::spawn(async move { serve_tcp(listener, tcp_routes, &config, tcp_stopped).await });
        let unix_routes = routes.clone();
        tokio::spawn(async move { serve_unix(local, unix_routes, &http, stopped).await });
        Self { world, address, socket, handles, told, looks, admin, routes, stop }
    }

    pub fn stop(&self) {
        self.stop.send(true).unwrap();
    }

    /// A sub-account of the administrator's, in its organization or in one of its own.
    pub async fn tenant(&self, name: &str, domain: Option<&str>) -> Caller {
        let parent = &self.world.account;
        let organization = match domain {
            Some(domain) => {
                self.world.store.create("test", OrganizationRow::new(domain)).await.unwrap().row.id
            }
            None => parent.organization_id,
        };
        self.account(AccountRow { parent_id: Some(parent.id), ..AccountRow::new(organization, name) }).await
    }

    /// A sub-account of another's, in its organization.
    pub async fn below(&self, parent: &Caller, name: &str) -> Caller {
        let organization = parent.organization.parse().unwrap();
        let parent_id = Some(parent.sid.parse().unwrap());
        self.account(AccountRow { parent_id, ..AccountRow::new(organization, name) }).await
    }

    pub async fn account(&self, mut row: AccountRow) -> Caller {
        assert_ne!(row.role, Role::SuperAdmin);
        let token = callgate::store::new_token().unwrap();
        self.world.store.give_token(&mut row, &token).unwrap();
        let row = self.world.store.create("test", row).await.unwrap().row;
        Caller {
            sid: row.id.to_string(),
            organization: row.organization_id.to_string(),
            credentials: Credentials(Some((row.id.to_string(), token))),
        }
    }

    pub async fn get(&self, who: &Caller, path: &str) -> Answer {
        over_tcp(self.address, request(&who.credentials, Method::GET, path, None)).await
    }

    pub async fn delete(&self, who: &Caller, path: &str) -> Answer {
        over_tcp(self.address, request(&who.credentials, Method::DELETE, path, None)).await
    }

    pub async fn post(&self, who: &Caller, path: &str, pairs: &[(&str, &str)]) -> Answer {
        self.form(who, Method::POST, path, pairs).await
    }

    pub async fn form(&self, who: &Caller, method: Method, path: &str, pairs: &[(&str, &str)]) -> Answer {
        let body = ("application/x-www-form-urlencoded", form(pairs));
        over_tcp(self.address, request(&who.credentials, method, path, Some(body))).await
    }

    pub async fn json(&self, method: Method, path: &str, body: serde_json::Value) -> Answer {
        let body = ("application/json", body.to_string());
        over_tcp(self.address, request(&self.admin.credentials, method, path, Some(body))).await
    }

    /// The same for the row, or the generation, that bears this tag.
    pub async fn json_if(&self, method: Method, path: &str, tag: &str, body: serde_json::Value) -> Answer {
        let body = ("application/json", body.to_string());
        let mut request = request(&self.admin.credentials, method, path, Some(body));
        request.headers_mut().insert("if-match", tag.parse().unwrap());
        over_tcp(self.address, request).await
    }

    /// Without credentials, over the Unix socket.
    pub async fn local(&self, method: Method, path: &str) -> Answer {
        over_unix(&self.socket, request(&Credentials::default(), method, path, None)).await
    }

    /// Makes what was written live.
    pub async fn catch_up(&self) {
        self.handles.directory.store(Arc::new(load(&self.world.store).await));
    }
}

async fn load(store: &Store) -> Directory {
    let mut load = store.load().await.unwrap();
    let mut builder = Builder::new(load.frame.clone());
    load.numbers(|number| builder.add(&number)).await.unwrap();
    builder.build(load.mark.generation)
}

/// What was told to the calls of this node, in words.
#[derive(Default)]
pub struct Told(Mutex<Vec<String>>);

impl Told {
    pub fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    fn note(&self, text: String) -> BoxFuture<'_, ()> {
        self.0.lock().unwrap().push(text);
        Box::pin(async {})
    }
}

/// Nothing follows this node.
struct NoUpgrade;

impl Upgrade for NoUpgrade {
    fn begin(&self) -> Result<UpgradeNote, UpgradeRefused> {
        Err(UpgradeRefused::UnderWay)
    }

    fn note(&self) -> UpgradeNote {
        let steps = vec!["starting /usr/local/bin/callgate".to_owned()];
        UpgradeNote { state: UpgradeState::Running, pid: 7, successor: Some(8), steps, error: None }
    }
}

/// Whom the node bans: 198.51.100.7, in both ways.
struct OneBan;

impl Bans for OneBan {
    fn list(&self) -> Vec<BanNote> {
        let ban = |stream| BanNote {
            source: "198.51.100.7".parse().unwrap(),
            stream,
            cause: if stream { "scanner" } else { "refused" },
            since: SystemTime::now(),
            left: Duration::from_secs(299),
            dropped: 12,
        };
        vec![ban(false), ban(true)]
    }

    fn lift(&self, source: IpAddr) -> usize {
        if source == IpAddr::from([198, 51, 100, 7]) { 2 } else { 0 }
    }
}

impl CallControl for Told {
    fn hang_up(&self, call: CallSid) -> BoxFuture<'_, ()> {
        self.note(format!("hang up {call}"))
    }

    fn go_on(&self, call: CallSid, hook: Hook) -> BoxFuture<'_, ()> {
        self.note(format!("{call} goes on at {:?} {}", hook.method, hook.url))
    }
}

/// The simplest receivers: those named here are disabled.
#[derive(Default)]
pub struct Gone(Mutex<Vec<(AccountSid, Arc<str>)>>);

impl Receivers for Gone {
    fn disabled(&self) -> Vec<(AccountSid, Arc<str>)> {
        self.0.lock().unwrap().clone()
    }

    fn enable(&self, account: Option<AccountSid>, url: &str) -> Vec<AccountSid> {
        let mut gone = self.0.lock().unwrap();
        let enabled = gone.extract_if(.., |(of, gone)| **gone == *url && account.is_none_or(|a| a == *of));
        enabled.map(|(account, _)| account).collect()
    }

    /// Whoever is named here takes nothing.
    fn send_again(&self, delivery: DeliveryRow) -> BoxFuture<'_, SentAgain> {
        let taken = !self.0.lock().unwrap().iter().any(|(_, url)| **url == *delivery.url);
        let (http_status, error) = if taken { (200, None) } else { (410, Some("HTTP 410".to_owned())) };
        let (http_status, at, took_ms) = (Some(http_status), jiff::Timestamp::now(), 7);
        let attempt = delivery.attempts + 1;
        let attempt = AttemptRow { delivery_id: delivery.id, attempt, at, http_status, error, took_ms };
        Box::pin(async move { SentAgain { attempt, taken } })
    }
}

/// The simplest follower: it loads everything when asked.
struct Reloads {
    store: Store,
    directory: Arc<ArcSwap<Directory>>,
    looks: Arc<AtomicU64>,
}

impl Follower for Reloads {
    fn reload(&self, options: ReloadOptions) -> BoxFuture<'_, Result<ReloadReport, ReloadError>> {
        Box::pin(async move {
            let before = self.directory.load_full();
            let after = load(&self.store).await;
            if after.is_empty() && !before.is_empty() && !options.force && !options.check_only {
                return Err(ReloadError::Shrinks {
                    before: before.len() as u64,
                    removed: before.len() as u64,
                    share: 20,
                });
            }
            let report = ReloadReport {
                from: before.generation(),
                to: after.generation(),
                applied: !options.check_only,
                numbers_before: before.len() as u64,
                numbers_after: after.len() as u64,
                ..ReloadReport::default()
            };
            if !options.check_only {
                self.directory.store(Arc::new(after));
            }
            Ok(report)
        })
    }

    fn look(&self) {
        self.looks.fetch_add(1, Ordering::Relaxed);
    }

    fn wait(&self, generation: u64, limit: Duration) -> BoxFuture<'_, u64> {
        Box::pin(async move {
            let deadline = tokio::time::Instant::now() + limit;
            loop {
                let live = self.directory.load().generation();
                if live >= generation || tokio::time::Instant::now() >= deadline {
                    return live;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
    }

    fn history(&self) -> Vec<GenerationNote> {
        let generation = self.directory.load().generation();
        vec![GenerationNote { generation, at_ms: 1_700_000_000_001, kind: "full", written: 0, removed: 0 }]
    }
}
