//! Both real servers: SQLite files, and a PostgreSQL cluster of this test's own.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};

use callgate::store::{AccountRow, OrganizationRow, Role, Store, StoreConfig};

/// Which server a test runs against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    Sqlite,
    Postgres,
}

/// One store of its own, empty but for a default organization and account.
pub struct World {
    pub server: Server,
    pub store: Store,
    pub folder: Folder,
    pub organization: OrganizationRow,
    pub account: AccountRow,
    pub url: String,
    /// Kept running for as long as the test.
    _cluster: Option<Arc<Cluster>>,
}

/// A folder that goes with the test.
pub struct Folder(pub PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("callgate-{name}-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            eprintln!("{} stays behind: {error}", self.0.display());
        }
    }
}

impl World {
    pub async fn new(server: Server) -> Self {
        match server {
            Server::Sqlite => Self::on(server, String::new()).await,
            Server::Postgres => {
                let cluster = Cluster::shared();
                Self { _cluster: Some(Arc::clone(&cluster)), ..Self::on(server, cluster.database()).await }
            }
        }
    }

    /// On this PostgreSQL database, or on files of its own.
    pub async fn on(server: Server, url: String) -> Self {
        let folder = Folder::new("store");
        let url = match server {
            Server::Sqlite => format!("sqlite://{}/callgate.db", folder.0.display()),
            Server::Postgres => url,
        };
        let store = Store::open(StoreConfig::new(url.clone(), folder.0.join("key"))).unwrap();
        let due = store.due().await.unwrap();
        assert!(!due.is_empty());
        assert_eq!(store.migrate().await.unwrap(), due);
        let organization = OrganizationRow { is_default: true, ..OrganizationRow::new("example.com") };
        let organization = store.create("test", organization).await.unwrap().row;
        let account = AccountRow {
            is_default: true,
            role: Role::SuperAdmin,
            ..AccountRow::new(organization.id, "Default")
        };
        let account = store.create("test", account).await.unwrap().row;
        Self { server, store, folder, organization, account, url, _cluster: None }
    }

    /// Runs SQL as a person would: through the server's own command line.
    pub fn by_hand(&self, sql: &str) -> Result<String, String> {
        let output = match self.server {
            Server::Sqlite => Command::new("sqlite3")
                .arg("-cmd")
                .arg(".timeout 5000")
                .arg(self.folder.0.join("callgate.db"))
                .arg(sql)
                .output(),
            Server::Postgres => Command::new("psql")
                .args(["-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-d", &self.url, "-c", sql])
                .output(),
        };
        let output = output.expect("sqlite3 and psql are installed by `make test`");
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }
}

/// A PostgreSQL server on a free loopback port, stopped when the last test lets go of it.
pub struct Cluster {
    folder: Folder,
    port: u16,
    databases: AtomicU32,
}

const BIN: &str = "/usr/lib/postgresql/15/bin";

impl Cluster {
    /// The one that the tests running at the same time share.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap();
        shared.upgrade().unwrap_or_else(|| {
            let cluster = Arc::new(Self::start());
            *shared = Arc::downgrade(&cluster);
            cluster
        })
    }

    /// One of a test's own, which it may stop.
    pub fn start() -> Self {
        assert!(
            Path::new(BIN).join("initdb").exists(),
            "PostgreSQL 15 is not installed in {BIN}: `make test` installs it (apt-get install postgresql)"
        );
        let folder = Folder::new("postgres");
        std::fs::set_permissions(&folder.0, std::fs::Permissions::from_mode(0o777)).unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let cluster = Self { folder, port, databases: AtomicU32::new(0) };
        let data = cluster.data();
        run(cluster.tool("initdb").args([
            "-U",
            "callgate",
            "-A",
            "trust",
            "--no-sync",
            "-E",
            "UTF8",
            "-D",
            &data,
        ]));
        cluster.up();
        cluster
    }

    fn data(&self) -> String {
        format!("{}/data", self.folder.0.display())
    }

    /// A tool of the server's, as a user who is not root: the server refuses root.
    fn tool(&self, name: &str) -> Command {
        let path = format!("{BIN}/{name}");
        let mut command = if nix::unistd::geteuid().is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", "nobody", "--regid", "nogroup", "--clear-groups", &path]);
            command
        } else {
            Command::new(path)
        };
        command.current_dir(&self.folder.0).stdin(Stdio::null());
        command
    }

    /// Starts the server.
    pub fn up(&self) {
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off \
             -c synchronous_commit=off -c full_page_writes=off -c max_connections=200",
            self.port
        );
        let log = format!("{}/log", self.folder.0.display());
        run(self.tool("pg_ctl").args(["-w", "-D", &self.data(), "-l", &log, "-o", &options, "start"]));
    }

    /// Stops the server as an administrator would: its clients are cut off.
    pub fn down(&self) {
        run(self.tool("pg_ctl").args(["-w", "-m", "fast", "-D", &self.data(), "stop"]));
    }

    /// Sends this signal to the server and every process of it: STOP makes it silent, CONT lets it go on.
    #[allow(dead_code, reason = "not every test binary silences its server")]
    pub fn signal(&self, name: &str) {
        let file = format!("{}/postmaster.pid", self.data());
        let text = std::fs::read_to_string(file).unwrap();
        let server = text.lines().next().unwrap().trim();
        let children = Command::new("pgrep").args(["-P", server]).output().unwrap().stdout;
        let children = String::from_utf8_lossy(&children).into_owned();
        run(Command::new("kill").args(["-s", name, server]).args(children.split_whitespace()));
    }

    /// A fresh database's URL.
    pub fn database(&self) -> String {
        let name = format!("callgate{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let base = format!("postgres://callgate@127.0.0.1:{}", self.port);
        let sql = format!("CREATE DATABASE {name}");
        run(Command::new("psql").args(["-X", "-q", "-d", &format!("{base}/postgres"), "-c", &sql]));
        format!("{base}/{name}")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let status = self
            .tool("pg_ctl")
            .args(["-m", "immediate", "-D", &self.data(), "stop"])
            .stdout(Stdio::null())
            .status();
        if !status.is_ok_and(|status| status.success()) {
            eprintln!("the PostgreSQL server of {} was stopped already", self.folder.0.display());
        }
    }
}

fn run(command: &mut Command) {
    // Files, not pipes: the server inherits them and would keep a pipe open.
    let output = command.stdout(Stdio::null()).stderr(Stdio::piped()).status();
    let status = output.unwrap_or_else(|error| panic!("{command:?} cannot be run: {error}"));
    assert!(status.success(), "{command:?} failed: {status}");
}
