//! sipp as caller and callee of the report and of tests that count: what came of it, not only whether.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A run of one side.
#[derive(Clone)]
pub struct Side {
    /// `tests/sipp/scenarios/NAME.xml`, or one of `benches/report`.
    pub scenario: &'static str,
    /// `u1`, `t1`.
    pub transport: &'static str,
    /// Its own port.
    pub port: u16,
    /// Where it calls; a callee's is not used.
    pub remote: SocketAddr,
    /// Whom it calls.
    pub number: &'static str,
    /// How many calls.
    pub calls: u32,
    /// How many each second.
    pub rate: u32,
    /// How long a callee rings, in milliseconds.
    pub ring: u32,
    /// How long a call stands, in milliseconds: at least and at most.
    pub talk: [u32; 2],
    /// What stands in Contact instead of its own address and transport.
    pub contact: Option<String>,
}

/// What a side counted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counted {
    /// Calls that went as the scenario says.
    pub good: u64,
    /// Those that did not, an unexpected message among the reasons.
    pub failed: u64,
    /// Messages it sent again.
    pub repeated: u64,
    /// Whether it ended by itself.
    pub ended: bool,
}

/// A started sipp.
pub struct Running {
    child: Child,
    stats: PathBuf,
}

impl Side {
    /// One call of number `1` over UDP, that rings 100 ms and stands 200.
    pub fn new(scenario: &'static str, port: u16, remote: SocketAddr) -> Self {
        Self {
            scenario,
            transport: "u1",
            port,
            remote,
            number: "1",
            calls: 1,
            rate: 1,
            ring: 100,
            talk: [200; 2],
            contact: None,
        }
    }

    /// Starts it in `folder`.
    pub fn start(&self, folder: &Path) -> Running {
        let name = format!("{}-{}", self.scenario, self.port);
        let file = folder.join(format!("{name}.xml"));
        fs::write(&file, self.text()).expect("written");
        let stats = folder.join(format!("{name}.csv"));
        let errors = folder.join(format!("{name}.errors"));
        let seconds = self.calls / self.rate + self.talk[1] / 1000 + 60;
        let words = [
            ("-t", self.transport.to_owned()),
            ("-i", "127.0.0.1".to_owned()),
            ("-p", self.port.to_string()),
            ("-m", self.calls.to_string()),
            ("-r", self.rate.to_string()),
            ("-l", "60000".to_owned()),
            ("-timeout", seconds.to_string()),
            ("-buff_size", "8388608".to_owned()),
            ("-fd", "1".to_owned()),
            ("-stf", stats.display().to_string()),
            ("-error_file", errors.display().to_string()),
        ];
        let child = Command::new("sipp")
            .arg("-sf")
            .arg(&file)
            .args(words.iter().flat_map(|(word, value)| [*word, value]))
            .args(["-nostdin", "-timeout_error", "-trace_stat", "-trace_err"])
            .arg(self.remote.to_string())
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sipp is installed");
        Running { child, stats }
    }

    fn text(&self) -> String {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let file = format!("{}.xml", self.scenario);
        let own = root.join("benches/report").join(&file);
        let path = if own.exists() { own } else { root.join("tests/sipp/scenarios").join(&file) };
        let mut text = fs::read_to_string(path).expect("the scenario");
        let [shortest, longest] = self.talk;
        let spread = format!("distribution=\"uniform\" min=\"{shortest}\" max=\"{longest}\"");
        if shortest != longest {
            text = text.replace("milliseconds=\"@TALK@\"", &spread);
        }
        let (talk, ring) = (longest.to_string(), self.ring.to_string());
        let uri = format!("sip:{}@[remote_ip]:[remote_port]", self.number);
        for (name, value) in
            [("TALK", &*talk), ("RING", &*ring), ("URI", &*uri), ("SEEN", "X-Test: unchanged")]
        {
            text = text.replace(&format!("@{name}@"), value);
        }
        match &self.contact {
            Some(contact) => {
                text.replace("[local_ip]:[local_port];transport=[transport]>", &format!("{contact}>"))
            }
            None => text,
        }
    }
}

impl Running {
    /// Waits for its end.
    pub fn end(mut self) -> Counted {
        let ended = self.child.wait().expect("a child");
        let stats = fs::read_to_string(&self.stats).unwrap_or_default();
        let mut lines = stats.lines();
        let names: Vec<&str> = lines.next().unwrap_or_default().split(';').collect();
        let values: Vec<&str> = lines.last().unwrap_or_default().split(';').collect();
        let of = |name: &str| {
            let at = names.iter().position(|known| *known == name)?;
            values.get(at)?.parse::<u64>().ok()
        };
        Counted {
            good: of("SuccessfulCall(C)").unwrap_or(0),
            failed: of("FailedCall(C)").unwrap_or(0),
            repeated: of("Retransmissions(C)").unwrap_or(0),
            ended: matches!(ended.code(), Some(0 | 1)),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None))
            && let Err(error) = self.child.kill().and_then(|()| self.child.wait())
        {
            eprintln!("a sipp could not be stopped: {error}");
        }
    }
}
