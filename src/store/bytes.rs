//! The byte forms of numbers and keys in the last good directory's file.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::FixedState;

use crate::ids::{AccountSid, ApplicationSid, NumberSid, OrganizationSid};
use crate::routing::model::{Hook, Method, Number, NumberKey, VoiceProfile};
use crate::store::mark::Mark;

/// Appends little-endian integers and length-prefixed texts.
#[derive(Debug, Default)]
pub(super) struct Out(pub(super) Vec<u8>);

impl Out {
    pub(super) fn u8(&mut self, value: u8) {
        self.0.push(value);
    }

    pub(super) fn u32(&mut self, value: usize) {
        let value = u32::try_from(value).expect("no list or text in a directory reaches 4 GiB");
        self.0.extend(value.to_le_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.0.extend(value.to_le_bytes());
    }

    fn u128(&mut self, value: u128) {
        self.0.extend(value.to_le_bytes());
    }

    pub(super) fn text(&mut self, text: &str) {
        self.u32(text.len());
        self.0.extend(text.as_bytes());
    }

    pub(super) fn mark(&mut self, mark: &Mark) {
        self.u64(mark.generation);
        self.text(&mark.change);
    }

    fn optional<T>(&mut self, value: Option<T>, put: impl FnOnce(&mut Self, T)) {
        self.u8(u8::from(value.is_some()));
        if let Some(value) = value {
            put(self, value);
        }
    }

    fn hook(&mut self, hook: &Hook) {
        self.text(&hook.url);
        self.u8(u8::from(hook.method == Method::Post));
    }

    fn profile(&mut self, profile: &VoiceProfile) {
        for hook in [&profile.voice, &profile.voice_fallback, &profile.status_callback, &profile.refer] {
            self.optional(hook.as_ref(), Self::hook);
        }
        self.optional(profile.fallback_target.as_deref(), Self::text);
        self.optional(profile.application, |out, sid| out.u128(sid.0));
        self.u8(u8::from(profile.name_lookup));
        self.optional(profile.name_prefix.as_deref(), Self::text);
        self.optional(profile.sms.as_ref(), Self::hook);
        self.optional(profile.sms_fallback.as_ref(), Self::hook);
        self.optional(profile.sms_application, |out, sid| out.u128(sid.0));
        self.optional(profile.refer_application, |out, sid| out.u128(sid.0));
    }

    /// Numbers, the profiles they share written once before them.
    pub(super) fn numbers(&mut self, numbers: &[Number]) {
        // By place in memory: who reads numbers lets them share their profiles, and hashing its texts for each
        // number costs a full load 4 %.
        let mut places: HashMap<*const VoiceProfile, usize, FixedState> = HashMap::default();
        let mut profiles = Vec::new();
        let mut place = |profile| {
            *places.entry(Arc::as_ptr(profile)).or_insert_with(|| {
                profiles.push(profile);
                profiles.len() - 1
            })
        };
        let places: Vec<usize> = numbers.iter().map(|number| place(&number.profile)).collect();
        self.u32(profiles.len());
        profiles.iter().for_each(|profile| self.profile(profile));
        self.u32(numbers.len());
        for (number, place) in numbers.iter().zip(places) {
            self.u128(number.sid.0);
            self.text(&number.text);
            self.u128(number.account.0);
            self.u128(number.organization.0);
            self.u8(u8::from(number.is_sip) | u8::from(number.in_service) << 1 | u8::from(number.main) << 2);
            self.u32(place);
        }
    }

    pub(super) fn keys(&mut self, keys: &[NumberKey]) {
        self.u32(keys.len());
        for key in keys {
            self.u128(key.sid.0);
            self.u128(key.organization.0);
            self.text(&key.text);
        }
    }
}

/// Takes them off again; `None` as soon as anything does not fit.
#[derive(Debug)]
pub(super) struct In<'a>(pub(super) &'a [u8]);

impl<'a> In<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*head)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<usize> {
        self.array().map(|bytes| u32::from_le_bytes(bytes) as usize)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn mark(&mut self) -> Option<Mark> {
        Some(Mark { generation: self.u64()?, change: self.text()?.to_owned() })
    }

    fn u128(&mut self) -> Option<u128> {
        self.array().map(u128::from_le_bytes)
    }

    pub(super) fn text(&mut self) -> Option<&'a str> {
        let length = self.u32()?;
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(head).ok()
    }

    fn optional<T>(&mut self, take: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        match self.u8()? {
            0 => Some(None),
            1 => take(self).map(Some),
            _ => None,
        }
    }

    fn hook(&mut self) -> Option<Hook> {
        let url = self.text()?.into();
        Some(Hook { url, method: if self.u8()? == 1 { Method::Post } else { Method::Get } })
    }

    fn profile(&mut self) -> Option<VoiceProfile> {
        Some(VoiceProfile {
            voice: self.optional(Self::hook)?,
            voice_fallback: self.optional(Self::hook)?,
            status_callback: self.optional(Self::hook)?,
            refer: self.optional(Self::hook)?,
            fallback_target: self.optional(|input| input.text().map(Arc::from))?,
            application: self.optional(|input| input.u128().map(ApplicationSid))?,
            name_lookup: self.u8()? == 1,
            name_prefix: self.optional(|input| input.text().map(Arc::from))?,
            sms: self.optional(Self::hook)?,
            sms_fallback: self.optional(Self::hook)?,
            sms_application: self.optional(|input| input.u128().map(ApplicationSid))?,
            refer_application: self.optional(|input| input.u128().map(ApplicationSid))?,
        })
    }

    pub(super) fn numbers(&mut self) -> Option<Vec<Number>> {
        let profiles: Option<Vec<Arc<VoiceProfile>>> =
            (0..self.u32()?).map(|_| self.profile().map(Arc::new)).collect();
        let profiles = profiles?;
        (0..self.u32()?)
            .map(|_| {
                let sid = NumberSid(self.u128()?);
                let text = self.text()?.into();
                let account = AccountSid(self.u128()?);
                let organization = OrganizationSid(self.u128()?);
                let flags = self.u8()?;
                let profile = Arc::clone(profiles.get(self.u32()?)?);
                let [is_sip, in_service, main] = [1, 2, 4].map(|flag| flags & flag != 0);
                Some(Number { sid, text, account, organization, is_sip, in_service, main, profile })
            })
            .collect()
    }

    pub(super) fn keys(&mut self) -> Option<Vec<NumberKey>> {
        (0..self.u32()?)
            .map(|_| {
                let sid = NumberSid(self.u128()?);
                let organization = OrganizationSid(self.u128()?);
                Some(NumberKey { sid, organization, text: self.text()?.into() })
            })
            .collect()
    }
}
