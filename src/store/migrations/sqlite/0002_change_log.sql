-- The change log: its rowid is the generation, so one row per change; SQLite has one writer at a time,
-- which makes number order commit order. REPLACE fires no delete trigger, so colliding rows are logged before.
-- `op` says what happened to the row `id` of the table `subject`: insert, update, delete, or maybe, where a statement
-- may yet leave it alone; `before` is the row as it was until then, without what is NULL. Secrets are in it only
-- where the row went. Entries without `op` are further names of the same change.

CREATE TABLE change_log (
    generation  INTEGER PRIMARY KEY AUTOINCREMENT,
    kind        TEXT NOT NULL,
    id          TEXT,
    organization_id TEXT,
    number      TEXT {{bytes}},
    at          TEXT NOT NULL DEFAULT ({{now}}),
    subject     TEXT,
    op          TEXT,
    before      TEXT
);
CREATE INDEX change_log_row ON change_log (id, generation) WHERE op IS NOT NULL;
-- What nobody knows the rows of: few, and asked for by every difference and rollback.
CREATE INDEX change_log_everything ON change_log (generation) WHERE kind = 'everything';

-- Who did what through callgate: the generations from `first` to `number` are one change.
CREATE TABLE changes (
    first       BIGINT NOT NULL PRIMARY KEY,
    number      BIGINT NOT NULL,
    at          TEXT NOT NULL DEFAULT ({{now}}),
    actor       TEXT NOT NULL,
    action      TEXT NOT NULL,
    added       BIGINT NOT NULL,
    changed     BIGINT NOT NULL,
    removed     BIGINT NOT NULL
);
CREATE UNIQUE INDEX changes_unique_number ON changes (number);

CREATE VIEW generation AS
    SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'change_log'), 0) AS number;

CREATE TRIGGER numbers_insert_colliding BEFORE INSERT ON numbers BEGIN
    INSERT INTO change_log (kind, id, organization_id, number, subject, op, before)
        SELECT 'number', id, organization_id, number, 'numbers', 'maybe', {{whole numbers}}
        FROM numbers WHERE id = NEW.id OR number = NEW.number;
END;
CREATE TRIGGER numbers_update_colliding BEFORE UPDATE ON numbers WHEN OLD.organization_id <> '' BEGIN
    INSERT INTO change_log (kind, id, organization_id, number, subject, op, before)
        SELECT 'number', id, organization_id, number, 'numbers', 'maybe', {{whole numbers}}
        FROM numbers WHERE (id = NEW.id OR number = NEW.number) AND id <> OLD.id;
END;
-- Owners that SQL by hand leaves out, and the organization, which is always the account's.
CREATE TRIGGER numbers_insert AFTER INSERT ON numbers BEGIN
    UPDATE numbers
        SET account_id = CASE NEW.account_id WHEN '' THEN (SELECT id FROM accounts WHERE is_default) ELSE NEW.account_id END,
            organization_id = (SELECT organization_id FROM accounts
                WHERE id = NEW.account_id OR (NEW.account_id = '' AND is_default))
        WHERE id = NEW.id AND organization_id IS NOT (SELECT organization_id FROM accounts WHERE id = NEW.account_id);
    INSERT INTO change_log (kind, id, organization_id, number, subject, op)
        SELECT 'number', id, organization_id, number, 'numbers', 'insert' FROM numbers WHERE id = NEW.id;
END;
-- A row without an organization is one that numbers_insert is just completing, which logs it.
CREATE TRIGGER numbers_update AFTER UPDATE ON numbers WHEN OLD.organization_id <> '' BEGIN
    INSERT INTO change_log (kind, id, organization_id, number, subject, op, before)
        VALUES ('number', OLD.id, OLD.organization_id, OLD.number, 'numbers', 'update', {{OLD part numbers}});
    UPDATE numbers
        SET account_id = CASE NEW.account_id WHEN '' THEN (SELECT id FROM accounts WHERE is_default) ELSE NEW.account_id END,
            organization_id = (SELECT organization_id FROM accounts
                WHERE id = NEW.account_id OR (NEW.account_id = '' AND is_default)),
            updated_at = CASE NEW.updated_at WHEN OLD.updated_at THEN {{now}} ELSE NEW.updated_at END
        WHERE id = NEW.id AND (NEW.updated_at = OLD.updated_at
            OR organization_id IS NOT (SELECT organization_id FROM accounts WHERE id = NEW.account_id));
    INSERT INTO change_log (kind, id, organization_id, number, subject, op)
        SELECT 'number', id, organization_id, number, 'numbers', CASE WHEN id <> OLD.id THEN 'insert' END FROM numbers
        WHERE id = NEW.id AND (id <> OLD.id OR organization_id <> OLD.organization_id OR number <> OLD.number);
END;
CREATE TRIGGER numbers_delete AFTER DELETE ON numbers BEGIN
    INSERT INTO change_log (kind, id, organization_id, number, subject, op, before)
        VALUES ('number', OLD.id, OLD.organization_id, OLD.number, 'numbers', 'delete', {{OLD whole numbers}});
END;
CREATE TRIGGER accounts_own AFTER INSERT ON accounts WHEN NEW.organization_id = '' BEGIN
    UPDATE accounts SET organization_id = (SELECT id FROM organizations WHERE is_default) WHERE id = NEW.id;
END;
CREATE TRIGGER applications_own AFTER INSERT ON applications WHEN NEW.account_id = '' BEGIN
    UPDATE applications SET account_id = (SELECT id FROM accounts WHERE is_default) WHERE id = NEW.id;
END;
-- An account that moves takes its numbers along.
CREATE TRIGGER accounts_move AFTER UPDATE OF organization_id ON accounts WHEN OLD.organization_id <> NEW.organization_id BEGIN
    UPDATE numbers SET organization_id = NEW.organization_id WHERE account_id = NEW.id;
END;

CREATE TRIGGER organizations_insert_colliding BEFORE INSERT ON organizations BEGIN
    INSERT INTO change_log (kind, id, subject, op, before)
        SELECT 'frame', id, 'organizations', 'maybe', {{whole organizations}} FROM organizations WHERE id = NEW.id OR domain = NEW.domain OR (is_default AND NEW.is_default);
END;
CREATE TRIGGER organizations_update_colliding BEFORE UPDATE ON organizations BEGIN
    INSERT INTO change_log (kind, id, subject, op, before)
        SELECT 'frame', id, 'organizations', 'maybe', {{whole organizations}} FROM organizations WHERE (id = NEW.id OR domain = NEW.domain OR (is_default AND NEW.is_default)) AND id <> OLD.id;
END;
CREATE TRIGGER organizations_insert AFTER INSERT ON organizations BEGIN
    INSERT INTO change_log (kind, id, subject, op) VALUES ('frame', NEW.id, 'organizations', 'insert');
END;
CREATE TRIGGER organizations_update AFTER UPDATE ON organizations BEGIN
    INSERT INTO change_log (kind, id, subject, op, before) VALUES ('frame', OLD.id, 'organizations', 'update', {{OLD part organizations}});
    INSERT INTO change_log (kind, id, subject, op) SELECT 'frame', NEW.id, 'organizations', 'insert' WHERE NEW.id <> OLD.id;
    UPDATE organizations SET updated_at = {{now}} WHERE id = NEW.id AND updated_at = OLD.updated_at;
END;
CREATE TRIGGER organizations_delete AFTER DELETE ON organizations BEGIN
    INSERT INTO change_log (kind, id, subject, op, before) VALUES ('frame', OLD.id, 'organizations', 'delete', {{OLD whole organizations}});
END;
CREATE TRIGGER accounts_insert_colliding BEFORE INSERT ON accounts BEGIN
    INSERT INTO change_log (kind, id, subject, op, before)
        SELECT 'frame', id, 'accounts', 'maybe', {{whole accounts}} FROM accounts WHERE id = NEW.id OR auth_token_hash = NEW.auth_token_hash OR (is_default AND NEW.is_default);
END;
CREATE TRIGGER accounts_update_colliding BEFORE UPDATE ON accounts WHEN OLD.organization_id <> '' BEGIN
    INSERT INTO change_log (kind, id, subject, op, before)
        SELECT 'frame', id, 'accounts', 'maybe', {{whole accounts}} FROM accounts WHERE (id = NEW.id OR auth_token_hash = NEW.auth_token_hash OR (is_default AND NEW.is_default)) AND id <> OLD.id;
END;
CREATE TRIGGER accounts_insert AFTER INSERT ON accounts BEGIN
    INSERT INTO change_log (kind, id, subject, op) VALUES ('frame', NEW.id, 'accounts', 'insert');
END;
CREATE TRIGGER accounts_update AFTER UPDATE ON accounts WHEN OLD.organization_id <> '' BEGIN
    INSERT INTO change_log (kind, id, subject, op, before) VALUES ('frame', OLD.id, 'accounts', 'update', {{OLD part accounts}});
    INSERT INTO change_log (kind, id, subject, op) SELECT 'frame', NEW.id, 'accounts', 'insert' WHERE NEW.id <> OLD.id;
    UPDATE accounts SET updated_at = {{now}} WHERE id = NEW.id AND updated_at = OLD.updated_at;
END;
CREATE TRIGGER accounts_delete AFTER DELETE ON accounts BEGIN
    INSERT INTO change_log (kind, id, subject, op, before) VALUES ('frame', OLD.id, 'accounts', 'delete', {{OLD whole accounts}});
END;
CREATE TRIGGER applications_insert_colliding BEFORE INSERT ON applications BEGIN
    INSERT INTO change_log (kind, id, subject, op, before)
        SELECT 'frame', id, 'applications', 'maybe', {{whole applications}} FROM applications WHERE id = NEW.id;
END;
CREATE TRIGGER applications_update_colliding BEFORE UPDATE ON applications WHEN OLD.account_id <> '' BEGIN
    INSERT INTO change_log (kind, id, subject, op, before)
        SELECT 'frame', id, 'applications', 'maybe', {{whole applications}} FROM applications WHERE (id = NEW.id) AND id <> OLD.id;
END;
CREATE TRIGGER applications_insert AFTER INSERT ON applications BEGIN
    INSERT INTO change_log (kind, id, subject, op) VALUES ('frame', NEW.id, 'applications', 'insert');
END;
CREATE TRIGGER applications_update AFTER UPDATE ON applications WHEN OLD.account_id <> '' BEGIN
    INSERT INTO change_log (kind, id, subject, op, before) VALUES ('frame', OLD.id, 'applications', 'update', {{OLD part applications}});
    INSERT INTO change_log (kind, id, subject, op) SELECT 'frame', NEW.id, 'applications', 'insert' WHERE NEW.id <> OLD.id;
    UPDATE applications SET updated_at = {{now}} WHERE id = NEW.id AND updated_at = OLD.updated_at;
END;
CREATE TRIGGER applications_delete AFTER DELETE ON applications BEGIN
    INSERT INTO change_log (kind, id, subject, op, before) VALUES ('frame', OLD.id, 'applications', 'delete', {{OLD whole applications}});
END;
CREATE TRIGGER trunks_insert_colliding BEFORE INSERT ON trunks BEGIN
    INSERT INTO change_log (kind, id, subject, op, before)
        SELECT 'frame', id, 'trunks', 'maybe', {{whole trunks}} FROM trunks WHERE id = NEW.id OR name = NEW.name;
END;
CREATE TRIGGER trunks_update_colliding BEFORE UPDATE ON trunks BEGIN
    INSERT INTO change_log (kind, id, subject, op, before)
        SELECT 'frame', id, 'trunks', 'maybe', {{whole trunks}} FROM trunks WHERE (id = NEW.id OR name = NEW.name) AND id <> OLD.id;
END;
CREATE TRIGGER trunks_insert AFTER INSERT ON trunks BEGIN
    INSERT INTO change_log (kind, id, subject, op) VALUES ('frame', NEW.id, 'trunks', 'insert');
END;
CREATE TRIGGER trunks_update AFTER UPDATE ON trunks BEGIN
    INSERT INTO change_log (kind, id, subject, op, before) VALUES ('frame', OLD.id, 'trunks', 'update', {{OLD part trunks}});
    INSERT INTO change_log (kind, id, subject, op) SELECT 'frame', NEW.id, 'trunks', 'insert' WHERE NEW.id <> OLD.id;
    UPDATE trunks SET updated_at = {{now}} WHERE id = NEW.id AND updated_at = OLD.updated_at;
END;
CREATE TRIGGER trunks_delete AFTER DELETE ON trunks BEGIN
    INSERT INTO change_log (kind, id, subject, op, before) VALUES ('frame', OLD.id, 'trunks', 'delete', {{OLD whole trunks}});
END;
CREATE TRIGGER gateways_insert_colliding BEFORE INSERT ON gateways BEGIN
    INSERT INTO change_log (kind, id, subject, op, before)
        SELECT 'frame', id, 'gateways', 'maybe', {{whole gateways}} FROM gateways WHERE id = NEW.id OR name = NEW.name;
END;
CREATE TRIGGER gateways_update_colliding BEFORE UPDATE ON gateways BEGIN
    INSERT INTO change_log (kind, id, subject, op, before)
        SELECT 'frame', id, 'gateways', 'maybe', {{whole gateways}} FROM gateways WHERE (id = NEW.id OR name = NEW.name) AND id <> OLD.id;
END;
CREATE TRIGGER gateways_insert AFTER INSERT ON gateways BEGIN
    INSERT INTO change_log (kind, id, subject, op) VALUES ('frame', NEW.id, 'gateways', 'insert');
END;
CREATE TRIGGER gateways_update AFTER UPDATE ON gateways BEGIN
    INSERT INTO change_log (kind, id, subject, op, before) VALUES ('frame', OLD.id, 'gateways', 'update', {{OLD part gateways}});
    INSERT INTO change_log (kind, id, subject, op) SELECT 'frame', NEW.id, 'gateways', 'insert' WHERE NEW.id <> OLD.id;
    UPDATE gateways SET updated_at = {{now}} WHERE id = NEW.id AND updated_at = OLD.updated_at;
END;
CREATE TRIGGER gateways_delete AFTER DELETE ON gateways BEGIN
    INSERT INTO change_log (kind, id, subject, op, before) VALUES ('frame', OLD.id, 'gateways', 'delete', {{OLD whole gateways}});
END;

-- References, by triggers: the sqlite3 command line does not enforce foreign keys.
CREATE TRIGGER organizations_insert_references BEFORE INSERT ON organizations BEGIN
    SELECT RAISE(ABORT, 'organizations_default_application_exists') WHERE NEW.default_application_id IS NOT NULL AND NOT EXISTS
        (SELECT 1 FROM applications WHERE id = NEW.default_application_id);
END;
CREATE TRIGGER organizations_update_references BEFORE UPDATE OF default_application_id ON organizations BEGIN
    SELECT RAISE(ABORT, 'organizations_default_application_exists') WHERE NEW.default_application_id IS NOT NULL AND NOT EXISTS
        (SELECT 1 FROM applications WHERE id = NEW.default_application_id);
END;
CREATE TRIGGER accounts_insert_references BEFORE INSERT ON accounts BEGIN
    SELECT RAISE(ABORT, 'accounts_organization_exists') WHERE NOT EXISTS
        (SELECT 1 FROM organizations WHERE id = NEW.organization_id OR (NEW.organization_id = '' AND is_default));
    SELECT RAISE(ABORT, 'accounts_parent_exists') WHERE NEW.parent_id IS NOT NULL AND NOT EXISTS
        (SELECT 1 FROM accounts WHERE id = NEW.parent_id);
    SELECT RAISE(ABORT, 'accounts_default_application_exists') WHERE NEW.default_application_id IS NOT NULL AND NOT EXISTS
        (SELECT 1 FROM applications WHERE id = NEW.default_application_id);
END;
CREATE TRIGGER accounts_update_references BEFORE UPDATE OF organization_id, parent_id, default_application_id ON accounts BEGIN
    SELECT RAISE(ABORT, 'accounts_organization_exists') WHERE NOT EXISTS
        (SELECT 1 FROM organizations WHERE id = NEW.organization_id OR (NEW.organization_id = '' AND is_default));
    SELECT RAISE(ABORT, 'accounts_parent_exists') WHERE NEW.parent_id IS NOT NULL AND NOT EXISTS
        (SELECT 1 FROM accounts WHERE id = NEW.parent_id);
    SELECT RAISE(ABORT, 'accounts_default_application_exists') WHERE NEW.default_application_id IS NOT NULL AND NOT EXISTS
        (SELECT 1 FROM applications WHERE id = NEW.default_application_id);
END;
CREATE TRIGGER applications_insert_references BEFORE INSERT ON applications BEGIN
    SELECT RAISE(ABORT, 'applications_account_exists') WHERE NOT EXISTS
        (SELECT 1 FROM accounts WHERE id = NEW.account_id OR (NEW.account_id = '' AND is_default));
END;
CREATE TRIGGER applications_update_references BEFORE UPDATE OF account_id ON applications BEGIN
    SELECT RAISE(ABORT, 'applications_account_exists') WHERE NOT EXISTS
        (SELECT 1 FROM accounts WHERE id = NEW.account_id OR (NEW.account_id = '' AND is_default));
END;
CREATE TRIGGER numbers_insert_references BEFORE INSERT ON numbers BEGIN
    SELECT RAISE(ABORT, 'numbers_account_exists') WHERE NOT EXISTS
        (SELECT 1 FROM accounts WHERE id = NEW.account_id OR (NEW.account_id = '' AND is_default));
    SELECT RAISE(ABORT, 'numbers_voice_application_exists') WHERE NEW.voice_application_id IS NOT NULL AND NOT EXISTS
        (SELECT 1 FROM applications WHERE id = NEW.voice_application_id);
    SELECT RAISE(ABORT, 'numbers_sms_application_exists') WHERE NEW.sms_application_id IS NOT NULL AND NOT EXISTS
        (SELECT 1 FROM applications WHERE id = NEW.sms_application_id);
    SELECT RAISE(ABORT, 'numbers_refer_application_exists') WHERE NEW.refer_application_id IS NOT NULL AND NOT EXISTS
        (SELECT 1 FROM applications WHERE id = NEW.refer_application_id);
    SELECT RAISE(ABORT, 'numbers_ussd_application_exists') WHERE NEW.ussd_application_id IS NOT NULL AND NOT EXISTS
        (SELECT 1 FROM applications WHERE id = NEW.ussd_application_id);
END;
CREATE TRIGGER numbers_update_references BEFORE UPDATE OF account_id, voice_application_id, sms_application_id, refer_application_id, ussd_application_id ON numbers BEGIN
    SELECT RAISE(ABORT, 'numbers_account_exists') WHERE NOT EXISTS
        (SELECT 1 FROM accounts WHERE id = NEW.account_id OR (NEW.account_id = '' AND is_default));
    SELECT RAISE(ABORT, 'numbers_voice_application_exists') WHERE NEW.voice_application_id IS NOT NULL AND NOT EXISTS
        (SELECT 1 FROM applications WHERE id = NEW.voice_application_id);
    SELECT RAISE(ABORT, 'numbers_sms_application_exists') WHERE NEW.sms_application_id IS NOT NULL AND NOT EXISTS
        (SELECT 1 FROM applications WHERE id = NEW.sms_application_id);
    SELECT RAISE(ABORT, 'numbers_refer_application_exists') WHERE NEW.refer_application_id IS NOT NULL AND NOT EXISTS
        (SELECT 1 FROM applications WHERE id = NEW.refer_application_id);
    SELECT RAISE(ABORT, 'numbers_ussd_application_exists') WHERE NEW.ussd_application_id IS NOT NULL AND NOT EXISTS
        (SELECT 1 FROM applications WHERE id = NEW.ussd_application_id);
END;
CREATE TRIGGER trunks_insert_references BEFORE INSERT ON trunks BEGIN
    SELECT RAISE(ABORT, 'trunks_organization_exists') WHERE NEW.organization_id IS NOT NULL AND NOT EXISTS
        (SELECT 1 FROM organizations WHERE id = NEW.organization_id);
END;
CREATE TRIGGER trunks_update_references BEFORE UPDATE OF organization_id ON trunks BEGIN
    SELECT RAISE(ABORT, 'trunks_organization_exists') WHERE NEW.organization_id IS NOT NULL AND NOT EXISTS
        (SELECT 1 FROM organizations WHERE id = NEW.organization_id);
END;
CREATE TRIGGER gateways_insert_references BEFORE INSERT ON gateways BEGIN
    SELECT RAISE(ABORT, 'gateways_organization_exists') WHERE NEW.organization_id IS NOT NULL AND NOT EXISTS
        (SELECT 1 FROM organizations WHERE id = NEW.organization_id);
END;
CREATE TRIGGER gateways_update_references BEFORE UPDATE OF organization_id ON gateways BEGIN
    SELECT RAISE(ABORT, 'gateways_organization_exists') WHERE NEW.organization_id IS NOT NULL AND NOT EXISTS
        (SELECT 1 FROM organizations WHERE id = NEW.organization_id);
END;
CREATE TRIGGER applications_delete_references BEFORE DELETE ON applications BEGIN
    SELECT RAISE(ABORT, 'organizations_default_application_exists') WHERE EXISTS (SELECT 1 FROM organizations WHERE default_application_id = OLD.id);
    SELECT RAISE(ABORT, 'accounts_default_application_exists') WHERE EXISTS (SELECT 1 FROM accounts WHERE default_application_id = OLD.id);
    SELECT RAISE(ABORT, 'numbers_voice_application_exists') WHERE EXISTS (SELECT 1 FROM numbers WHERE voice_application_id = OLD.id);
    SELECT RAISE(ABORT, 'numbers_sms_application_exists') WHERE EXISTS (SELECT 1 FROM numbers WHERE sms_application_id = OLD.id);
    SELECT RAISE(ABORT, 'numbers_refer_application_exists') WHERE EXISTS (SELECT 1 FROM numbers WHERE refer_application_id = OLD.id);
    SELECT RAISE(ABORT, 'numbers_ussd_application_exists') WHERE EXISTS (SELECT 1 FROM numbers WHERE ussd_application_id = OLD.id);
END;
CREATE TRIGGER applications_id_references BEFORE UPDATE OF id ON applications WHEN OLD.id <> NEW.id BEGIN
    SELECT RAISE(ABORT, 'organizations_default_application_exists') WHERE EXISTS (SELECT 1 FROM organizations WHERE default_application_id = OLD.id);
    SELECT RAISE(ABORT, 'accounts_default_application_exists') WHERE EXISTS (SELECT 1 FROM accounts WHERE default_application_id = OLD.id);
    SELECT RAISE(ABORT, 'numbers_voice_application_exists') WHERE EXISTS (SELECT 1 FROM numbers WHERE voice_application_id = OLD.id);
    SELECT RAISE(ABORT, 'numbers_sms_application_exists') WHERE EXISTS (SELECT 1 FROM numbers WHERE sms_application_id = OLD.id);
    SELECT RAISE(ABORT, 'numbers_refer_application_exists') WHERE EXISTS (SELECT 1 FROM numbers WHERE refer_application_id = OLD.id);
    SELECT RAISE(ABORT, 'numbers_ussd_application_exists') WHERE EXISTS (SELECT 1 FROM numbers WHERE ussd_application_id = OLD.id);
END;
CREATE TRIGGER organizations_delete_references BEFORE DELETE ON organizations BEGIN
    SELECT RAISE(ABORT, 'accounts_organization_exists') WHERE EXISTS (SELECT 1 FROM accounts WHERE organization_id = OLD.id);
    SELECT RAISE(ABORT, 'trunks_organization_exists') WHERE EXISTS (SELECT 1 FROM trunks WHERE organization_id = OLD.id);
    SELECT RAISE(ABORT, 'gateways_organization_exists') WHERE EXISTS (SELECT 1 FROM gateways WHERE organization_id = OLD.id);
END;
CREATE TRIGGER organizations_id_references BEFORE UPDATE OF id ON organizations WHEN OLD.id <> NEW.id BEGIN
    SELECT RAISE(ABORT, 'accounts_organization_exists') WHERE EXISTS (SELECT 1 FROM accounts WHERE organization_id = OLD.id);
    SELECT RAISE(ABORT, 'trunks_organization_exists') WHERE EXISTS (SELECT 1 FROM trunks WHERE organization_id = OLD.id);
    SELECT RAISE(ABORT, 'gateways_organization_exists') WHERE EXISTS (SELECT 1 FROM gateways WHERE organization_id = OLD.id);
END;
CREATE TRIGGER accounts_delete_references BEFORE DELETE ON accounts BEGIN
    SELECT RAISE(ABORT, 'accounts_parent_exists') WHERE EXISTS (SELECT 1 FROM accounts WHERE parent_id = OLD.id);
    SELECT RAISE(ABORT, 'applications_account_exists') WHERE EXISTS (SELECT 1 FROM applications WHERE account_id = OLD.id);
    SELECT RAISE(ABORT, 'numbers_account_exists') WHERE EXISTS (SELECT 1 FROM numbers WHERE account_id = OLD.id);
END;
CREATE TRIGGER accounts_id_references BEFORE UPDATE OF id ON accounts WHEN OLD.id <> NEW.id BEGIN
    SELECT RAISE(ABORT, 'accounts_parent_exists') WHERE EXISTS (SELECT 1 FROM accounts WHERE parent_id = OLD.id);
    SELECT RAISE(ABORT, 'applications_account_exists') WHERE EXISTS (SELECT 1 FROM applications WHERE account_id = OLD.id);
    SELECT RAISE(ABORT, 'numbers_account_exists') WHERE EXISTS (SELECT 1 FROM numbers WHERE account_id = OLD.id);
END;
