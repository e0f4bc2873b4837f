"""Judges signed requests with Twilio's own validator: validate.py FILE"""

import json
import sys

from twilio.request_validator import RequestValidator

with open(sys.argv[1], encoding="utf-8") as file:
    requests = json.load(file)

bad = 0
for request in requests:
    validator = RequestValidator(request["token"])
    right = validator.validate(request["url"], request["params"], request["signature"])
    # The judge must be able to say no.
    wrong = validator.validate(request["url"] + "x", request["params"], request["signature"])
    if not right or wrong:
        bad += 1
        print("refused:", request["method"], request["url"])
print(f"python: {len(requests) - bad} of {len(requests)} accepted")
sys.exit(1 if bad or not requests else 0)
