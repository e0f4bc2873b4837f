//! Writing and reading rows; what the database itself refuses.

use callgate::routing::model::{Method, Prefix};
use callgate::store::{
    AccountRow, ApplicationRow, GatewayRow, NumberFilter, NumberRow, OrganizationRow, Page, Store,
    StoreConfig, StoreError, TrunkRow, new_token,
};

use crate::World;

crate::on_both_servers!(
    migrations_run_twice,
    a_number_is_created_read_changed_and_deleted,
    every_table_keeps_what_it_is_given,
    lists_filter_and_page,
    a_number_by_hand_has_its_defaults,
    the_database_refuses_bad_rows_by_name,
    what_could_never_be_dialled_is_told_of,
    provider_numbers_are_unique_and_patterns_per_organization,
    references_hold,
    tokens_are_sealed_looked_up_and_rotated,
);

async fn migrations_run_twice(world: World) {
    assert!(world.store.due().await.unwrap().is_empty());
    assert!(world.store.migrate().await.unwrap().is_empty());
    let again = Store::open(StoreConfig::new(world.url.clone(), world.folder.0.join("key"))).unwrap();
    assert!(again.migrate().await.unwrap().is_empty());
    assert!(again.default_account().await.unwrap().is_some());
}

pub async fn a_number_is_created_read_changed_and_deleted(world: World) {
    let store = &world.store;
    let mut row = NumberRow::new(world.account.id, world.organization.id, "+16508251255");
    row.voice_url = Some("https://app.example/voice?a=1".to_owned());
    row.voice_method = Method::Get;
    let created = store.create("tester", row.clone()).await.unwrap();
    assert_ne!(created.row.id.0, 0);
    assert_eq!(created.generation, store.generation().await.unwrap());
    let read = store.read::<NumberRow>(created.row.id).await.unwrap().unwrap();
    assert_eq!(read, created.row);
    assert_eq!(read.voice_method, Method::Get);

    let again = store.create("tester", row).await.unwrap_err();
    assert!(
        matches!(&again, StoreError::Duplicate { table, field } if table == "numbers" && field == "number"),
        "{again:?}"
    );

    let changed = store
        .modify::<NumberRow>("tester", read.id, |row| row.voice_url = Some("/relative".into()))
        .await
        .unwrap();
    assert!(changed.generation > created.generation);
    assert_eq!(changed.row.voice_url.as_deref(), Some("/relative"));
    assert!(changed.row.updated_at >= created.row.updated_at);

    let gone = store.delete::<NumberRow>("tester", read.id).await.unwrap();
    assert!(gone > changed.generation);
    assert_eq!(store.read::<NumberRow>(read.id).await.unwrap(), None);
    let missing = store.delete::<NumberRow>("tester", read.id).await.unwrap_err();
    assert!(matches!(missing, StoreError::NotFound { table: "numbers", .. }));
    let audit =
        world.by_hand("SELECT action FROM audit WHERE subject = 'numbers' ORDER BY generation").unwrap();
    assert_eq!(audit, "create\nupdate\ndelete");
}

pub async fn every_table_keeps_what_it_is_given(world: World) {
    let store = &world.store;
    let organization =
        OrganizationRow { registrar: Some("sip:reg.example".into()), ..OrganizationRow::new("b.example") };
    let organization = store.create("t", organization).await.unwrap().row;
    assert_eq!(store.read::<OrganizationRow>(organization.id).await.unwrap(), Some(organization.clone()));
    let account = AccountRow { max_calls: Some(7), ..AccountRow::new(organization.id, "B") };
    let account = store.create("t", account).await.unwrap().row;
    assert_eq!(store.read::<AccountRow>(account.id).await.unwrap(), Some(account.clone()));
    let application =
        ApplicationRow { voice_url: Some("/v".into()), ..ApplicationRow::new(account.id, "App") };
    let application = store.create("t", application).await.unwrap().row;
    assert_eq!(store.read::<ApplicationRow>(application.id).await.unwrap(), Some(application));
    let mut number = NumberRow::new(account.id, organization.id, "+16508251255");
    number.used_by = Some("callflow".into());
    number.previous_account_id = Some(world.account.id);
    number.reserve_history = vec![account.id, world.account.id];
    number.fields.insert("my_field".into(), serde_json::json!({ "deep": [1, null] }));
    number.caller_name_prefix = Some("Sales".into());
    number.carrier = Some("harbour".into());
    number.shared = true;
    let number = store.create("t", number).await.unwrap().row;
    assert_eq!(number.reserve_history.len(), 2);
    assert_eq!(store.read::<NumberRow>(number.id).await.unwrap(), Some(number));
    let prefix = Prefix { address: "192.0.2.0".parse().unwrap(), length: 24 };
    let trunk = TrunkRow { emergency_numbers: vec!["911".into()], ..TrunkRow::new("carrier", vec![prefix]) };
    let trunk = store.create("t", trunk).await.unwrap().row;
    assert_eq!(store.read::<TrunkRow>(trunk.id).await.unwrap(), Some(trunk));
    let gateway = GatewayRow { port: Some(5080), ..GatewayRow::new("out", "gw.example") };
    let gateway = store.create("t", gateway).await.unwrap().row;
    assert_eq!(store.read::<GatewayRow>(gateway.id).await.unwrap(), Some(gateway));
    assert_eq!(store.list::<TrunkRow>(Page::first(10)).await.unwrap().total, 1);
    assert_eq!(store.organization_of("B.example").await.unwrap().unwrap().id, organization.id);
    assert_eq!(store.accounts_under(account.id, Page::first(9)).await.unwrap().rows.len(), 1);
}

pub async fn lists_filter_and_page(world: World) {
    for last in 0..5 {
        let row = NumberRow::new(world.account.id, world.organization.id, format!("+1650555000{last}"));
        world.store.create("t", row).await.unwrap();
    }
    let all = world.store.numbers(&NumberFilter::default(), Page { offset: 1, limit: 2 }).await.unwrap();
    assert_eq!((all.total, all.rows.len()), (5, 2));
    assert_eq!(all.rows[0].number, "+16505550001");
    let part = NumberFilter {
        number_part: Some("*0003".into()),
        account: Some(world.account.id),
        ..NumberFilter::default()
    };
    let found = world.store.numbers(&part, Page::first(9)).await.unwrap();
    assert_eq!((found.total, found.rows[0].number.as_str()), (1, "+16505550003"));
    let none = NumberFilter { number_part: Some("5%5".into()), ..NumberFilter::default() };
    assert_eq!(world.store.numbers(&none, Page::first(9)).await.unwrap().total, 0);
}

pub async fn a_number_by_hand_has_its_defaults(world: World) {
    world
        .by_hand("INSERT INTO numbers(number, voice_url) VALUES ('+16505551212', 'https://app.example/v')")
        .unwrap();
    let row = world.store.numbers(&NumberFilter::default(), Page::first(1)).await.unwrap().rows.remove(0);
    assert_ne!(row.id.0, 0);
    assert_eq!((row.account_id, row.organization_id), (world.account.id, world.organization.id));
    let age = jiff::Timestamp::now().as_second() - row.created_at.as_second();
    assert!((0..60).contains(&age), "created {age} s ago");
    world
        .by_hand("UPDATE numbers SET voice_url = 'https://other.example' WHERE number = '+16505551212'")
        .unwrap();
    let changed = world.store.read::<NumberRow>(row.id).await.unwrap().unwrap();
    assert!(changed.updated_at > row.updated_at, "{changed:?}");
    assert_eq!(changed.voice_url.as_deref(), Some("https://other.example"));
}

async fn the_database_refuses_bad_rows_by_name(world: World) {
    let cases = [
        (
            "INSERT INTO numbers(number, voice_method) VALUES ('1', 'PUT')",
            "numbers_voice_method_is_get_or_post",
        ),
        ("INSERT INTO numbers(number) VALUES ('')", "numbers_number_is_not_empty_and_has_no_space"),
        (
            "INSERT INTO numbers(number, fallback_target) VALUES ('1', 'http://x')",
            "numbers_fallback_target_is_a_sip_uri",
        ),
        ("INSERT INTO numbers(number, state) VALUES ('1', 'gone')", "numbers_state_is_one_of_the_known"),
        ("INSERT INTO numbers(id, number) VALUES ('PN12', '1')", "numbers_id_is_32_hex_digits"),
        (
            "INSERT INTO numbers(number, account_id) VALUES ('1', '00000000000000000000000000000009')",
            "numbers_account_exists",
        ),
        ("INSERT INTO trunks(name, nat) VALUES ('t', 'maybe')", "trunks_nat_is_auto_on_or_off"),
        (
            "INSERT INTO organizations(domain) VALUES ('Upper.example')",
            "organizations_domain_is_lower_case_without_spaces",
        ),
        ("INSERT INTO accounts(auth_token) VALUES ('plain')", "accounts_auth_token_is_sealed_by_callgate"),
        ("INSERT INTO accounts(dial_countries) VALUES ('GB')", "accounts_dial_countries_are_calling_codes"),
        ("INSERT INTO accounts(dial_prefixes) VALUES ('+44, 1x')", "accounts_dial_prefixes_are_digits"),
    ];
    for (sql, name) in cases {
        let refusal = world.by_hand(sql).unwrap_err();
        assert!(refusal.contains(name), "{sql}: {refusal}");
    }
}

/// What no constraint can say is found when the row is loaded: the account is left out, and told of.
async fn what_could_never_be_dialled_is_told_of(world: World) {
    for (column, wrong) in [("dial_countries", "4420"), ("dial_domains", "sip:example.com/")] {
        world
            .by_hand(&format!("INSERT INTO accounts(friendly_name, {column}) VALUES ('x', '1, {wrong}')"))
            .unwrap();
        let load = world.store.load().await.unwrap();
        let told: Vec<_> = load.bad.iter().map(|bad| (bad.table, bad.column, bad.value.as_str())).collect();
        assert_eq!(told, [("accounts", column, wrong)]);
        drop(load);
        world.by_hand("DELETE FROM accounts WHERE friendly_name = 'x'").unwrap();
    }
}

async fn provider_numbers_are_unique_and_patterns_per_organization(world: World) {
    let store = &world.store;
    let other = store.create("t", OrganizationRow::new("other.example")).await.unwrap().row;
    let tenant = store.create("t", AccountRow::new(other.id, "Other")).await.unwrap().row;
    for text in ["16.*", "*", "^1650", "+1+", "a(b", "x\\d"] {
        store.create("t", NumberRow::new(world.account.id, world.organization.id, text)).await.unwrap();
        store.create("t", NumberRow::new(tenant.id, other.id, text)).await.unwrap();
        let twice = store.create("t", NumberRow::new(tenant.id, other.id, text)).await.unwrap_err();
        assert!(
            matches!(twice, StoreError::Duplicate { ref field, .. } if field == "number"),
            "{text}: {twice:?}"
        );
    }
    for text in ["+16505551212", "1234", "mms:+16505551212", "alice"] {
        store.create("t", NumberRow::new(world.account.id, world.organization.id, text)).await.unwrap();
        let twice = store.create("t", NumberRow::new(tenant.id, other.id, text)).await.unwrap_err();
        assert!(matches!(twice, StoreError::Duplicate { .. }), "{text}: {twice:?}");
        let sip = NumberRow { is_sip: true, ..NumberRow::new(tenant.id, other.id, text) };
        store.create("t", sip).await.unwrap();
    }
}

pub async fn references_hold(world: World) {
    let store = &world.store;
    let application = store.create("t", ApplicationRow::new(world.account.id, "App")).await.unwrap().row;
    let mut row = NumberRow::new(world.account.id, world.organization.id, "1");
    row.voice_application_id = Some(application.id);
    let number = store.create("t", row.clone()).await.unwrap().row;
    let refusal = store.delete::<ApplicationRow>("t", application.id).await.unwrap_err();
    assert!(
        matches!(&refusal, StoreError::Constraint { name } if name == "numbers_voice_application_exists"),
        "{refusal:?}"
    );
    assert!(store.delete::<AccountRow>("t", world.account.id).await.is_err());
    store.delete::<NumberRow>("t", number.id).await.unwrap();
    store.delete::<ApplicationRow>("t", application.id).await.unwrap();
    row.number = "2".into();
    let refusal = store.create("t", row).await.unwrap_err();
    assert!(
        matches!(&refusal, StoreError::Constraint { name } if name == "numbers_voice_application_exists"),
        "{refusal:?}"
    );
    // An account that moves takes its numbers along.
    let number =
        store.create("t", NumberRow::new(world.account.id, world.organization.id, "3")).await.unwrap().row;
    let other = store.create("t", OrganizationRow::new("other.example")).await.unwrap().row;
    store.modify::<AccountRow>("t", world.account.id, |row| row.organization_id = other.id).await.unwrap();
    assert_eq!(store.read::<NumberRow>(number.id).await.unwrap().unwrap().organization_id, other.id);
}

pub async fn tokens_are_sealed_looked_up_and_rotated(world: World) {
    let store = &world.store;
    let token = new_token().unwrap();
    let mut row = AccountRow::new(world.organization.id, "With token");
    store.give_token(&mut row, &token).unwrap();
    let account = store.create("t", row).await.unwrap().row;
    assert_eq!(store.account_by_token(&token).await.unwrap().unwrap().id, account.id);
    assert_eq!(store.auth_token(&account).unwrap().as_deref(), Some(token.as_str()));
    let raw = world
        .by_hand("SELECT auth_token, auth_token_hash FROM accounts WHERE auth_token IS NOT NULL")
        .unwrap();
    assert!(!raw.contains(&token), "the token stands in the clear: {raw}");
    let audit = world.by_hand("SELECT before, after FROM audit").unwrap();
    assert!(!audit.contains("auth_token") && audit.contains("With token"));

    store.rotate_webhook_secret("t", account.id, b"first").await.unwrap();
    store.rotate_webhook_secret("t", account.id, b"second").await.unwrap();
    let load = store.load().await.unwrap();
    let routed = load.frame.accounts.iter().find(|routed| routed.sid == account.id).unwrap();
    assert_eq!(routed.keys.auth_token, token);
    assert_eq!(routed.keys.webhook_secrets, [b"second".to_vec(), b"first".to_vec()]);
    drop(load);

    // Another key in front: everything still opens, and is sealed again on demand.
    let key_file = world.folder.0.join("key");
    let old = std::fs::read_to_string(&key_file).unwrap();
    let fresh = "fresh AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\n";
    std::fs::write(&key_file, format!("{fresh}{old}")).unwrap();
    let rotated = Store::open(StoreConfig::new(world.url.clone(), &key_file)).unwrap();
    assert_eq!(rotated.account_by_token(&token).await.unwrap().unwrap().id, account.id);
    assert_eq!(rotated.reseal("t").await.unwrap(), 1);
    std::fs::write(&key_file, fresh).unwrap();
    let alone = Store::open(StoreConfig::new(world.url.clone(), &key_file)).unwrap();
    let found = alone.account_by_token(&token).await.unwrap().unwrap();
    assert_eq!(alone.auth_token(&found).unwrap(), Some(token));
    assert!(alone.load().await.unwrap().bad.is_empty());
}
