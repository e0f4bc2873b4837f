//! The project's own types as bytes. The numbers of variants are for ever; a field that is added
//! to a struct raises [`super::frame::VERSION`].

use super::entry::{DEAD, Entry, Fate, Outcome};
use super::wire::{In, Out, Wire, fields, variants};
use crate::call::facts::CallFacts;
use crate::call::instructions::NounCallback;
use crate::call::outcome::{CallStatus, DialOutcome, HangupSource, Terminal};
use crate::call::record::{
    CallerSide, Change, DialLeft, DialogState, Event, InvitedLeg, LegEvent, LegFacts, Record,
};
use crate::flow::{ConnectionId, Flow, ListenerId, Transport};
use crate::ids::{AccountSid, ApplicationSid, CallSid, GatewaySid, NumberSid, OrganizationSid, TrunkSid};
use crate::reason::Reason;
use crate::routing::model::{Hook, Method, VoiceProfile};

fields! {
    CallSid { 0 }
    AccountSid { 0 }
    OrganizationSid { 0 }
    NumberSid { 0 }
    TrunkSid { 0 }
    GatewaySid { 0 }
    ApplicationSid { 0 }
    ListenerId { 0 }
    ConnectionId { 0 }
    Hook { url, method }
    VoiceProfile {
        voice, voice_fallback, status_callback, fallback_target, application, name_lookup, name_prefix,
        sms, sms_fallback, sms_application, refer, refer_application,
    }
    CallFacts {
        call, account, organization, number, number_text, trunk, profile, base_url, post_query_in_body, from,
        to, sip_to, caller_name, forwarded_from, sip_call_id, sip_source, sip_headers, started, generation,
    }
    CallerSide { response_headers, flow }
    InvitedLeg { leg, parties, request_uri, headers, flow, again, gateway, ahead }
    DialogState {
        call_id, local_tag, remote_tag, local, remote, target, routes, flow, local_cseq, remote_cseq,
        session_interval,
    }
    DialLeft { time_limit, action, rang_for }
    Terminal { status, sip_code, reason, source, duration }
    Event { sequence, status }
    NounCallback { hook, events }
    LegFacts { leg, from, to, callback }
    LegEvent { leg, status, sip_code, duration }
    Record { call, seq, at, change, event }
    Outcome { call, leg, sequence, attempt, took, http_status, error, fate }
}

/// The headers in it are for its action, which is asked at once or never.
impl Wire for DialOutcome {
    fn put(&self, out: &mut Out<'_>) {
        self.status.put(out);
        self.leg.put(out);
        self.duration.put(out);
        self.ring_duration.put(out);
        self.sip_code.put(out);
        self.sip_call_id.put(out);
    }

    fn get(from: &mut In<'_>) -> Option<Self> {
        let (status, leg, duration) = (Wire::get(from)?, Wire::get(from)?, Wire::get(from)?);
        let (ring_duration, sip_code) = (Wire::get(from)?, Wire::get(from)?);
        let sip_call_id = Wire::get(from)?;
        Some(Self { status, leg, duration, ring_duration, sip_code, sip_call_id, sip_headers: Vec::new() })
    }
}

/// Whom its peer must prove to be is no part of it: who connects anew after a restart knows the name.
impl Wire for Flow {
    fn put(&self, out: &mut Out<'_>) {
        self.transport.put(out);
        self.listener.put(out);
        self.local.put(out);
        self.peer.put(out);
        self.connection.put(out);
    }

    fn get(from: &mut In<'_>) -> Option<Self> {
        let (transport, listener, local) = (Wire::get(from)?, Wire::get(from)?, Wire::get(from)?);
        let (peer, connection) = (Wire::get(from)?, Wire::get(from)?);
        Some(Self { transport, listener, local, peer, connection, domain: None })
    }
}

variants! {
    Transport { 0 = Udp, 1 = Tcp, 2 = Tls }
    Method { 0 = Get, 1 = Post }
    CallStatus {
        0 = Ringing, 1 = InProgress, 2 = Completed, 3 = Busy, 4 = NoAnswer, 5 = Canceled, 6 = Failed,
        7 = Initiated, 8 = Answered,
    }
    HangupSource { 0 = Caller, 1 = Callee, 2 = Application, 3 = Router }
}

/// As its code, which users see and which therefore stays.
impl Wire for Reason {
    fn put(&self, out: &mut Out<'_>) {
        (self.code().len() as u64).put(out);
        out.bytes.extend_from_slice(self.code().as_bytes());
    }

    fn get(from: &mut In<'_>) -> Option<Self> {
        Self::from_code(&String::get(from)?)
    }
}

impl Wire for Change {
    fn put(&self, out: &mut Out<'_>) {
        match self {
            Self::Admitted { facts, caller } => {
                0_u8.put(out);
                facts.put(out);
                caller.put(out);
            }
            Self::Ringing => 1_u8.put(out),
            Self::Invited(leg) => {
                2_u8.put(out);
                leg.put(out);
            }
            Self::LegEnded { leg, sip_code } => {
                3_u8.put(out);
                leg.put(out);
                sip_code.put(out);
            }
            Self::Answered { leg, caller, target, response, dial } => {
                4_u8.put(out);
                leg.put(out);
                caller.put(out);
                target.put(out);
                response.put(out);
                dial.put(out);
            }
            Self::Acked => 5_u8.put(out),
            Self::DialogChanged { caller, dialog } => {
                6_u8.put(out);
                caller.put(out);
                dialog.put(out);
            }
            Self::Dialled(outcome) => {
                7_u8.put(out);
                outcome.put(out);
            }
            Self::Ended(terminal) => {
                8_u8.put(out);
                terminal.put(out);
            }
            Self::Leg(event) => {
                9_u8.put(out);
                event.put(out);
            }
            Self::Recovered => 10_u8.put(out),
            Self::Transferred { leg, caller, joined, stayed, dial } => {
                11_u8.put(out);
                leg.put(out);
                caller.put(out);
                joined.put(out);
                stayed.put(out);
                dial.put(out);
            }
        }
    }

    fn get(from: &mut In<'_>) -> Option<Self> {
        Some(match u8::get(from)? {
            0 => Self::Admitted { facts: Wire::get(from)?, caller: Wire::get(from)? },
            1 => Self::Ringing,
            2 => Self::Invited(Wire::get(from)?),
            3 => Self::LegEnded { leg: Wire::get(from)?, sip_code: Wire::get(from)? },
            4 => Self::Answered {
                leg: Wire::get(from)?,
                caller: Wire::get(from)?,
                target: Wire::get(from)?,
                response: Wire::get(from)?,
                dial: Wire::get(from)?,
            },
            5 => Self::Acked,
            6 => Self::DialogChanged { caller: Wire::get(from)?, dialog: Wire::get(from)? },
            7 => Self::Dialled(Wire::get(from)?),
            8 => Self::Ended(Wire::get(from)?),
            9 => Self::Leg(Wire::get(from)?),
            10 => Self::Recovered,
            11 => Self::Transferred {
                leg: Wire::get(from)?,
                caller: Wire::get(from)?,
                joined: Wire::get(from)?,
                stayed: Wire::get(from)?,
                dial: Wire::get(from)?,
            },
            _ => return None,
        })
    }
}

impl Wire for Fate {
    fn put(&self, out: &mut Out<'_>) {
        match self {
            Self::Delivered => 0_u8.put(out),
            Self::Failed(next) => {
                1_u8.put(out);
                next.put(out);
            }
            Self::Superseded => 2_u8.put(out),
            Self::Dead(why) => {
                3_u8.put(out);
                String::from(*why).put(out);
            }
        }
    }

    fn get(from: &mut In<'_>) -> Option<Self> {
        Some(match u8::get(from)? {
            0 => Self::Delivered,
            1 => Self::Failed(Wire::get(from)?),
            2 => Self::Superseded,
            3 => {
                let why = String::get(from)?;
                Self::Dead(DEAD.into_iter().find(|word| *word == why).unwrap_or(DEAD[0]))
            }
            _ => return None,
        })
    }
}

impl Wire for Entry {
    fn put(&self, out: &mut Out<'_>) {
        match self {
            Self::Record(record) => {
                0_u8.put(out);
                record.put(out);
            }
            Self::Outcome(outcome) => {
                1_u8.put(out);
                outcome.put(out);
            }
            Self::Disabled { account, url } => {
                3_u8.put(out);
                account.put(out);
                url.put(out);
            }
            Self::Enabled { account, url } => {
                4_u8.put(out);
                account.put(out);
                url.put(out);
            }
            Self::Trace { call, at, text } => {
                5_u8.put(out);
                call.put(out);
                at.put(out);
                text.put(out);
            }
            Self::Done { call } => {
                6_u8.put(out);
                call.put(out);
            }
        }
    }

    fn get(from: &mut In<'_>) -> Option<Self> {
        Some(match u8::get(from)? {
            0 => Self::Record(Wire::get(from)?),
            1 => Self::Outcome(Wire::get(from)?),
            3 => Self::Disabled { account: Wire::get(from)?, url: Wire::get(from)? },
            4 => Self::Enabled { account: Wire::get(from)?, url: Wire::get(from)? },
            5 => Self::Trace { call: Wire::get(from)?, at: Wire::get(from)?, text: Wire::get(from)? },
            6 => Self::Done { call: Wire::get(from)? },
            _ => return None,
        })
    }
}
