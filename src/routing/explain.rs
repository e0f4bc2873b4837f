//! Why a call goes where it goes: the decision again, every step written down.
use std::fmt;

use super::Directory;
use super::decide::{Because, Chosen, Decision, Inbound, Observer, decide_message_seen, decide_seen};
use super::dialled::Dialled;
use super::forms::FormKind;
use super::model::Hook;
use super::patterns::Entry;
use super::text::Text;
use crate::ids::{AccountSid, ApplicationSid, GatewaySid, NumberSid, OrganizationSid, TrunkSid};
use crate::reason::Reason;

/// Every step of one decision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explanation {
    /// The generation that decided.
    pub generation: u64,
    /// The trunk, by sid and name.
    pub trunk: Option<(TrunkSid, String)>,
    /// What was dialled, decoded.
    pub written: String,
    /// The number after separators were removed and the trunk's rules applied.
    pub number: String,
    /// Whether a rule changed it.
    pub rewritten: bool,
    /// The organization dialled, its domain, and why it.
    pub organization: Option<(OrganizationSid, String, &'static str)>,
    /// The organization that dials, and its domain.
    pub source_organization: Option<(OrganizationSid, String)>,
    /// The forms, in the order tried.
    pub forms: Vec<TriedForm>,
    /// Why patterns were not tried, where they were not.
    pub patterns_closed: Option<&'static str>,
    /// How many patterns the organization has.
    pub pattern_count: usize,
    /// The patterns that came into question, in the order tried.
    pub patterns: Vec<TriedPattern>,
    /// Whether the catch-all answered.
    pub catch_all: bool,
    /// Who won.
    pub outcome: Outcome,
}

/// One form that was looked up exactly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriedForm {
    /// How it came about.
    pub kind: &'static str,
    /// It.
    pub text: String,
    /// Whether a row was found.
    pub hit: bool,
}

/// One pattern that was tried against one form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriedPattern {
    /// The row's text.
    pub text: String,
    /// The form.
    pub form: String,
    /// Whether it matched.
    pub hit: bool,
}

/// How a decision ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// An application is asked.
    Number {
        /// The row.
        number: NumberSid,
        /// Its text.
        text: String,
        /// Its owner.
        account: AccountSid,
        /// The application whose URLs come first.
        application: Option<ApplicationSid>,
        /// The URL asked first.
        url: String,
    },
    /// An emergency call.
    Emergency {
        /// Where it goes.
        gateway: GatewaySid,
        /// Its name.
        name: String,
    },
    /// Refused.
    Refused(Reason),
}

impl Default for Outcome {
    fn default() -> Self {
        Self::Refused(Reason::UnknownNumber)
    }
}

/// Decides, and tells how.
#[must_use]
pub fn explain(directory: &Directory, inbound: &Inbound<'_>) -> Explanation {
    let mut teller = Teller::new(directory, inbound);
    let decision = decide_seen(directory, inbound, &mut teller);
    teller.told.outcome = match decision {
        Decision::Application(chosen) => Outcome::number(&chosen, chosen.profile().voice.as_ref()),
        Decision::Emergency { gateway, .. } => {
            Outcome::Emergency { gateway: gateway.sid, name: gateway.name.to_string() }
        }
        Decision::Unasked { .. } => Outcome::Refused(Reason::NumberWithoutApplication),
        Decision::Refused(reason) => Outcome::Refused(reason),
    };
    teller.told
}

/// Decides about a MESSAGE outside calls, and tells how.
#[must_use]
pub fn explain_message(directory: &Directory, inbound: &Inbound<'_>) -> Explanation {
    let mut teller = Teller::new(directory, inbound);
    let decision = decide_message_seen(directory, inbound, &mut teller);
    teller.told.outcome = match decision {
        Ok((chosen, profile)) => Outcome::number(&chosen, profile.sms.as_ref()),
        Err(reason) => Outcome::Refused(reason),
    };
    teller.told
}

impl Outcome {
    fn number(chosen: &Chosen<'_>, first: Option<&Hook>) -> Self {
        Self::Number {
            number: chosen.number.sid(),
            text: chosen.number.text().to_owned(),
            account: chosen.account.sid,
            application: chosen.application.map(|application| application.sid),
            url: first.map(|hook| hook.url.to_string()).unwrap_or_default(),
        }
    }
}

/// Writes the steps down.
struct Teller<'d> {
    directory: &'d Directory,
    told: Explanation,
}

impl<'d> Teller<'d> {
    fn new(directory: &'d Directory, inbound: &Inbound<'_>) -> Self {
        let trunk = inbound.trunk.map(|trunk| (trunk.sid, trunk.name.to_string()));
        let told = Explanation { generation: directory.generation(), trunk, ..Explanation::default() };
        Self { directory, told }
    }

    fn organization(&self, index: u32) -> Option<(OrganizationSid, String)> {
        let organization = self.directory.frame().organizations().get(index)?;
        Some((organization.sid, organization.domain.to_string()))
    }
}

impl Observer for Teller<'_> {
    fn dialled(&mut self, dialled: &Dialled) {
        self.told.written = dialled.raw.to_string();
        self.told.number = dialled.number.to_string();
        self.told.rewritten = dialled.rewritten;
    }

    fn organizations(&mut self, destination: Option<(u32, Because)>, source: Option<u32>) {
        self.told.organization = destination.and_then(|(index, because)| {
            let (sid, domain) = self.organization(index)?;
            Some((sid, domain, because.as_str()))
        });
        self.told.source_organization = source.and_then(|index| self.organization(index));
        let set = destination.and_then(|(index, _)| self.directory.pattern_set(index));
        self.told.pattern_count = set.map_or(0, |set| set.ranked().len());
    }

    fn form(&mut self, kind: FormKind, form: &Text, hit: bool) {
        self.told.forms.push(TriedForm { kind: kind.as_str(), text: form.to_string(), hit });
    }

    fn pattern(&mut self, entry: &Entry, form: &str, hit: bool) {
        let text = entry.pattern.text.to_string();
        self.told.patterns.push(TriedPattern { text, form: form.to_owned(), hit });
    }

    fn patterns_closed(&mut self, why: &'static str) {
        self.told.patterns_closed = Some(why);
    }

    fn catch_all(&mut self) {
        self.told.catch_all = true;
    }
}

impl Because {
    /// In words.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequestHost => "the Request-URI's host",
            Self::ToHost => "the To header's host",
            Self::Trunk => "the trunk is bound to it",
            Self::Default => "the default organization",
            Self::UnknownSource => "where unknown sources belong",
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "generation    {}", self.generation)?;
        match &self.trunk {
            Some((sid, name)) => writeln!(f, "trunk         {name} ({sid})")?,
            None => writeln!(f, "trunk         none")?,
        }
        let rules = if self.rewritten { ", by the trunk's rules" } else { "" };
        writeln!(f, "dialled       {} -> {}{rules}", self.written, self.number)?;
        match &self.organization {
            Some((sid, domain, because)) => writeln!(f, "organization  {domain} ({sid}): {because}")?,
            None => writeln!(f, "organization  none")?,
        }
        if let Some((sid, domain)) = &self.source_organization {
            writeln!(f, "from          {domain} ({sid})")?;
        }
        for TriedForm { kind, text, hit } in &self.forms {
            writeln!(f, "form          {text} ({kind}): {}", if *hit { "found" } else { "no row" })?;
        }
        if let Some(why) = self.patterns_closed {
            writeln!(f, "patterns      not tried: {why}")?;
        } else if !self.forms.iter().any(|form| form.hit) {
            writeln!(
                f,
                "patterns      {} of {} came into question",
                self.patterns.len(),
                self.pattern_count
            )?;
        }
        for TriedPattern { text, form, hit } in &self.patterns {
            writeln!(f, "pattern       {text} on {form}: {}", if *hit { "matches" } else { "no" })?;
        }
        if self.catch_all {
            writeln!(f, "catch-all     * answers")?;
        }
        write!(f, "{}", self.outcome)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number { number, text, account, application, url } => {
                write!(f, "=> {text} ({number}) of {account}")?;
                if let Some(application) = application {
                    write!(f, ", application {application}")?;
                }
                write!(f, ": {url}")
            }
            Self::Emergency { gateway, name } => write!(f, "=> emergency, gateway {name} ({gateway})"),
            Self::Refused(reason) => write!(f, "=> {} {reason}: {}", reason.status(), reason.sentence()),
        }
    }
}
