//! Kinds of numbers, the inventory, and numbers given back.

use callgate::store::{NumberRow, NumberState};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::servers::Server;
use crate::world::{Api, Caller};

crate::on_both_servers!(
    kinds_have_lists_of_their_own,
    a_number_of_the_wrong_kind_is_not_to_be_had,
    lists_are_sorted_as_asked,
    a_star_is_one_digit,
    what_is_available_can_be_searched,
    an_available_number_is_claimed,
    an_area_gives_some_number,
    a_released_number_comes_back_to_its_account,
    a_released_number_is_free_after_thirty_days,
    countries_of_the_inventory
);

async fn stock(api: &Api, numbers: &[&str]) {
    for number in numbers {
        let mut row = NumberRow::new(api.world.account.id, api.world.organization.id, *number);
        row.state = NumberState::Available;
        api.world.store.create("test", row).await.unwrap();
    }
}

fn numbers(list: &Value, key: &str) -> Vec<String> {
    let rows = list.as_array().unwrap_or_else(|| list["incomingPhoneNumbers"].as_array().unwrap());
    rows.iter().map(|row| row[key].as_str().unwrap().to_owned()).collect()
}

async fn listed(api: &Api, who: &Caller, path: &str) -> Vec<String> {
    numbers(&api.get(who, path).await.expect(200).json(), "phone_number")
}

async fn kinds_have_lists_of_their_own(api: Api) {
    let who = &api.admin;
    for (number, sip) in [
        ("+14155552671", "false"),
        ("+18005550123", "false"),
        ("+442071838750", "false"),
        ("+447911123456", "false"),
        ("1234", "true"),
        ("16.*", "true"),
    ] {
        api.post(who, &who.numbers(), &[("PhoneNumber", number), ("isSIP", sip)]).await.expect(200);
    }
    stock(&api, &["+14155552672"]).await;
    // By hand, and by a change: nobody classified these.
    api.world.by_hand("INSERT INTO numbers(number) VALUES ('+18885550123')").unwrap();
    let local = ["+14155552671", "+442071838750"];
    assert_eq!(listed(&api, who, &who.kind("Local")).await, local);
    assert_eq!(listed(&api, who, &who.kind("TollFree")).await, ["+18005550123", "+18885550123"]);
    assert_eq!(listed(&api, who, &who.kind("Mobile")).await, ["+14155552671", "+447911123456"]);
    let page = api.get(who, &format!("{}?PageSize=1", who.kind("Local"))).await.expect(200).json();
    assert_eq!((&page["total"], &page["num_pages"]), (&json!(2), &json!(2)));
    assert_eq!(page["uri"], who.kind("Local"));
    let next = page["next_page_uri"].as_str().unwrap();
    assert_eq!(listed(&api, who, next).await, ["+442071838750"]);
    assert_eq!(
        listed(&api, who, &format!("{}?PhoneNumber=4420", who.kind("Local"))).await,
        ["+442071838750"]
    );
}

async fn a_number_of_the_wrong_kind_is_not_to_be_had(api: Api) {
    let who = &api.admin;
    for (kind, number, status) in [
        ("Local", "+14166902867", 200),
        ("Local", "+14166902867", 400),
        ("Local", "+18005550123", 400),
        ("Local", "+4156902867", 400),
        ("Local", "1234", 400),
        ("TollFree", "+18005550123", 200),
        ("TollFree", "+14166902868", 400),
        ("Mobile", "+447911123456", 200),
        ("Mobile", "+442071838750", 400),
        ("Mobile", "+14156902867", 200),
    ] {
        let answer = api.post(who, &who.kind(kind), &[("PhoneNumber", number)]).await.expect(status);
        let body = answer.json();
        if status == 200 {
            assert_eq!(body["phone_number"], number);
        } else {
            assert_eq!(body["code"], 21452, "{kind} {number}");
        }
    }
    let body = api.post(who, &who.kind("Local"), &[("AreaCode", "415")]).await.expect(400).json();
    assert_eq!(body["code"], 21452);
    api.post(who, &who.kind("Local"), &[]).await.expect(400);
}

async fn lists_are_sorted_as_asked(api: Api) {
    let who = &api.admin;
    for (number, name) in [("+14150000002", "Anna"), ("+14150000003", "Zoe"), ("+14150000001", "Berta")] {
        api.post(who, &who.numbers(), &[("PhoneNumber", number), ("FriendlyName", name)]).await.expect(200);
    }
    let path = who.numbers();
    for (query, order) in [
        ("", [1, 2, 3]),
        ("?SortBy=PhoneNumber&Reverse=true", [3, 2, 1]),
        ("?Reverse=true", [3, 2, 1]),
        ("?SortBy=FriendlyName", [2, 1, 3]),
        ("?SortBy=FriendlyName&Reverse=true", [3, 1, 2]),
    ] {
        let expected: Vec<String> = order.iter().map(|last| format!("+1415000000{last}")).collect();
        assert_eq!(listed(&api, who, &format!("{path}{query}")).await, expected, "{query}");
    }
    api.get(who, &format!("{path}?SortBy=Colour")).await.expect(400);
    let page = api.get(who, &format!("{path}?SortBy=FriendlyName&Reverse=true&PageSize=2")).await.json();
    let next = page["next_page_uri"].as_str().unwrap();
    assert_eq!(listed(&api, who, next).await, ["+14150000002"]);
    // What comes and goes before it moves a cursor's page by nothing.
    api.post(who, &path, &[("PhoneNumber", "+14150000004"), ("FriendlyName", "Zzz")]).await.expect(200);
    assert_eq!(listed(&api, who, next).await, ["+14150000002"]);
    let gone = page["incomingPhoneNumbers"][1]["sid"].as_str().unwrap();
    api.delete(who, &who.number(gone)).await.expect(204);
    assert_eq!(listed(&api, who, next).await, ["+14150000002"]);
    api.get(who, &format!("{path}?AfterSid=PN12")).await.expect(400);
    api.post(who, &path, &[("PhoneNumber", "1234"), ("isSIP", "perhaps")]).await.expect(400);
    let unknown = format!("{path}?SortBy=FriendlyName&PageSize=2&Page=1&AfterSid=PN{}", "0".repeat(32));
    assert_eq!(listed(&api, who, &unknown).await, ["+14150000004"]);
}

async fn a_star_is_one_digit(api: Api) {
    let who = &api.admin;
    for number in ["+16508251255", "+16508251256", "+442071838750"] {
        api.post(who, &who.numbers(), &[("PhoneNumber", number)]).await.expect(200);
    }
    api.post(who, &who.numbers(), &[("PhoneNumber", "1650x"), ("isSIP", "true")]).await.expect(200);
    for (filter, found) in [
        ("650825125*", 2),
        ("*6508251255", 1),
        ("16508*51256", 1),
        ("%2B1*508", 2),
        ("1255*", 0),
        ("**16508251255", 0),
        ("1650*", 2),
        ("4420", 1),
        (".", 0),
        ("_6", 0),
        ("%25", 0),
        ("[0-9]", 0),
    ] {
        let path = format!("{}?PhoneNumber={filter}", who.numbers());
        assert_eq!(listed(&api, who, &path).await.len(), found, "{filter}");
    }
    // A number without a name is called by its digits.
    assert_eq!(
        listed(&api, who, &format!("{}?FriendlyName=442071838750", who.numbers())).await,
        ["+442071838750"]
    );
    assert_eq!(listed(&api, who, &format!("{}?FriendlyName=4420", who.numbers())).await, [] as [&str; 0]);
    api.get(who, &format!("{}?Beta=perhaps", who.numbers())).await.expect(400);
}

async fn what_is_available_can_be_searched(api: Api) {
    let tenant = api.tenant("tenant", Some("tenant.example.org")).await;
    stock(&api, &["+13055550101", "+13055550102", "+14165550103", "+18005550104", "+442071838750"]).await;
    let mut deaf = NumberRow::new(api.world.account.id, api.world.organization.id, "+13055558294");
    deaf.state = NumberState::Available;
    deaf.sms_capable = false;
    api.world.store.create("test", deaf).await.unwrap();
    let found = async |of: &str| {
        let list = api.get(&tenant, &tenant.available(of)).await.expect(200).json();
        numbers(&list, "phoneNumber")
    };
    assert_eq!(found("US/Local.json").await, ["+13055550101", "+13055550102", "+13055558294"]);
    assert_eq!(found("us/Local.json?AreaCode=305&SmsEnabled=true").await.len(), 2);
    assert_eq!(found("US/Local.json?SmsEnabled=false").await, ["+13055558294"]);
    assert_eq!(found("US/Local.json?Contains=555TAXI").await, ["+13055558294"]);
    assert_eq!(found("US/Local.json?Contains=5550*02").await, ["+13055550102"]);
    assert_eq!(found("US/Local.json?RangeSize=2&RangeIndex=1").await, ["+13055558294"]);
    assert!(found("US/Local.json?RangeSize=999&RangeIndex=9223372036854775806").await.is_empty());
    assert_eq!(found("US/TollFree.json").await, ["+18005550104"]);
    assert_eq!(found("CA/Local.json").await, ["+14165550103"]);
    assert_eq!(found("GB/Local.json").await, ["+442071838750"]);
    assert_eq!(found("GB/Mobile.json").await, [] as [&str; 0]);
    let answer = api.get(&tenant, &tenant.available("GB/Local.json?InRegion=London")).await.expect(200);
    assert_eq!(
        answer.json(),
        json!([{
            "friendlyName": "442071838750", "phoneNumber": "+442071838750", "isoCountry": "GB",
            "voiceCapable": true, "smsCapable": true, "mmsCapable": false, "faxCapable": false,
        }])
    );
    assert_eq!(answer.warnings().len(), 1);
    let xml = api.get(&tenant, &tenant.available("GB/Local.xml")).await.expect(200).text;
    assert!(xml.contains("<AvailablePhoneNumber>\n      <FriendlyName>442071838750</FriendlyName>"), "{xml}");
    for bad in [
        "USA/Local.json",
        "U1/Local.json",
        "GB/Local.json?AreaCode=207",
        "US/Local.json?AreaCode=30",
        "US/Local.json?Contains=5-5",
        "US/Local.json?RangeSize=0",
        "US/Local.json?Beta=x",
    ] {
        api.get(&tenant, &tenant.available(bad)).await.expect(400);
    }
    // Nobody's numbers are in nobody's list, and have no sid to be read by.
    assert_eq!(api.get(&api.admin, &api.admin.numbers()).await.json()["total"], 0);
}

async fn an_available_number_is_claimed(api: Api) {
    let tenant = api.tenant("tenant", Some("tenant.example.org")).await;
    let mut row = NumberRow::new(api.world.account.id, api.world.organization.id, "+13055550101");
    row.state = NumberState::Available;
    row.mms_capable = true;
    row.voice_url = Some("https://former.example/".into());
    let stocked = api.world.store.create("test", row).await.unwrap().row;
    let pairs = [("PhoneNumber", "+13055550101"), ("SmsUrl", "https://a.example/sms")];
    let (first, second) = (tenant.numbers(), api.admin.numbers());
    let (a, b) = tokio::join!(api.post(&tenant, &first, &pairs), api.post(&api.admin, &second, &pairs));
    let mut statuses = [a.status.as_u16(), b.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400]);
    let (made, other) = if a.status == 200 { (a, b) } else { (b, a) };
    assert_eq!(other.json()["code"], 21452);
    let made = made.json();
    assert_ne!(made["sid"], stocked.id.to_string());
    assert_eq!((&made["voice_url"], &made["sms_url"]), (&Value::Null, &json!("https://a.example/sms")));
    assert_eq!(made["capabilities"]["mms_capable"], true);
    assert_eq!(api.get(&tenant, &tenant.available("US/Local.json")).await.json(), json!([]));
    api.catch_up().await;
    assert_eq!(api.handles.directory.load().len(), 1);
}

async fn an_area_gives_some_number(api: Api) {
    let who = &api.admin;
    stock(&api, &["+13055550101", "+13055550102", "+18765550103"]).await;
    let mut got = Vec::new();
    for _ in 0..2 {
        // Both given: the area counts, as documented.
        let pairs = [("AreaCode", "305"), ("PhoneNumber", "+14155550000"), ("FriendlyName", "Miami")];
        let made = api.post(who, &who.numbers(), &pairs).await.expect(200).json();
        assert_eq!(made["friendly_name"], "Miami");
        got.push(made["phone_number"].as_str().unwrap().to_owned());
    }
    got.sort_unstable();
    assert_eq!(got, ["+13055550101", "+13055550102"]);
    // None left; never any; Jamaica; no area.
    for area in ["305", "212", "876", "30", "abc"] {
        let body = api.post(who, &who.numbers(), &[("AreaCode", area)]).await.expect(400).json();
        assert_eq!(body["code"], 21452, "{area}");
    }
}

async fn a_released_number_comes_back_to_its_account(api: Api) {
    let (who, other) = (api.tenant("one", None).await, api.tenant("other", None).await);
    for (number, sip) in [("+13055550101", "false"), ("1234", "true"), ("16.*", "true")] {
        let pairs = [("PhoneNumber", number), ("isSIP", sip), ("VoiceUrl", "https://a.example/")];
        let made = api.post(&who, &who.numbers(), &pairs).await.expect(200).json();
        let element = who.number(made["sid"].as_str().unwrap());
        api.delete(&who, &element).await.expect(204);
        api.get(&who, &element).await.expect(404);
        api.post(&who, &element, &[("FriendlyName", "x")]).await.expect(404);
        api.delete(&who, &element).await.expect(404);
        assert_eq!(api.get(&who, &who.numbers()).await.json()["total"], 0);
        api.catch_up().await;
        assert!(api.handles.directory.load().is_empty(), "{number} routes no more");
        let pairs = [("PhoneNumber", number), ("isSIP", sip)];
        let refused = api.post(&other, &other.numbers(), &pairs).await.expect(400).json();
        assert_eq!(refused["code"], 21452);
        let again = api.post(&who, &who.numbers(), &pairs).await.expect(200).json();
        assert_ne!(again["sid"], made["sid"]);
        assert_eq!(again["voice_url"], Value::Null, "as new");
        api.post(&who, &who.numbers(), &pairs).await.expect(400);
        api.delete(&who, &who.number(again["sid"].as_str().unwrap())).await.expect(204);
    }
}

async fn a_released_number_is_free_after_thirty_days(api: Api) {
    let (who, other) = (api.tenant("one", None).await, api.tenant("other", None).await);
    let pairs = [("PhoneNumber", "+13055550101")];
    let made = api.post(&who, &who.numbers(), &pairs).await.expect(200).json();
    api.delete(&who, &who.number(made["sid"].as_str().unwrap())).await.expect(204);
    let age = async |days: i64| {
        let at = Timestamp::now() - SignedDuration::from_hours(days * 24);
        let sql = format!("UPDATE numbers SET updated_at = '{at:.3}' WHERE state = 'aging'");
        api.world.by_hand(&sql).unwrap();
    };
    age(29).await;
    api.post(&other, &other.numbers(), &pairs).await.expect(400);
    assert_eq!(api.get(&other, &other.available("US/Local.json")).await.json(), json!([]));
    age(31).await;
    let found = api.get(&other, &other.available("US/Local.json")).await.json();
    assert_eq!(numbers(&found, "phoneNumber"), ["+13055550101"]);
    api.post(&other, &other.numbers(), &pairs).await.expect(200);
    api.post(&who, &who.numbers(), &pairs).await.expect(400);
}

async fn countries_of_the_inventory(api: Api) {
    let who = &api.admin;
    let path = who.kind("AvailableCountries");
    assert_eq!(api.get(who, &path).await.expect(200).json(), json!(["US"]));
    stock(&api, &["+442071838750", "+13055550101"]).await;
    assert_eq!(api.get(who, &path).await.expect(200).json(), json!(["US", "GB"]));
    let xml = api.get(who, &path.replace(".json", ".xml")).await.expect(200).text;
    assert!(xml.contains("<AvailableCountries>\n    <AvailableCountry>US</AvailableCountry>"), "{xml}");
}

#[tokio::test]
async fn a_strict_inventory_sells_what_it_has() {
    let api = Api::strict(Server::Sqlite).await;
    let who = &api.admin;
    stock(&api, &["+13055550101"]).await;
    let refused = api.post(who, &who.numbers(), &[("PhoneNumber", "+13055550102")]).await.expect(400).json();
    assert_eq!(
        (&refused["code"], &refused["message"]),
        (&json!(21452), &json!("PhoneNumber `+13055550102` is not in the inventory"))
    );
    api.post(who, &who.numbers(), &[("PhoneNumber", "+13055550102"), ("isSIP", "false")]).await.expect(400);
    api.post(who, &who.numbers(), &[("PhoneNumber", "+13055550101")]).await.expect(200);
    for free in ["1234", "99.*"] {
        api.post(who, &who.numbers(), &[("PhoneNumber", free), ("isSIP", "true")]).await.expect(200);
    }
    let body = json!({ "number": "+13055550103" });
    api.json(hyper::Method::POST, "/admin/v1/numbers", body).await.expect(201);
}
