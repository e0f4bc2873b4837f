//! From an INVITE to an application, an emergency gateway or a refusal.

use std::sync::{Arc, LazyLock};

use super::Directory;
use super::dialled::{Address, Dialled};
use super::directory::NumberView;
use super::forms::{FormKind, Forms};
use super::model::{
    Account, Application, DialledFrom, Gateway, Hook, NumberProfile, Organization, Status, Trunk,
    VoiceProfile,
};
use super::patterns::Entry;
use super::text::Text;
use crate::ids::OrganizationSid;
use crate::reason::Reason;

/// What of an INVITE routing looks at.
#[derive(Clone, Copy, Debug)]
pub struct Inbound<'a> {
    /// Its trunk; `None`: an unknown source that the configuration lets in.
    pub trunk: Option<&'a Trunk>,
    /// The organization of such a source.
    pub unknown_organization: Option<OrganizationSid>,
    /// The Request-URI.
    pub request: Address<'a>,
    /// The To header's URI.
    pub to: Address<'a>,
    /// The From header's host.
    pub from_host: &'a [u8],
    /// The first URI of the header that the trunk's `dialled-from` names; `None`: not there, the
    /// Request-URI is taken.
    pub header: Option<Address<'a>>,
}

/// What routing concluded. Lives on the stack of one decision, so that none is allocated.
#[expect(clippy::large_enum_variant, reason = "boxing the common variant would allocate on each call")]
#[derive(Clone, Debug)]
pub enum Decision<'d> {
    /// An application is to be asked.
    Application(Chosen<'d>),
    /// An emergency call.
    Emergency {
        /// Where it goes.
        gateway: &'d Arc<Gateway>,
        /// What was dialled; `sos` and its like for a service URN.
        dialled: Text,
    },
    /// The number is there, and nobody is to be asked about it.
    Unasked {
        /// The row.
        number: NumberView<'d>,
        /// Its owner, who should hear of it.
        account: &'d Arc<Account>,
    },
    /// Nothing more happens.
    Refused(Reason),
}

/// The number that was found and what goes with it.
#[derive(Clone, Debug)]
pub struct Chosen<'d> {
    /// The row.
    pub number: NumberView<'d>,
    /// Its owner.
    pub account: &'d Arc<Account>,
    /// Its organization.
    pub organization: &'d Arc<Organization>,
    /// The application whose URLs come first, where there is one.
    pub application: Option<&'d Arc<Application>>,
    /// The application whose `ReferUrl` comes before that one's, where there is one.
    pub refer_application: Option<&'d Arc<Application>>,
    /// The user part that routing used: `To` for the application.
    pub dialled: Text,
    /// The form that led to the row.
    pub form: Text,
}

impl Chosen<'_> {
    /// The effective URLs: the application's laid over the number's. Allocates where there is an
    /// application.
    #[must_use]
    pub fn profile(&self) -> Arc<VoiceProfile> {
        let own = self.number.profile();
        if self.application.is_none() && self.refer_application.is_none() {
            return Arc::clone(own);
        }
        let mut profile = VoiceProfile { refer: self.refer(own), ..VoiceProfile::clone(own) };
        if let Some(application) = self.application {
            profile.voice = application.voice.clone().or(profile.voice);
            profile.voice_fallback = application.voice_fallback.clone().or(profile.voice_fallback);
            profile.status_callback = application.status_callback.clone().or(profile.status_callback);
            profile.application = Some(application.sid);
            profile.name_lookup |= application.name_lookup;
        }
        Arc::new(profile)
    }

    /// Who is asked about a REFER: the application that is named for it, then that of the call, then the number;
    /// one that has a `RcmlUrl` alone is asked there.
    fn refer(&self, own: &VoiceProfile) -> Option<Hook> {
        let named = self.refer_application;
        let of_calls = self.application.and_then(|application| application.refer.as_ref());
        let asked = named.and_then(|application| application.refer.as_ref()).or(of_calls);
        let asked = asked.or(own.refer.as_ref());
        asked.or_else(|| named.and_then(|application| application.voice.as_ref())).cloned()
    }
}

/// Decides. Allocates nothing where a number matches exactly.
#[must_use]
pub fn decide<'d>(directory: &'d Directory, inbound: &Inbound<'_>) -> Decision<'d> {
    decide_seen(directory, inbound, &mut Silent)
}

/// Hears of each step, for `explain`.
pub(super) trait Observer {
    fn dialled(&mut self, _dialled: &Dialled) {}
    fn organizations(&mut self, _destination: Option<(u32, Because)>, _source: Option<u32>) {}
    fn form(&mut self, _kind: FormKind, _form: &Text, _hit: bool) {}
    fn pattern(&mut self, _entry: &Entry, _form: &str, _hit: bool) {}
    fn patterns_closed(&mut self, _why: &'static str) {}
    fn catch_all(&mut self) {}
}

/// Nobody listens.
struct Silent;
impl Observer for Silent {}

/// How an organization was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// Its domain is the Request-URI's host.
    RequestHost,
    /// Its domain is the To header's host.
    ToHost,
    /// The trunk is bound to it.
    Trunk,
    /// It is the default.
    Default,
    /// Unknown sources belong to it.
    UnknownSource,
}

/// How sources without a trunk write numbers.
static UNKNOWN_SOURCE_NUMBERS: LazyLock<NumberProfile> = LazyLock::new(NumberProfile::default);

pub(super) fn decide_seen<'d>(
    directory: &'d Directory,
    inbound: &Inbound<'_>,
    observer: &mut impl Observer,
) -> Decision<'d> {
    let dialled = Dialled::read(dialled_address(inbound).user);
    if let Some(decision) = emergency(directory, inbound, dialled.as_ref()) {
        return decision;
    }
    if inbound.trunk.is_some_and(|trunk| trunk.status != Status::Active) {
        return Decision::Refused(Reason::TrunkNotActive);
    }
    let Some(dialled) = dialled else { return Decision::Refused(Reason::NumberUndialable) };
    let profile = inbound.trunk.map_or_else(|| &*UNKNOWN_SOURCE_NUMBERS, |trunk| &trunk.numbers);
    let dialled = dialled.rewrite(profile);
    observer.dialled(&dialled);
    let destination = destination(directory, inbound);
    let source = source(directory, inbound);
    observer.organizations(destination, source);
    let to = destination.map(|(organization, _)| organization);
    match look_up(directory, Forms::new(&dialled, profile), to, source, observer) {
        Some((number, form)) => conclude(directory, number, dialled.number, form),
        None => Decision::Refused(Reason::UnknownNumber),
    }
}

/// Decides whom a MESSAGE outside dialogs asks: exact numbers only, no pattern takes anybody's
/// messages. The profile in it has the URLs of the messages' application laid over.
///
/// # Errors
/// The reason of the refusal.
pub fn decide_message<'d>(
    directory: &'d Directory,
    inbound: &Inbound<'_>,
) -> Result<(Chosen<'d>, Arc<VoiceProfile>), Reason> {
    decide_message_seen(directory, inbound, &mut Silent)
}

pub(super) fn decide_message_seen<'d>(
    directory: &'d Directory,
    inbound: &Inbound<'_>,
    observer: &mut impl Observer,
) -> Result<(Chosen<'d>, Arc<VoiceProfile>), Reason> {
    if inbound.trunk.is_some_and(|trunk| trunk.status != Status::Active) {
        return Err(Reason::TrunkNotActive);
    }
    let dialled = Dialled::read(dialled_address(inbound).user).ok_or(Reason::NumberUndialable)?;
    let profile = inbound.trunk.map_or_else(|| &*UNKNOWN_SOURCE_NUMBERS, |trunk| &trunk.numbers);
    let dialled = dialled.rewrite(profile);
    observer.dialled(&dialled);
    let (destination, source) = (destination(directory, inbound), source(directory, inbound));
    observer.organizations(destination, source);
    observer.patterns_closed("a MESSAGE is taken by exact numbers only");
    let to = destination.map(|(organization, _)| organization);
    let mut forms = Forms::new(&dialled, profile);
    let found = forms.find_map(|(kind, form)| {
        let row = directory.exact(&form, to, source);
        observer.form(kind, &form, row.is_some());
        row.map(|row| (row, form))
    });
    let (row, form) = found.ok_or(Reason::UnknownNumber)?;
    let number = directory.view(row, &form).ok_or(Reason::UnknownNumber)?;
    let (account, organization) = in_use(&number)?;
    let own = number.profile();
    let application = own.sms_application.and_then(|sid| directory.application(sid));
    let mut profile = VoiceProfile::clone(own);
    if let Some(application) = application {
        // One that has a `RcmlUrl` alone is asked there.
        profile.sms = application.sms.clone().or(profile.sms).or_else(|| application.voice.clone());
        profile.sms_fallback = application.sms_fallback.clone().or(profile.sms_fallback);
    }
    if profile.sms.is_none() {
        return Err(Reason::NumberWithoutApplication);
    }
    let (dialled, refer_application) = (dialled.number, None);
    let chosen = Chosen { number, account, organization, application, refer_application, dialled, form };
    Ok((chosen, Arc::new(profile)))
}

/// The part of the INVITE that the trunk dials in.
fn dialled_address<'a>(inbound: &Inbound<'a>) -> Address<'a> {
    match inbound.trunk.map(|trunk| &trunk.dialled_from) {
        Some(DialledFrom::To) => inbound.to,
        Some(DialledFrom::Header(_)) => inbound.header.unwrap_or(inbound.request),
        _ => inbound.request,
    }
}

/// Whether an INVITE is an emergency call: from a configured trunk, by number or by service.
#[must_use]
pub fn is_emergency(inbound: &Inbound<'_>) -> bool {
    let dialled = Dialled::read(dialled_address(inbound).user);
    emergency_dialled(inbound, dialled.as_ref()).is_some()
}

/// Emergency comes first, from configured trunks whatever their state.
fn emergency<'d>(
    directory: &'d Directory,
    inbound: &Inbound<'_>,
    dialled: Option<&Dialled>,
) -> Option<Decision<'d>> {
    let (trunk, dialled) = (inbound.trunk?, emergency_dialled(inbound, dialled)?);
    Some(match directory.emergency_gateway(trunk.organization) {
        Some(gateway) => Decision::Emergency { gateway, dialled },
        None => Decision::Refused(Reason::EmergencyWithoutGateway),
    })
}

/// The emergency number or service that is dialled.
fn emergency_dialled(inbound: &Inbound<'_>, dialled: Option<&Dialled>) -> Option<Text> {
    let trunk = inbound.trunk?;
    let listed = |dialled: &&Dialled| {
        trunk.emergency_numbers.iter().any(|number| **number == *dialled.number || **number == *dialled.raw)
    };
    let by_number = dialled.filter(listed).map(|dialled| dialled.number);
    let by_service = || {
        let service = [inbound.request, inbound.to].into_iter().find(Address::is_emergency_service)?;
        Some(Text::new(service.user.strip_prefix(b"service:").unwrap_or(service.user)).unwrap_or(Text::EMPTY))
    };
    by_number.or_else(by_service)
}

/// The organization that is dialled, by index.
fn destination(directory: &Directory, inbound: &Inbound<'_>) -> Option<(u32, Because)> {
    let frame = directory.frame();
    let index = |sid| frame.organizations().index(sid);
    if inbound.trunk.is_none()
        && let Some(organization) = inbound.unknown_organization
    {
        return Some((index(organization)?, Because::UnknownSource));
    }
    let by_host = |host, because| frame.domain(host).map(|organization| (organization, because));
    let bound = inbound.trunk.and_then(|trunk| trunk.organization);
    by_host(inbound.request.host, Because::RequestHost)
        .or_else(|| by_host(inbound.to.host, Because::ToHost))
        .or_else(|| Some((index(bound?)?, Because::Trunk)))
        .or_else(|| Some((frame.default_organization()?, Because::Default)))
}

/// The organization that dials: the one the trunk is bound to; on a shared trunk the From host's.
fn source(directory: &Directory, inbound: &Inbound<'_>) -> Option<u32> {
    let frame = directory.frame();
    match inbound.trunk?.organization {
        Some(organization) => frame.organizations().index(organization),
        None => frame.domain(inbound.from_host),
    }
}

fn look_up<'d>(
    directory: &'d Directory,
    mut forms: Forms<'_>,
    destination: Option<u32>,
    source: Option<u32>,
    observer: &mut impl Observer,
) -> Option<(NumberView<'d>, Text)> {
    for (kind, form) in forms.by_ref() {
        let row = directory.exact(&form, destination, source);
        observer.form(kind, &form, row.is_some());
        if let Some(row) = row {
            return Some((directory.view(row, &form)?, form));
        }
    }
    let forms = forms.so_far();
    match patterns_open(forms.first()?, destination, source) {
        Ok(destination) => by_pattern(directory, forms, destination, observer),
        Err(why) => {
            observer.patterns_closed(why);
            None
        }
    }
}

/// Patterns and `*` are for keys dialled from inside the organization or from a trunk.
fn patterns_open(dialled: &str, destination: Option<u32>, source: Option<u32>) -> Result<u32, &'static str> {
    let destination = destination.ok_or("no organization is dialled")?;
    if source.is_some_and(|source| source != destination) {
        return Err("the caller belongs to another organization");
    }
    let key = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'*' | b'#' | b'+' | b',');
    if dialled.bytes().all(key) { Ok(destination) } else { Err("a name was dialled, not telephone keys") }
}

fn by_pattern<'d>(
    directory: &'d Directory,
    forms: &[Text],
    destination: u32,
    observer: &mut impl Observer,
) -> Option<(NumberView<'d>, Text)> {
    let set = directory.pattern_set(destination)?;
    let mut texts = [""; 4];
    for (text, form) in texts.iter_mut().zip(forms) {
        *text = form;
    }
    let texts = &texts[..forms.len()];
    let found = set.find(texts, |entry, form, hit| observer.pattern(entry, texts[form], hit));
    if let Some((entry, form)) = found {
        return Some((directory.view(entry.row, &entry.pattern.text)?, forms[form]));
    }
    let row = set.catch_all()?;
    observer.catch_all();
    Some((directory.view(row, "*")?, forms[0]))
}

/// Whether the number may be used, and whom it asks.
fn conclude<'d>(directory: &'d Directory, number: NumberView<'d>, dialled: Text, form: Text) -> Decision<'d> {
    let (account, organization) = match in_use(&number) {
        Ok(owners) => owners,
        Err(reason) => return Decision::Refused(reason),
    };
    let own = number.profile();
    let with_voice = |sid| directory.application(sid).filter(|application| application.voice.is_some());
    let named = own.application.and_then(|sid| directory.application(sid));
    let answers = own.voice.is_some() || named.is_some_and(|application| application.voice.is_some());
    let default = || {
        let mut defaults =
            [account.default_application, organization.default_application].into_iter().flatten();
        defaults.find_map(with_voice)
    };
    let application = if answers { named } else { default() };
    if !answers && application.is_none() {
        return Decision::Unasked { number, account };
    }
    let refer_application = own.refer_application.and_then(|sid| directory.application(sid));
    Decision::Application(Chosen {
        number,
        account,
        organization,
        application,
        refer_application,
        dialled,
        form,
    })
}

/// The owners of a number in service, when they are active.
fn in_use<'d>(number: &NumberView<'d>) -> Result<(&'d Arc<Account>, &'d Arc<Organization>), Reason> {
    if !number.in_service() {
        return Err(Reason::NumberNotInService);
    }
    let account = number.account().filter(|account| account.status == Status::Active);
    let account = account.ok_or(Reason::AccountNotActive)?;
    let organization = number.organization().filter(|organization| organization.status == Status::Active);
    Ok((account, organization.ok_or(Reason::OrganizationNotActive)?))
}
