//! The tables that operators see whole: what each row shows. A new column is a word here.

use serde_json::Value;

use super::columns::columns;
use super::gateways::standing;
use super::rows::Resource;
use crate::api::state::Api;
use crate::store::{AccountRow, ApplicationRow, GatewayRow, NumberRow, OrganizationRow, TrunkRow};

impl Resource for TrunkRow {
    const ALL: &'static str = "trunks";
}

columns! { TrunkRow:
    sid = id;
    name, status, organization_sid = organization_id, sources, listener, source_port, request_host, tgrp,
    trunk_context, tls_name, dialled_from, caller_from, country_code, international_prefix, national_prefix,
    number_rules, short_codes, mode, ring_at_once, single_early_dialog, force_rport, nat, trusted,
    emergency_numbers, max_calls, max_calls_per_second, limit_code, webhook_failure_status,
    header_rules, auth_username, auth_password, auth_realm;
    created = created_at, updated = updated_at;
    keeps
}

impl Resource for GatewayRow {
    const ALL: &'static str = "gateways";
    const BESIDE: Option<(&'static str, &'static str)> = Some(("standing", "Standing"));

    fn beside(&self, api: &Api) -> Value {
        standing(self, api)
    }
}

columns! { GatewayRow:
    sid = id;
    name, status, organization_sid = organization_id, host, port, transport, emergency, trusted,
    caller_id_format, own_caller_id, priority, weight, group_name, media, username, password, realm,
    options_interval, header_rules, follow_redirects, forwarded_as;
    draining_since, created = created_at, updated = updated_at;
    keeps
}

columns! { NumberRow:
    sid = id, organization_sid = organization_id, main;
    number, account_sid = account_id, is_sip, state, friendly_name, voice_url, voice_method,
    voice_fallback_url, voice_fallback_method, voice_application_sid = voice_application_id, status_callback,
    status_callback_method, fallback_target, caller_id_name, shared;
    created = created_at, updated = updated_at;
    keeps number, account_sid, is_sip, state
}

impl Resource for OrganizationRow {
    const ALL: &'static str = "organizations";
}

columns! { OrganizationRow:
    sid = id, is_default;
    domain, friendly_name, status, match_mode, base_url, post_query_in_body, skip_media_verbs, registrar,
    default_application_sid = default_application_id;
    created = created_at, updated = updated_at;
    keeps domain
}

impl Resource for AccountRow {
    const ALL: &'static str = "accounts";
}

columns! { AccountRow:
    sid = id, is_default;
    friendly_name, status, organization_sid = organization_id, parent_sid = parent_id, role,
    default_application_sid = default_application_id, gateway_group, dial_domains, dial_prefixes,
    dial_countries, dial_per_minute, allow_additions, max_calls,
    max_calls_per_second, max_numbers, max_patterns, max_requests_per_second, webhook_secret,
    former_webhook_secret;
    created = created_at, updated = updated_at;
    keeps organization_sid, parent_sid, role
}

impl Resource for ApplicationRow {
    const ALL: &'static str = "applications";
}

columns! { ApplicationRow:
    sid = id;
    friendly_name, account_sid = account_id, kind, voice_url, voice_method, voice_fallback_url,
    voice_fallback_method, voice_caller_id_lookup, status_callback, status_callback_method, sms_url, sms_method,
    sms_fallback_url, sms_fallback_method, refer_url, refer_method;
    created = created_at, updated = updated_at;
    keeps account_sid
}
