-- An application goes only when nothing names it: each way to name one can be asked for.

CREATE INDEX numbers_sms_application ON numbers (sms_application_id) WHERE sms_application_id IS NOT NULL;
CREATE INDEX numbers_refer_application ON numbers (refer_application_id) WHERE refer_application_id IS NOT NULL;
CREATE INDEX numbers_ussd_application ON numbers (ussd_application_id) WHERE ussd_application_id IS NOT NULL;
