//! A tiny name server: a zone in memory, UDP, and a count of what was asked.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// One record's data.
#[derive(Clone, Debug)]
pub enum Data {
    /// An address.
    A(Ipv4Addr),
    /// Priority, weight, port, target.
    Srv(u16, u16, u16, &'static str),
    /// Order, preference, service, replacement; flags are `s`.
    Naptr(u16, u16, &'static str, &'static str),
}

type Records = Vec<(&'static str, u32, Data)>;

/// The server; its thread ends with the process.
#[derive(Clone)]
pub struct Zone {
    /// Where it listens.
    pub address: SocketAddr,
    records: Arc<Mutex<Records>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Zone {
    /// Serves `records`: name, TTL, data. Every other name does not exist.
    pub fn serve(records: Records) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let address = socket.local_addr().expect("bound");
        let zone = Self { address, records: Arc::new(Mutex::new(records)), asked: Arc::default() };
        let served = zone.clone();
        thread::spawn(move || {
            let mut buffer = [0; 1500];
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                if let Some(answer) = served.answer(&buffer[..length]) {
                    socket.send_to(&answer, from).expect("sent");
                }
            }
        });
        zone
    }

    /// Serves other records from now on.
    pub fn set(&self, records: Records) {
        *self.records.lock().unwrap_or_else(PoisonError::into_inner) = records;
    }

    /// What was asked so far, as `name type`.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The `[dns]` section that asks it.
    pub fn section(&self, more: &str) -> String {
        format!("{more}\n[dns]\nservers = [\"{}\"]\n", self.address)
    }

    fn answer(&self, query: &[u8]) -> Option<Vec<u8>> {
        let (name, end) = read_name(query, 12)?;
        let kind = u16::from_be_bytes([*query.get(end)?, *query.get(end + 1)?]);
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{name} {kind}"));
        let records = self.records.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let known = records.iter().any(|(owner, ..)| *owner == name);
        let found: Vec<_> =
            records.into_iter().filter(|(owner, _, data)| *owner == name && kind_of(data) == kind).collect();
        let mut out = query[..2].to_vec();
        out.extend([0x85, if known { 0x80 } else { 0x83 }, 0, 1, 0, u8::try_from(found.len()).ok()?]);
        out.extend([0, u8::from(found.is_empty()), 0, 0]);
        out.extend(&query[12..end + 4]);
        for (_, ttl, data) in &found {
            out.extend([0xc0, 12]);
            record(&mut out, kind, *ttl, &rdata(data));
        }
        if found.is_empty() {
            // How long "nothing" may be kept is said by an SOA (RFC 2308).
            let mut soa = name_bytes("ns.test");
            soa.extend(name_bytes("post.test"));
            soa.extend([1_u32, 3600, 600, 86400, 60].into_iter().flat_map(u32::to_be_bytes));
            out.extend(name_bytes("test"));
            record(&mut out, 6, 60, &soa);
        }
        Some(out)
    }
}

fn record(out: &mut Vec<u8>, kind: u16, ttl: u32, data: &[u8]) {
    out.extend(kind.to_be_bytes());
    out.extend([0, 1]);
    out.extend(ttl.to_be_bytes());
    out.extend(u16::try_from(data.len()).expect("short").to_be_bytes());
    out.extend(data);
}

const fn kind_of(data: &Data) -> u16 {
    match data {
        Data::A(_) => 1,
        Data::Srv(..) => 33,
        Data::Naptr(..) => 35,
    }
}

fn rdata(data: &Data) -> Vec<u8> {
    let mut out = Vec::new();
    match data {
        Data::A(address) => out.extend(address.octets()),
        Data::Srv(priority, weight, port, target) => {
            out.extend([*priority, *weight, *port].into_iter().flat_map(u16::to_be_bytes));
            out.extend(name_bytes(target));
        }
        Data::Naptr(order, preference, service, replacement) => {
            out.extend([*order, *preference].into_iter().flat_map(u16::to_be_bytes));
            for text in ["s", service, ""] {
                out.push(u8::try_from(text.len()).expect("short"));
                out.extend(text.bytes());
            }
            out.extend(name_bytes(replacement));
        }
    }
    out
}

fn name_bytes(name: &str) -> Vec<u8> {
    let mut out = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        out.push(u8::try_from(label.len()).expect("short"));
        out.extend(label.bytes());
    }
    out.push(0);
    out
}

fn read_name(bytes: &[u8], mut at: usize) -> Option<(String, usize)> {
    let mut labels = Vec::new();
    loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        labels.push(String::from_utf8_lossy(bytes.get(at..at + length)?).to_ascii_lowercase());
        at += length;
    }
}
