//! The tables that operators see whole: what each row shows. A new column is a word here.

use crate::store::{GatewayRow, NumberRow, TrunkRow};

use super::columns::columns;
use super::rows::Resource;

impl Resource for TrunkRow {
    const ALL: &'static str = "trunks";
}

columns! { TrunkRow:
    sid = id;
    name, status, organization_sid = organization_id, sources, listener, source_port, request_host, tgrp,
    trunk_context, tls_name, dialled_from, caller_from, country_code, international_prefix, national_prefix,
    number_rules, short_codes, mode, ring_at_once, single_early_dialog, force_rport, nat, trusted,
    emergency_numbers, max_calls, max_calls_per_second, limit_code, webhook_failure_status,
    header_rules;
    created = created_at, updated = updated_at
}

impl Resource for GatewayRow {
    const ALL: &'static str = "gateways";
}

columns! { GatewayRow:
    sid = id;
    name, status, organization_sid = organization_id, host, port, transport, emergency, trusted,
    caller_id_format, own_caller_id, priority, weight, group_name, media, username, password, realm,
    options_interval, header_rules, follow_redirects, forwarded_as;
    created = created_at, updated = updated_at
}

columns! { NumberRow:
    sid = id, organization_sid = organization_id, main;
    number, account_sid = account_id, is_sip, state, friendly_name, voice_url, voice_method,
    voice_fallback_url, voice_fallback_method, voice_application_sid = voice_application_id, status_callback,
    status_callback_method, fallback_target, caller_id_name, shared;
    created = created_at, updated = updated_at
}
