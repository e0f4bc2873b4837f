//! Restcomm's operations.

use super::operation::{Dialect, Operation, delete, get, post, put};
use super::restcomm_shapes::parameter;
use crate::api::restcomm::{
    ACCOUNT, APPLICATION, APPLICATION_FILTERS, CALL_CHANGES, CALL_FILTERS, MIGRATE, NOTIFICATION_FILTERS,
    NUMBER, NUMBER_FILTERS, ORGANIZATION, ORGANIZATION_FILTERS, SEARCH,
};

/// How the dialect speaks.
pub(super) const DIALECT: Dialect = Dialect {
    name: "Restcomm",
    parameter,
    refusal: "Error",
    always: &[401, 403, 429, 500, 503],
    schemes: &["account", "bearer", "token"],
    xml: true,
    strict: true,
};

const NUMBERS: &str = "/Accounts/{account}/IncomingPhoneNumbers";
const WRITTEN: &[&str] = &["X-Callgate-Generation"];

/// Restcomm's, below each base.
pub(super) const RESTCOMM: &[Operation] = &[
    get("/Accounts", "The asker's account and its sub-accounts").gives("Accounts"),
    post("/Accounts", "Create a sub-account of the asker's account")
        .form(ACCOUNT, &["FriendlyName"])
        .gives("Account")
        .carries(WRITTEN)
        .refuses(&[404]),
    get("/Accounts/{account}", "One account").gives("Account"),
    post("/Accounts/{account}", "Change an account").form(ACCOUNT, &[]).gives("Account").carries(WRITTEN),
    put("/Accounts/{account}", "Change an account").form(ACCOUNT, &[]).gives("Account").carries(WRITTEN),
    get("/Accounts/{account}/Accounts", "The account and its sub-accounts").gives("Accounts"),
    post("/Accounts/{account}/Accounts", "Create a sub-account")
        .form(ACCOUNT, &["FriendlyName"])
        .gives("Account")
        .carries(WRITTEN),
    numbers(NUMBERS, "The account's numbers, page by page"),
    create(NUMBERS, "Create a number or pattern"),
    numbers("/Accounts/{account}/IncomingPhoneNumbers/Local", "The account's local numbers"),
    create("/Accounts/{account}/IncomingPhoneNumbers/Local", "Create a local number"),
    numbers("/Accounts/{account}/IncomingPhoneNumbers/TollFree", "The account's toll-free numbers"),
    create("/Accounts/{account}/IncomingPhoneNumbers/TollFree", "Create a toll-free number"),
    numbers("/Accounts/{account}/IncomingPhoneNumbers/Mobile", "The account's mobile numbers"),
    create("/Accounts/{account}/IncomingPhoneNumbers/Mobile", "Create a mobile number"),
    search("/Accounts/{account}/AvailablePhoneNumbers/{country}/Local", "The inventory's local numbers"),
    search(
        "/Accounts/{account}/AvailablePhoneNumbers/{country}/TollFree",
        "The inventory's toll-free numbers",
    ),
    search("/Accounts/{account}/AvailablePhoneNumbers/{country}/Mobile", "The inventory's mobile numbers"),
    post(
        "/Accounts/{account}/IncomingPhoneNumbers/migrate",
        "Move the account, those under it and their numbers to another organization (super-admin)",
    )
    .form(MIGRATE, &["OrganizationSid"])
    .nothing(200)
    .carries(WRITTEN)
    .refuses(&[409]),
    get(
        "/Accounts/{account}/IncomingPhoneNumbers/AvailableCountries",
        "Countries of which numbers may be had",
    )
    .gives("Countries"),
    get("/Accounts/{account}/IncomingPhoneNumbers/{number_sid}", "One number").gives("IncomingPhoneNumber"),
    changed(post("/Accounts/{account}/IncomingPhoneNumbers/{number_sid}", "Change a number")),
    changed(put("/Accounts/{account}/IncomingPhoneNumbers/{number_sid}", "Change a number")),
    delete("/Accounts/{account}/IncomingPhoneNumbers/{number_sid}", "Release a number")
        .nothing(204)
        .carries(WRITTEN),
    get("/Accounts/{account}/Applications", "The account's applications")
        .query(APPLICATION_FILTERS)
        .gives("Applications"),
    post("/Accounts/{account}/Applications", "Create an application")
        .form(APPLICATION, &["FriendlyName"])
        .gives("Application")
        .carries(WRITTEN),
    get("/Accounts/{account}/Applications/{application_sid}", "One application").gives("Application"),
    post("/Accounts/{account}/Applications/{application_sid}", "Change an application")
        .form(APPLICATION, &[])
        .gives("Application")
        .carries(WRITTEN),
    put("/Accounts/{account}/Applications/{application_sid}", "Change an application")
        .form(APPLICATION, &[])
        .gives("Application")
        .carries(WRITTEN),
    delete("/Accounts/{account}/Applications/{application_sid}", "Remove an application")
        .nothing(200)
        .carries(WRITTEN)
        .refuses(&[409]),
    get("/Accounts/{account}/Calls", "Calls and their legs, live and finished")
        .query(CALL_FILTERS)
        .gives("Calls"),
    get("/Accounts/{account}/Calls/{call_sid}", "One call or leg").gives("CallOrLeg"),
    post(
        "/Accounts/{account}/Calls/{call_sid}",
        "End a call (Status=completed or canceled), or give one that rings another document (Url)",
    )
    .form(CALL_CHANGES, &[])
    .gives("CallOrLeg"),
    put("/Accounts/{account}/Calls/{call_sid}", "The same as POST")
        .form(CALL_CHANGES, &[])
        .gives("CallOrLeg"),
    get(
        "/Accounts/{account}/Calls/{call_sid}/Notifications",
        "What went wrong with the application in one call",
    )
    .query(NOTIFICATION_FILTERS)
    .gives("Notifications"),
    get("/Accounts/{account}/Notifications", "What went wrong with the account's URLs and documents")
        .query(NOTIFICATION_FILTERS)
        .gives("Notifications"),
    get("/Accounts/{account}/Notifications/{notification_sid}", "One notification").gives("Notification"),
    get("/Organizations", "All organizations (super-admin)")
        .query(ORGANIZATION_FILTERS)
        .gives("Organizations"),
    put("/Organizations/{organization}", "Create the organization of this domain (super-admin)")
        .form(ORGANIZATION, &[])
        .gives("Organization")
        .carries(WRITTEN)
        .refuses(&[409]),
    put(
        "/Organizations/{organization}/Migrate",
        "Answers the organization: there are no clients to migrate (super-admin)",
    )
    .gives("Organization"),
    get("/Organizations/{organization}", "One organization, by sid").gives("Organization"),
    post("/Organizations/{organization}", "Change an organization (super-admin)")
        .form(ORGANIZATION, &[])
        .gives("Organization")
        .carries(WRITTEN)
        .refuses(&[409]),
];

const fn numbers(path: &'static str, summary: &'static str) -> Operation {
    get(path, summary).query(NUMBER_FILTERS).gives("IncomingPhoneNumbers")
}

const fn create(path: &'static str, summary: &'static str) -> Operation {
    changed(post(path, summary))
}

const fn search(path: &'static str, summary: &'static str) -> Operation {
    get(path, summary).query(SEARCH).gives("AvailablePhoneNumbers")
}

const fn changed(operation: Operation) -> Operation {
    operation.form(NUMBER, &[]).gives("IncomingPhoneNumber").carries(WRITTEN).refuses(&[409])
}
