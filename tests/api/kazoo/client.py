"""Published Kazoo clients against callgate: kazoo-sdk and pykazoo list, create, change and give back numbers.

Called with the base URL, an account's id and its auth token. Exits with a trace where a client is surprised.
"""

import sys

import kazoo
from kazoo.exceptions import KazooApiError
from pykazoo.authentication import Authentication
from pykazoo.phonenumbers import PhoneNumbers
from pykazoo.restrequest import RestRequest

base, account, key = sys.argv[1:4]
number, other = "%2B12125550171", "%2B12125550172"


def told(envelope):
    assert envelope["status"] == "success", envelope
    return envelope["data"]


def refused(kind, call, *arguments):
    try:
        call(*arguments)
    except kind as error:
        return str(error)
    raise AssertionError("not refused")


def sdk(client):
    client.authenticate()
    created = told(client.create_phone_number(account, number))
    assert created["id"] == "+12125550171" and created["state"] == "reserved", created
    refused(KazooApiError, client.create_phone_number, account, number)
    assert "+12125550171" in told(client.get_phone_numbers(account))["numbers"]
    assert told(client.update_phone_number(account, number, {"mine": [1, 2]}))["mine"] == [1, 2]
    assert told(client.activate_phone_number(account, number, {}))["state"] == "in_service"
    assert told(client.reserve_phone_number(account, number, {}))["state"] == "reserved"
    assert told(client.get_phone_number(account, number))["mine"] == [1, 2]
    assert told(client.delete_phone_number(account, number)) == {}
    # Only the super-admin, as whom this runs, sees what nobody has.
    assert told(client.get_phone_number(account, number))["state"] == "aging"
    assert told(client.add_port_in_number(account, other, {}))["state"] == "port_in"
    assert told(client.search_phone_numbers("628", quantity=2)) == []
    refused(KazooApiError, client.get_phone_number, account, "nonsense")


def pykazoo(rest):
    numbers = PhoneNumbers(rest)
    assert rest.account_id == account
    made = told(numbers.create_phone_number(account, "2125550173", {"data": {"mine": "yes"}}))
    assert made["id"] == "+12125550173" and made["mine"] == "yes", made
    found = told(numbers.get_phone_numbers(account, {"filter_mine": "yes"}))["numbers"]
    assert list(found) == ["+12125550173"], found
    changed = told(numbers.update_phone_number(account, "2125550173", {"data": {"mine": "no"}}))
    assert changed["mine"] == "no"
    assert told(numbers.get_phone_number(account, "12125550173"))["mine"] == "no"
    assert told(numbers.delete_phone_number(account, "2125550173")) == {}
    refused(ValueError, numbers.get_phone_number, account, "2125550174")


sdk(kazoo.Client(api_key=key, base_url=base))
named = kazoo.Client(username=account, password=key, account_name=account, base_url=base)
named.authenticate()
assert "+12125550172" in told(named.get_phone_numbers(account))["numbers"]
by_key, by_user = RestRequest(base), RestRequest(base)
Authentication(by_key).api_auth(key)
pykazoo(by_key)
Authentication(by_user).user_auth(account, key, account)
assert told(PhoneNumbers(by_user).get_phone_numbers(account))["numbers"]
refused(PermissionError, Authentication(RestRequest(base)).user_auth, account, "wrong", account)
print("two published clients, four logins")
