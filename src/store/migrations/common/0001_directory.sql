-- The tables that people edit. Words in {{…}} are what the two servers spell differently; see migrate.rs.

CREATE TABLE store (
    name        TEXT NOT NULL PRIMARY KEY,
    value       TEXT NOT NULL
);
INSERT INTO store (name, value) VALUES ('id', {{new_id}}), ('writers', 'turn');

CREATE TABLE organizations (
    id          TEXT NOT NULL PRIMARY KEY DEFAULT ({{new_id}})
                CONSTRAINT organizations_id_is_32_hex_digits CHECK (length(id) = 32 AND trim(id, '0123456789abcdef') = ''),
    domain      TEXT NOT NULL
                CONSTRAINT organizations_domain_is_lower_case_without_spaces
                CHECK (domain <> '' AND domain = lower(domain) AND domain NOT LIKE '% %'),
    friendly_name TEXT NOT NULL DEFAULT '',
    status      TEXT NOT NULL DEFAULT 'active'
                CONSTRAINT organizations_status_is_active_suspended_or_closed CHECK (status IN ('active', 'suspended', 'closed')),
    match_mode  TEXT NOT NULL DEFAULT 'full'
                CONSTRAINT organizations_match_mode_is_full_or_search CHECK (match_mode IN ('full', 'search')),
    base_url    TEXT,
    post_query_in_body BOOLEAN NOT NULL DEFAULT FALSE
                CONSTRAINT organizations_post_query_in_body_is_true_or_false CHECK (post_query_in_body IN (TRUE, FALSE)),
    skip_media_verbs BOOLEAN NOT NULL DEFAULT FALSE
                CONSTRAINT organizations_skip_media_verbs_is_true_or_false CHECK (skip_media_verbs IN (TRUE, FALSE)),
    registrar   TEXT CONSTRAINT organizations_registrar_is_a_sip_uri
                CHECK (registrar LIKE 'sip:%' OR registrar LIKE 'sips:%'),
    default_application_id TEXT,
    is_default  BOOLEAN NOT NULL DEFAULT FALSE
                CONSTRAINT organizations_is_default_is_true_or_false CHECK (is_default IN (TRUE, FALSE)),
    created_at  TEXT NOT NULL DEFAULT ({{now}})
                CONSTRAINT organizations_created_at_is_utc CHECK (created_at LIKE '____-__-__T__:__:__%Z'),
    updated_at  TEXT NOT NULL DEFAULT ({{now}})
                CONSTRAINT organizations_updated_at_is_utc CHECK (updated_at LIKE '____-__-__T__:__:__%Z')
);
CREATE UNIQUE INDEX organizations_unique_domain ON organizations (domain);
CREATE UNIQUE INDEX organizations_unique_is_default ON organizations (is_default) WHERE is_default;

CREATE TABLE accounts (
    id          TEXT NOT NULL PRIMARY KEY DEFAULT ({{new_id}})
                CONSTRAINT accounts_id_is_32_hex_digits CHECK (length(id) = 32 AND trim(id, '0123456789abcdef') = ''),
    organization_id TEXT NOT NULL DEFAULT '',
    parent_id   TEXT,
    friendly_name TEXT NOT NULL DEFAULT '',
    status      TEXT NOT NULL DEFAULT 'active'
                CONSTRAINT accounts_status_is_active_suspended_or_closed CHECK (status IN ('active', 'suspended', 'closed')),
    role        TEXT NOT NULL DEFAULT 'developer'
                CONSTRAINT accounts_role_is_super_admin_admin_or_developer CHECK (role IN ('super-admin', 'admin', 'developer')),
    auth_token  TEXT CONSTRAINT accounts_auth_token_is_sealed_by_callgate CHECK (auth_token LIKE 'v1.%'),
    auth_token_hash TEXT,
    webhook_secret TEXT CONSTRAINT accounts_webhook_secret_is_sealed_by_callgate CHECK (webhook_secret LIKE 'v1.%'),
    former_webhook_secret TEXT
                CONSTRAINT accounts_former_webhook_secret_is_sealed_by_callgate CHECK (former_webhook_secret LIKE 'v1.%'),
    default_application_id TEXT,
    max_calls   BIGINT CONSTRAINT accounts_max_calls_is_not_negative CHECK (max_calls >= 0),
    max_calls_per_second BIGINT CONSTRAINT accounts_max_calls_per_second_is_not_negative CHECK (max_calls_per_second >= 0),
    max_numbers BIGINT CONSTRAINT accounts_max_numbers_is_not_negative CHECK (max_numbers >= 0),
    max_patterns BIGINT CONSTRAINT accounts_max_patterns_is_not_negative CHECK (max_patterns >= 0),
    gateway_group TEXT CONSTRAINT accounts_gateway_group_is_not_empty CHECK (gateway_group <> ''),
    dial_domains TEXT NOT NULL DEFAULT '',
    dial_prefixes TEXT NOT NULL DEFAULT ''
                CONSTRAINT accounts_dial_prefixes_are_digits CHECK (trim(dial_prefixes, '+0123456789, ') = ''),
    dial_countries TEXT NOT NULL DEFAULT ''
                CONSTRAINT accounts_dial_countries_are_calling_codes CHECK (trim(dial_countries, '+0123456789, ') = ''),
    dial_per_minute BIGINT CONSTRAINT accounts_dial_per_minute_is_not_negative CHECK (dial_per_minute >= 0),
    max_requests_per_second BIGINT CONSTRAINT accounts_max_requests_per_second_is_not_negative CHECK (max_requests_per_second >= 0),
    allow_additions BOOLEAN NOT NULL DEFAULT FALSE
                CONSTRAINT accounts_allow_additions_is_true_or_false CHECK (allow_additions IN (TRUE, FALSE)),
    is_default  BOOLEAN NOT NULL DEFAULT FALSE
                CONSTRAINT accounts_is_default_is_true_or_false CHECK (is_default IN (TRUE, FALSE)),
    created_at  TEXT NOT NULL DEFAULT ({{now}})
                CONSTRAINT accounts_created_at_is_utc CHECK (created_at LIKE '____-__-__T__:__:__%Z'),
    updated_at  TEXT NOT NULL DEFAULT ({{now}})
                CONSTRAINT accounts_updated_at_is_utc CHECK (updated_at LIKE '____-__-__T__:__:__%Z')
);
CREATE INDEX accounts_organization ON accounts (organization_id);
CREATE INDEX accounts_parent ON accounts (parent_id, created_at, id);
CREATE UNIQUE INDEX accounts_unique_auth_token ON accounts (auth_token_hash);
CREATE UNIQUE INDEX accounts_unique_is_default ON accounts (is_default) WHERE is_default;

CREATE TABLE applications (
    id          TEXT NOT NULL PRIMARY KEY DEFAULT ({{new_id}})
                CONSTRAINT applications_id_is_32_hex_digits CHECK (length(id) = 32 AND trim(id, '0123456789abcdef') = ''),
    account_id  TEXT NOT NULL DEFAULT '',
    friendly_name TEXT NOT NULL DEFAULT '',
    kind        TEXT NOT NULL DEFAULT 'voice'
                CONSTRAINT applications_kind_is_voice_sms_or_ussd CHECK (kind IN ('voice', 'sms', 'ussd')),
    voice_url   TEXT,
    voice_method TEXT NOT NULL DEFAULT 'POST'
                CONSTRAINT applications_voice_method_is_get_or_post CHECK (voice_method IN ('GET', 'POST')),
    voice_fallback_url TEXT,
    voice_fallback_method TEXT NOT NULL DEFAULT 'POST'
                CONSTRAINT applications_voice_fallback_method_is_get_or_post CHECK (voice_fallback_method IN ('GET', 'POST')),
    voice_caller_id_lookup BOOLEAN NOT NULL DEFAULT FALSE
                CONSTRAINT applications_voice_caller_id_lookup_is_true_or_false CHECK (voice_caller_id_lookup IN (TRUE, FALSE)),
    status_callback TEXT,
    status_callback_method TEXT NOT NULL DEFAULT 'POST'
                CONSTRAINT applications_status_callback_method_is_get_or_post CHECK (status_callback_method IN ('GET', 'POST')),
    sms_url     TEXT,
    sms_method  TEXT NOT NULL DEFAULT 'POST'
                CONSTRAINT applications_sms_method_is_get_or_post CHECK (sms_method IN ('GET', 'POST')),
    sms_fallback_url TEXT,
    sms_fallback_method TEXT NOT NULL DEFAULT 'POST'
                CONSTRAINT applications_sms_fallback_method_is_get_or_post CHECK (sms_fallback_method IN ('GET', 'POST')),
    refer_url   TEXT,
    refer_method TEXT NOT NULL DEFAULT 'POST'
                CONSTRAINT applications_refer_method_is_get_or_post CHECK (refer_method IN ('GET', 'POST')),
    created_at  TEXT NOT NULL DEFAULT ({{now}})
                CONSTRAINT applications_created_at_is_utc CHECK (created_at LIKE '____-__-__T__:__:__%Z'),
    updated_at  TEXT NOT NULL DEFAULT ({{now}})
                CONSTRAINT applications_updated_at_is_utc CHECK (updated_at LIKE '____-__-__T__:__:__%Z')
);
CREATE INDEX applications_account ON applications (account_id);

CREATE TABLE numbers (
    id          TEXT NOT NULL PRIMARY KEY DEFAULT ({{new_id}})
                CONSTRAINT numbers_id_is_32_hex_digits CHECK (length(id) = 32 AND trim(id, '0123456789abcdef') = ''),
    account_id  TEXT NOT NULL DEFAULT '',
    organization_id TEXT NOT NULL DEFAULT '',
    number      TEXT {{bytes}} NOT NULL
                CONSTRAINT numbers_number_is_not_empty_and_has_no_space CHECK (number <> '' AND number NOT LIKE '% %'),
    is_sip      BOOLEAN NOT NULL DEFAULT FALSE
                CONSTRAINT numbers_is_sip_is_true_or_false CHECK (is_sip IN (TRUE, FALSE)),
    state       TEXT NOT NULL DEFAULT 'in_service'
                CONSTRAINT numbers_state_is_one_of_the_known CHECK (state IN ('discovery', 'available', 'reserved', 'in_service',
                'port_in', 'port_out', 'released', 'aging', 'disconnected', 'deleted')),
    friendly_name TEXT {{bytes}},
    voice_url   TEXT,
    voice_method TEXT NOT NULL DEFAULT 'POST'
                CONSTRAINT numbers_voice_method_is_get_or_post CHECK (voice_method IN ('GET', 'POST')),
    voice_fallback_url TEXT,
    voice_fallback_method TEXT NOT NULL DEFAULT 'POST'
                CONSTRAINT numbers_voice_fallback_method_is_get_or_post CHECK (voice_fallback_method IN ('GET', 'POST')),
    voice_application_id TEXT,
    voice_caller_id_lookup BOOLEAN NOT NULL DEFAULT FALSE
                CONSTRAINT numbers_voice_caller_id_lookup_is_true_or_false CHECK (voice_caller_id_lookup IN (TRUE, FALSE)),
    status_callback TEXT,
    status_callback_method TEXT NOT NULL DEFAULT 'POST'
                CONSTRAINT numbers_status_callback_method_is_get_or_post CHECK (status_callback_method IN ('GET', 'POST')),
    fallback_target TEXT CONSTRAINT numbers_fallback_target_is_a_sip_uri
                CHECK (fallback_target LIKE 'sip:%' OR fallback_target LIKE 'sips:%'),
    sms_url     TEXT,
    sms_method  TEXT NOT NULL DEFAULT 'POST'
                CONSTRAINT numbers_sms_method_is_get_or_post CHECK (sms_method IN ('GET', 'POST')),
    sms_fallback_url TEXT,
    sms_fallback_method TEXT NOT NULL DEFAULT 'POST'
                CONSTRAINT numbers_sms_fallback_method_is_get_or_post CHECK (sms_fallback_method IN ('GET', 'POST')),
    sms_application_id TEXT,
    refer_url   TEXT,
    refer_method TEXT NOT NULL DEFAULT 'POST'
                CONSTRAINT numbers_refer_method_is_get_or_post CHECK (refer_method IN ('GET', 'POST')),
    refer_application_id TEXT,
    ussd_url    TEXT,
    ussd_method TEXT NOT NULL DEFAULT 'POST'
                CONSTRAINT numbers_ussd_method_is_get_or_post CHECK (ussd_method IN ('GET', 'POST')),
    ussd_fallback_url TEXT,
    ussd_fallback_method TEXT NOT NULL DEFAULT 'POST'
                CONSTRAINT numbers_ussd_fallback_method_is_get_or_post CHECK (ussd_fallback_method IN ('GET', 'POST')),
    ussd_application_id TEXT,
    voice_capable BOOLEAN NOT NULL DEFAULT TRUE
                CONSTRAINT numbers_voice_capable_is_true_or_false CHECK (voice_capable IN (TRUE, FALSE)),
    sms_capable BOOLEAN NOT NULL DEFAULT TRUE
                CONSTRAINT numbers_sms_capable_is_true_or_false CHECK (sms_capable IN (TRUE, FALSE)),
    mms_capable BOOLEAN NOT NULL DEFAULT FALSE
                CONSTRAINT numbers_mms_capable_is_true_or_false CHECK (mms_capable IN (TRUE, FALSE)),
    fax_capable BOOLEAN NOT NULL DEFAULT FALSE
                CONSTRAINT numbers_fax_capable_is_true_or_false CHECK (fax_capable IN (TRUE, FALSE)),
    caller_id_name TEXT {{bytes}},
    main        BOOLEAN NOT NULL DEFAULT FALSE
                CONSTRAINT numbers_main_is_true_or_false CHECK (main IN (TRUE, FALSE)),
    shared      BOOLEAN NOT NULL DEFAULT FALSE
                CONSTRAINT numbers_shared_is_true_or_false CHECK (shared IN (TRUE, FALSE)),
    -- What Kazoo says of a number.
    used_by     TEXT,
    previous_account_id TEXT,
    reserve_history TEXT NOT NULL DEFAULT ''
                CONSTRAINT numbers_reserve_history_is_ids_parted_by_spaces
                CHECK (trim(reserve_history, '0123456789abcdef ') = ''),
    ported_in   BOOLEAN NOT NULL DEFAULT FALSE
                CONSTRAINT numbers_ported_in_is_true_or_false CHECK (ported_in IN (TRUE, FALSE)),
    fields      TEXT NOT NULL DEFAULT '{}'
                CONSTRAINT numbers_fields_is_a_json_object CHECK (fields LIKE '{%}'),
    caller_name_prefix TEXT,
    carrier     TEXT CONSTRAINT numbers_carrier_is_a_name
                CHECK (carrier <> '' AND trim(carrier, 'abcdefghijklmnopqrstuvwxyz0123456789_-') = ''),
    created_at  TEXT NOT NULL DEFAULT ({{now}})
                CONSTRAINT numbers_created_at_is_utc CHECK (created_at LIKE '____-__-__T__:__:__%Z'),
    updated_at  TEXT NOT NULL DEFAULT ({{now}})
                CONSTRAINT numbers_updated_at_is_utc CHECK (updated_at LIKE '____-__-__T__:__:__%Z'),
    -- Where the text must be unique: '*' is the system; SIP numbers and patterns (any of * # ^ | . $ \ [ ] ( ) { } ?,
    -- or a + that is not first; never scheme:address) live in their organization.
    scope       TEXT {{bytes}} GENERATED ALWAYS AS (CASE
                WHEN is_sip THEN organization_id
                WHEN trim(substr(number, 1, 1), 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ') = ''
                     AND ltrim(number, 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.') LIKE ':%' THEN '*'
                WHEN trim(substr(number, 1, 1), '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!"%&'',-/:;<=>@_`~+') = ''
                     AND trim(substr(number, 2), '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ!"%&'',-/:;<=>@_`~') = '' THEN '*'
                ELSE organization_id END) STORED,
    -- What the text is: 'address' (scheme:address), 'digits' (with or without +), 'pattern', or 'name' for what is left.
    shape       TEXT GENERATED ALWAYS AS (CASE
                WHEN trim(substr(number, 1, 1), 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ') = ''
                     AND ltrim(number, 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.') LIKE ':%' THEN 'address'
                WHEN trim(substr(number, 1, 1), '0123456789+') = '' AND trim(substr(number, 2), '0123456789') = ''
                     AND number <> '+' THEN 'digits'
                WHEN trim(substr(number, 1, 1), '*#^|.$\[](){}?') = '' OR
                     replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(replace(substr(number, 2),
                     '*', ''), '#', ''), '^', ''), '|', ''), '.', ''), '$', ''), '\', ''), '[', ''), ']', ''), '(', ''), ')', ''), '{', ''), '}', ''), '?', ''), '+', '')
                     <> substr(number, 2) THEN 'pattern'
                ELSE 'name' END) STORED,
    -- What people call it: the digits of a number that has no name.
    called      TEXT {{bytes}} GENERATED ALWAYS AS (coalesce(friendly_name, CASE
                WHEN number LIKE '+%' AND trim(substr(number, 2), '0123456789') = '' THEN substr(number, 2)
                ELSE number END)) STORED,
    CONSTRAINT numbers_main_is_shared CHECK (shared OR NOT main)
);
CREATE UNIQUE INDEX numbers_unique_number ON numbers (number, scope);
-- Lists of one account: in the order of its numbers with all that narrows them, by name, by caller id name. Each is
-- walked without a look at the rows.
CREATE INDEX numbers_account ON numbers (account_id, number, scope, state, shape, main, shared, caller_id_name);
CREATE INDEX numbers_account_called ON numbers (account_id, called, number, scope, state);
CREATE INDEX numbers_account_caller ON numbers (account_id, caller_id_name, number, scope, state, shape)
    WHERE caller_id_name IS NOT NULL;
CREATE UNIQUE INDEX numbers_unique_main ON numbers (account_id) WHERE main;
CREATE INDEX numbers_organization ON numbers (organization_id);
CREATE INDEX numbers_voice_application ON numbers (voice_application_id);

CREATE TABLE trunks (
    id          TEXT NOT NULL PRIMARY KEY DEFAULT ({{new_id}})
                CONSTRAINT trunks_id_is_32_hex_digits CHECK (length(id) = 32 AND trim(id, '0123456789abcdef') = ''),
    name        TEXT NOT NULL CONSTRAINT trunks_name_is_not_empty CHECK (name <> ''),
    status      TEXT NOT NULL DEFAULT 'active'
                CONSTRAINT trunks_status_is_active_suspended_or_closed CHECK (status IN ('active', 'suspended', 'closed')),
    organization_id TEXT,
    sources     TEXT NOT NULL DEFAULT '',
    listener    TEXT,
    source_port BIGINT CONSTRAINT trunks_source_port_is_a_port CHECK (source_port BETWEEN 1 AND 65535),
    request_host TEXT,
    tgrp        TEXT,
    trunk_context TEXT,
    tls_name    TEXT CONSTRAINT trunks_tls_name_is_not_empty CHECK (tls_name <> ''),
    dialled_from TEXT NOT NULL DEFAULT 'request-uri'
                CONSTRAINT trunks_dialled_from_is_request_uri_to_or_header
                CHECK (dialled_from IN ('request-uri', 'to') OR dialled_from LIKE 'header:_%'),
    caller_from TEXT NOT NULL DEFAULT 'from'
                CONSTRAINT trunks_caller_from_is_from_p_asserted_identity_or_remote_party_id
                CHECK (caller_from IN ('from', 'p-asserted-identity', 'remote-party-id')),
    country_code TEXT NOT NULL DEFAULT '1'
                CONSTRAINT trunks_country_code_is_digits CHECK (country_code <> '' AND trim(country_code, '0123456789') = ''),
    international_prefix TEXT NOT NULL DEFAULT '011',
    national_prefix TEXT NOT NULL DEFAULT '1',
    number_rules TEXT NOT NULL DEFAULT '[]',
    short_codes TEXT NOT NULL DEFAULT '',
    mode        TEXT NOT NULL DEFAULT 'call'
                CONSTRAINT trunks_mode_is_call_or_redirect CHECK (mode IN ('call', 'redirect')),
    ring_at_once BOOLEAN NOT NULL DEFAULT TRUE
                CONSTRAINT trunks_ring_at_once_is_true_or_false CHECK (ring_at_once IN (TRUE, FALSE)),
    single_early_dialog BOOLEAN NOT NULL DEFAULT FALSE
                CONSTRAINT trunks_single_early_dialog_is_true_or_false CHECK (single_early_dialog IN (TRUE, FALSE)),
    force_rport BOOLEAN NOT NULL DEFAULT FALSE
                CONSTRAINT trunks_force_rport_is_true_or_false CHECK (force_rport IN (TRUE, FALSE)),
    nat         TEXT NOT NULL DEFAULT 'auto'
                CONSTRAINT trunks_nat_is_auto_on_or_off CHECK (nat IN ('auto', 'on', 'off')),
    trusted     BOOLEAN NOT NULL DEFAULT FALSE
                CONSTRAINT trunks_trusted_is_true_or_false CHECK (trusted IN (TRUE, FALSE)),
    emergency_numbers TEXT NOT NULL DEFAULT '',
    max_calls   BIGINT CONSTRAINT trunks_max_calls_is_not_negative CHECK (max_calls >= 0),
    max_calls_per_second BIGINT CONSTRAINT trunks_max_calls_per_second_is_not_negative CHECK (max_calls_per_second >= 0),
    limit_code  BIGINT NOT NULL DEFAULT 486
                CONSTRAINT trunks_limit_code_is_a_final_failure CHECK (limit_code BETWEEN 400 AND 699),
    webhook_failure_status BIGINT
                CONSTRAINT trunks_webhook_failure_status_is_a_final_failure CHECK (webhook_failure_status BETWEEN 400 AND 699),
    header_rules TEXT NOT NULL DEFAULT '[]'
                CONSTRAINT trunks_header_rules_is_a_json_list CHECK (header_rules LIKE '[%]'),
    auth_username TEXT CONSTRAINT trunks_auth_username_is_not_empty CHECK (auth_username <> ''),
    auth_password TEXT CONSTRAINT trunks_auth_password_is_sealed_by_callgate CHECK (auth_password LIKE 'v1.%'),
    auth_realm  TEXT NOT NULL DEFAULT 'callgate' CONSTRAINT trunks_auth_realm_is_not_empty CHECK (auth_realm <> ''),
    created_at  TEXT NOT NULL DEFAULT ({{now}})
                CONSTRAINT trunks_created_at_is_utc CHECK (created_at LIKE '____-__-__T__:__:__%Z'),
    updated_at  TEXT NOT NULL DEFAULT ({{now}})
                CONSTRAINT trunks_updated_at_is_utc CHECK (updated_at LIKE '____-__-__T__:__:__%Z')
);
CREATE UNIQUE INDEX trunks_unique_name ON trunks (name);

CREATE TABLE gateways (
    id          TEXT NOT NULL PRIMARY KEY DEFAULT ({{new_id}})
                CONSTRAINT gateways_id_is_32_hex_digits CHECK (length(id) = 32 AND trim(id, '0123456789abcdef') = ''),
    name        TEXT NOT NULL CONSTRAINT gateways_name_is_not_empty CHECK (name <> ''),
    status      TEXT NOT NULL DEFAULT 'active'
                CONSTRAINT gateways_status_is_active_suspended_or_closed CHECK (status IN ('active', 'suspended', 'closed')),
    organization_id TEXT,
    host        TEXT NOT NULL CONSTRAINT gateways_host_is_not_empty CHECK (host <> ''),
    port        BIGINT CONSTRAINT gateways_port_is_a_port CHECK (port BETWEEN 1 AND 65535),
    transport   TEXT CONSTRAINT gateways_transport_is_udp_tcp_or_tls CHECK (transport IN ('udp', 'tcp', 'tls')),
    emergency   BOOLEAN NOT NULL DEFAULT FALSE
                CONSTRAINT gateways_emergency_is_true_or_false CHECK (emergency IN (TRUE, FALSE)),
    trusted     BOOLEAN NOT NULL DEFAULT FALSE
                CONSTRAINT gateways_trusted_is_true_or_false CHECK (trusted IN (TRUE, FALSE)),
    caller_id_format TEXT NOT NULL DEFAULT '+e164'
                CONSTRAINT gateways_caller_id_format_is_plus_e164_e164_or_national
                CHECK (caller_id_format IN ('+e164', 'e164', 'national')),
    own_caller_id BOOLEAN NOT NULL DEFAULT FALSE
                CONSTRAINT gateways_own_caller_id_is_true_or_false CHECK (own_caller_id IN (TRUE, FALSE)),
    priority    BIGINT NOT NULL DEFAULT 10
                CONSTRAINT gateways_priority_is_0_to_65535 CHECK (priority BETWEEN 0 AND 65535),
    weight      BIGINT NOT NULL DEFAULT 10
                CONSTRAINT gateways_weight_is_0_to_65535 CHECK (weight BETWEEN 0 AND 65535),
    group_name  TEXT NOT NULL DEFAULT 'default' CONSTRAINT gateways_group_name_is_not_empty CHECK (group_name <> ''),
    media       BOOLEAN NOT NULL DEFAULT FALSE
                CONSTRAINT gateways_media_is_true_or_false CHECK (media IN (TRUE, FALSE)),
    username    TEXT CONSTRAINT gateways_username_is_not_empty CHECK (username <> ''),
    password    TEXT CONSTRAINT gateways_password_is_sealed_by_callgate CHECK (password LIKE 'v1.%'),
    realm       TEXT CONSTRAINT gateways_realm_is_not_empty CHECK (realm <> ''),
    header_rules TEXT NOT NULL DEFAULT '[]'
                CONSTRAINT gateways_header_rules_is_a_json_list CHECK (header_rules LIKE '[%]'),
    follow_redirects TEXT NOT NULL DEFAULT 'no'
                CONSTRAINT gateways_follow_redirects_is_no_known_or_any CHECK (follow_redirects IN ('no', 'known', 'any')),
    forwarded_as TEXT NOT NULL DEFAULT 'none'
                CONSTRAINT gateways_forwarded_as_is_none_diversion_or_history_info
                CHECK (forwarded_as IN ('none', 'diversion', 'history-info')),
    options_interval BIGINT
                CONSTRAINT gateways_options_interval_is_0_to_3600 CHECK (options_interval BETWEEN 0 AND 3600),
    draining_since TEXT
                CONSTRAINT gateways_draining_since_is_utc CHECK (draining_since LIKE '____-__-__T__:__:__%Z'),
    created_at  TEXT NOT NULL DEFAULT ({{now}})
                CONSTRAINT gateways_created_at_is_utc CHECK (created_at LIKE '____-__-__T__:__:__%Z'),
    updated_at  TEXT NOT NULL DEFAULT ({{now}})
                CONSTRAINT gateways_updated_at_is_utc CHECK (updated_at LIKE '____-__-__T__:__:__%Z')
);
CREATE UNIQUE INDEX gateways_unique_name ON gateways (name);

-- Who changed what through callgate; before and after as JSON without secrets.
CREATE TABLE audit (
    id          TEXT NOT NULL PRIMARY KEY DEFAULT ({{new_id}}),
    at          TEXT NOT NULL DEFAULT ({{now}}),
    actor       TEXT NOT NULL,
    action      TEXT NOT NULL,
    subject     TEXT NOT NULL,
    subject_id  TEXT NOT NULL,
    generation  BIGINT NOT NULL,
    before      TEXT,
    after       TEXT
);
CREATE INDEX audit_subject ON audit (subject_id, at);
CREATE INDEX audit_generation ON audit (generation);
