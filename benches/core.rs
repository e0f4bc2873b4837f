//! The core's own costs: reading a message, reading what a stack needs of it, printing an answer.

use std::hint::black_box;

use callgate::sip::{Kept, Message, Method, Name, Stamp, Writer};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

const INVITE: &str = "INVITE sip:+16508251255@203.0.113.10:5060;transport=udp SIP/2.0\r\n\
Via: SIP/2.0/UDP 192.0.2.17:5060;branch=z9hG4bK776asdhds;rport\r\n\
Max-Forwards: 70\r\n\
From: \"Alice Example\" <sip:+12015550123@192.0.2.17>;tag=1928301774\r\n\
To: <sip:+16508251255@203.0.113.10>\r\n\
Call-ID: a84b4c76e66710@192.0.2.17\r\n\
CSeq: 314159 INVITE\r\n\
Contact: <sip:+12015550123@192.0.2.17:5060>\r\n\
User-Agent: ExampleSBC/7.2\r\n\
Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, INFO\r\n\
Supported: timer, 100rel\r\n\
Content-Type: application/sdp\r\n\
Content-Length: 148\r\n\r\n\
v=0\r\no=- 1 1 IN IP4 192.0.2.17\r\ns=-\r\nc=IN IP4 192.0.2.17\r\nt=0 0\r\nm=audio 49170 RTP/AVP 8 0 101\r\n\
a=rtpmap:101 telephone-event/8000\r\na=ptime:20\r\na=x:1\r\n";

fn core(criterion: &mut Criterion) {
    let invite = INVITE.as_bytes();
    let message = Message::scan(invite).expect("the sample is sound");
    let mut group = criterion.benchmark_group("sip");
    group.throughput(Throughput::Bytes(invite.len() as u64));
    group.bench_function("scan INVITE", |b| b.iter(|| Message::scan(black_box(invite)).is_ok()));
    group.bench_function("scan INVITE and read its keys", |b| {
        b.iter(|| {
            let message = Message::scan(black_box(invite)).expect("sound");
            let user = message.uri().and_then(|uri| uri.user).map_or(0, <[u8]>::len);
            black_box((
                message.top_via().branch(),
                message.call_id(),
                message.cseq(),
                message.from().tag(),
                message.to().tag(),
            ));
            user
        });
    });
    group.bench_function("keep INVITE", |b| b.iter(|| Kept::new(black_box(&message))));
    let mut out = Vec::with_capacity(2048);
    let stamp = Stamp { address: "192.0.2.17".parse().expect("an address"), port: 5060 };
    group.bench_function("print 200 to INVITE", |b| {
        b.iter(|| {
            let mut writer =
                Writer::response(&mut out, black_box(&message), 200, b"OK", Some(b"tag"), Some(stamp));
            writer.header(Name::Contact, &[b"<sip:203.0.113.10:5060>"]);
            writer.body(b"");
            out.len()
        });
    });
    let mut out = Vec::with_capacity(2048);
    group.bench_function("print INVITE with passed headers", |b| {
        b.iter(|| {
            let mut writer = Writer::request(&mut out, Method::Invite, b"sip:1000@198.51.100.1:5060");
            writer
                .header(Name::Via, &[b"SIP/2.0/UDP 203.0.113.10:5060;branch=z9hG4bK1234567890abcdef;rport"]);
            writer.numeric(Name::MaxForwards, 69).cseq(1, Method::Invite);
            for header in message.headers().filter(|header| header.name != Name::ContentLength) {
                writer.bytes(header.line);
            }
            writer.body(message.body());
            out.len()
        });
    });
    group.finish();
}

criterion_group!(benches, core);
criterion_main!(benches);
