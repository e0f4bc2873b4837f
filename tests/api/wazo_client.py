"""Wazo's own client of confd against callgate: it lists, creates, changes and deletes numbers.

Called with host, port and an auth token. Exits with a trace where the client is surprised.
"""

import sys

from requests.exceptions import HTTPError
from wazo_confd_client import Client

host, port, token = sys.argv[1:4]
numbers = Client(host, port=int(port), https=False, prefix="/api/confd", token=token).phone_numbers


def refused(status, call, *arguments):
    try:
        call(*arguments)
    except HTTPError as error:
        assert error.response.status_code == status, error
        return
    raise AssertionError("not refused")


made = numbers.create({"number": "+12125550181"})
assert made["main"] is False and made["caller_id_name"] is None, made
refused(400, numbers.create, {"number": "+12125550181"})
assert numbers.get(made["uuid"]) == made
found = numbers.list(search="5550181", order="number", direction="desc", limit=5, offset=0)
assert found == {"total": 1, "items": [made]}, found
made["caller_id_name"] = "Harbour"
numbers.update(made)
numbers.set_main({"phone_number_uuid": made["uuid"]})
changed = numbers.list(main=True)["items"][0]
assert (changed["caller_id_name"], changed["shared"]) == ("Harbour", True), changed
numbers.delete(made["uuid"])
refused(404, numbers.get, made["uuid"])
assert numbers.list()["total"] == 0
print("a client of confd")
