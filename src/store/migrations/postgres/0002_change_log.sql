-- The change log: statement triggers raise one number whose row lock makes number order commit order.

ALTER TABLE organizations ADD CONSTRAINT organizations_default_application_exists
    FOREIGN KEY (default_application_id) REFERENCES applications (id);
ALTER TABLE accounts
    ADD CONSTRAINT accounts_organization_exists FOREIGN KEY (organization_id) REFERENCES organizations (id),
    ADD CONSTRAINT accounts_parent_exists FOREIGN KEY (parent_id) REFERENCES accounts (id),
    ADD CONSTRAINT accounts_default_application_exists FOREIGN KEY (default_application_id) REFERENCES applications (id);
ALTER TABLE applications ADD CONSTRAINT applications_account_exists FOREIGN KEY (account_id) REFERENCES accounts (id);
ALTER TABLE numbers
    ADD CONSTRAINT numbers_account_exists FOREIGN KEY (account_id) REFERENCES accounts (id),
    ADD CONSTRAINT numbers_voice_application_exists FOREIGN KEY (voice_application_id) REFERENCES applications (id),
    ADD CONSTRAINT numbers_sms_application_exists FOREIGN KEY (sms_application_id) REFERENCES applications (id),
    ADD CONSTRAINT numbers_refer_application_exists FOREIGN KEY (refer_application_id) REFERENCES applications (id),
    ADD CONSTRAINT numbers_ussd_application_exists FOREIGN KEY (ussd_application_id) REFERENCES applications (id);
ALTER TABLE trunks ADD CONSTRAINT trunks_organization_exists FOREIGN KEY (organization_id) REFERENCES organizations (id);
ALTER TABLE gateways ADD CONSTRAINT gateways_organization_exists FOREIGN KEY (organization_id) REFERENCES organizations (id);

CREATE TABLE generation (
    only_row    BOOLEAN NOT NULL PRIMARY KEY DEFAULT TRUE CHECK (only_row),
    number      BIGINT NOT NULL
);
INSERT INTO generation (number) VALUES (0);

CREATE TABLE change_log (
    entry       BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    generation  BIGINT NOT NULL,
    kind        TEXT NOT NULL,
    id          TEXT,
    organization_id TEXT,
    number      TEXT {{bytes}},
    at          TEXT NOT NULL DEFAULT ({{now}}),
    -- What happened to the row `id` of the table `subject`: insert, update or delete. `before` is the row as it was,
    -- without what is NULL; secrets are in it only where the row went. Entries without `op` are further names of
    -- the same change.
    subject     TEXT,
    op          TEXT,
    before      TEXT,
    tx          BIGINT NOT NULL DEFAULT (txid_current())
);
CREATE INDEX change_log_generation ON change_log (generation);
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

CREATE FUNCTION callgate_next_generation() RETURNS BIGINT LANGUAGE plpgsql AS $$
DECLARE step BIGINT;
BEGIN
    UPDATE generation SET number = number + 1 RETURNING number INTO step;
    PERFORM pg_notify('callgate_generation', step::text);
    RETURN step;
END $$;

-- Rows that got another id are new ones by that.
CREATE FUNCTION callgate_log_identities(step BIGINT, tab TEXT, ids TEXT[]) RETURNS VOID LANGUAGE sql AS $$
    INSERT INTO change_log (generation, kind, id, subject, op) SELECT step, 'identity', id, tab, 'insert' FROM unnest(ids) AS id;
$$;

-- A statement that touches more rows than this is one entry, and a reload; which rows is not known then.
CREATE FUNCTION callgate_log_numbers() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
    touched BIGINT := 0;
    step BIGINT;
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT count(*) INTO touched FROM (SELECT 1 FROM new_rows LIMIT 100001) AS few;
    ELSE
        SELECT count(*) INTO touched FROM (SELECT 1 FROM old_rows LIMIT 100001) AS few;
    END IF;
    IF touched = 0 THEN
        RETURN NULL;
    END IF;
    step := callgate_next_generation();
    IF touched > 100000 THEN
        INSERT INTO change_log (generation, kind) VALUES (step, 'everything');
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        INSERT INTO change_log (generation, kind, id, organization_id, number, subject, op, before)
            SELECT step, 'number', id, organization_id, number, 'numbers', lower(TG_OP),
                (jsonb_strip_nulls(to_jsonb(old_rows)) - ARRAY['scope', 'shape', 'called'])::text FROM old_rows;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO change_log (generation, kind, id, organization_id, number, subject, op)
            SELECT step, 'number', id, organization_id, number, 'numbers', CASE TG_OP WHEN 'INSERT' THEN 'insert' END
            FROM new_rows;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        PERFORM callgate_log_identities(step, 'numbers',
            ARRAY(SELECT id FROM new_rows EXCEPT SELECT id FROM old_rows));
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION callgate_log_frame() RETURNS TRIGGER LANGUAGE plpgsql AS $$
DECLARE
    secrets CONSTANT TEXT[] := ARRAY[{{secrets}}];
    step BIGINT;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NOT EXISTS (SELECT 1 FROM new_rows) THEN
            RETURN NULL;
        END IF;
        step := callgate_next_generation();
        INSERT INTO change_log (generation, kind, id, subject, op) SELECT step, 'frame', id, TG_TABLE_NAME, 'insert' FROM new_rows;
        RETURN NULL;
    END IF;
    IF NOT EXISTS (SELECT 1 FROM old_rows) THEN
        RETURN NULL;
    END IF;
    step := callgate_next_generation();
    IF TG_OP = 'DELETE' THEN
        INSERT INTO change_log (generation, kind, id, subject, op, before)
            SELECT step, 'frame', id, TG_TABLE_NAME, 'delete', jsonb_strip_nulls(to_jsonb(old_rows))::text FROM old_rows;
        RETURN NULL;
    END IF;
    INSERT INTO change_log (generation, kind, id, subject, op, before)
        SELECT step, 'frame', id, TG_TABLE_NAME, 'update', (jsonb_strip_nulls(to_jsonb(old_rows)) - secrets)::text FROM old_rows;
    PERFORM callgate_log_identities(step, TG_TABLE_NAME, ARRAY(SELECT id FROM new_rows EXCEPT SELECT id FROM old_rows));
    RETURN NULL;
END $$;

CREATE FUNCTION callgate_log_everything() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO change_log (generation, kind) VALUES (callgate_next_generation(), 'everything');
    RETURN NULL;
END $$;

-- Owners that SQL by hand leaves out, and the organization, which is always the account's.
CREATE FUNCTION callgate_own_number() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.account_id = '' THEN
        NEW.account_id := coalesce((SELECT id FROM accounts WHERE is_default), '');
    END IF;
    NEW.organization_id := coalesce((SELECT organization_id FROM accounts WHERE id = NEW.account_id), '');
    IF TG_OP = 'UPDATE' AND NEW.updated_at = OLD.updated_at THEN
        NEW.updated_at := {{now}};
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION callgate_own_application() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.account_id = '' THEN
        NEW.account_id := coalesce((SELECT id FROM accounts WHERE is_default), '');
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION callgate_own_account() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.organization_id = '' THEN
        NEW.organization_id := coalesce((SELECT id FROM organizations WHERE is_default), '');
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION callgate_touch() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.updated_at = OLD.updated_at THEN
        NEW.updated_at := {{now}};
    END IF;
    RETURN NEW;
END $$;

-- An account that moves takes its numbers along.
CREATE FUNCTION callgate_move_numbers() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    UPDATE numbers SET organization_id = NEW.organization_id WHERE account_id = NEW.id;
    RETURN NULL;
END $$;

CREATE TRIGGER numbers_own BEFORE INSERT OR UPDATE ON numbers FOR EACH ROW EXECUTE FUNCTION callgate_own_number();
CREATE TRIGGER numbers_insert AFTER INSERT ON numbers
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION callgate_log_numbers();
CREATE TRIGGER numbers_update AFTER UPDATE ON numbers
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION callgate_log_numbers();
CREATE TRIGGER numbers_delete AFTER DELETE ON numbers
    REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION callgate_log_numbers();
CREATE TRIGGER numbers_truncate AFTER TRUNCATE ON numbers FOR EACH STATEMENT EXECUTE FUNCTION callgate_log_everything();

CREATE TRIGGER applications_own BEFORE INSERT OR UPDATE ON applications FOR EACH ROW EXECUTE FUNCTION callgate_own_application();
CREATE TRIGGER accounts_own BEFORE INSERT OR UPDATE ON accounts FOR EACH ROW EXECUTE FUNCTION callgate_own_account();
CREATE TRIGGER accounts_move AFTER UPDATE ON accounts FOR EACH ROW
    WHEN (OLD.organization_id <> NEW.organization_id) EXECUTE FUNCTION callgate_move_numbers();

DO $$
DECLARE tab TEXT;
BEGIN
    FOREACH tab IN ARRAY ARRAY['organizations', 'accounts', 'applications', 'trunks', 'gateways'] LOOP
        EXECUTE format('CREATE TRIGGER %1$s_touch BEFORE UPDATE ON %1$s FOR EACH ROW EXECUTE FUNCTION callgate_touch()', tab);
        EXECUTE format('CREATE TRIGGER %1$s_insert AFTER INSERT ON %1$s REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION callgate_log_frame()', tab);
        EXECUTE format('CREATE TRIGGER %1$s_update AFTER UPDATE ON %1$s REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION callgate_log_frame()', tab);
        EXECUTE format('CREATE TRIGGER %1$s_delete AFTER DELETE ON %1$s REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT EXECUTE FUNCTION callgate_log_frame()', tab);
        EXECUTE format('CREATE TRIGGER %1$s_truncate AFTER TRUNCATE ON %1$s FOR EACH STATEMENT EXECUTE FUNCTION callgate_log_everything()', tab);
    END LOOP;
END $$;
