"""Judges signed requests with Twilio's validator and the Standard Webhooks library: validate.py FILE"""

import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from twilio.request_validator import RequestValidator


def twilio(request, suffix=""):
    validator = RequestValidator(request["token"])
    return validator.validate(request["url"] + suffix, request["params"], request["signature"])


def standard(request, secret, suffix=""):
    try:
        Webhook(secret).verify(request["body"] + suffix, request["headers"], json_parse=False)
    except WebhookVerificationError:
        return False
    return True


with open(sys.argv[1], encoding="utf-8") as file:
    requests = json.load(file)

bad = 0
for request in requests:
    secrets = request["secrets"]
    right = twilio(request) and all(standard(request, secret) for secret in secrets)
    # The judges must be able to say no.
    wrong = twilio(request, "x") or any(standard(request, secret, "x") for secret in secrets)
    if not right or wrong:
        bad += 1
        print("refused:", request["method"], request["url"])
print(f"python: {len(requests) - bad} of {len(requests)} accepted")
sys.exit(1 if bad or not requests else 0)
