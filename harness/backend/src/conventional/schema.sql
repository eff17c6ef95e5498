-- The conventional system's database. Run by an administrator in a database of
-- its own; {owner}, {gateway} and {relay} are roles that were made before.
--
-- {owner} owns everything and cannot log in. {gateway} works for one tenant at
-- a time, which its session names in app.tenant; row-level security shows it
-- nothing else. {relay} reads what is to be published, of all tenants, and marks
-- it. Nobody who logs in may do more.

CREATE SCHEMA kab AUTHORIZATION {owner};
SET ROLE {owner};

CREATE SEQUENCE kab.revision;

CREATE TABLE kab.todo (
    tenant   text COLLATE "C" NOT NULL DEFAULT current_setting('app.tenant'),
    code     text COLLATE "C" NOT NULL,
    id       uuid NOT NULL DEFAULT gen_random_uuid(),
    message  text NOT NULL,
    due      timestamptz NOT NULL,
    -- Which state of it this is: the number of its line in the outbox.
    revision bigint NOT NULL,
    -- The operation that wrote this state, if it is known.
    op       text,
    PRIMARY KEY (tenant, code),
    UNIQUE (tenant, id),
    CONSTRAINT code_length CHECK (char_length(code) BETWEEN 1 AND 253),
    -- Unicode's white space, as the rules have it, whatever the locale.
    CONSTRAINT message_blank CHECK (btrim(message, E'\u0009\u000A\u000B\u000C\u000D\u0020\u0085\u00A0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200A\u2028\u2029\u202F\u205F\u3000') <> ''),
    CONSTRAINT message_length CHECK (char_length(message) <= {longest_message}),
    CONSTRAINT due_year CHECK (
        due >= '{first_year}-01-01 00:00:00+00' AND due < '{end_year}-01-01 00:00:00+00')
);

-- "Which are due at ...?", page by page. "All, by code" has the primary key.
CREATE INDEX todo_due ON kab.todo (tenant, due, code);

-- What happened, a line a change, written in the transaction of the change. It
-- is what the relay publishes, and the history that changes are read from.
CREATE TABLE kab.outbox (
    revision  bigint PRIMARY KEY,
    -- The transaction. Numbers of a sequence are drawn before the commit, so a
    -- line with a lower number may appear after one with a higher. Whoever
    -- reads on from a position reads in the order of (tx, revision), and only
    -- transactions older than all that are under way: of those none can appear
    -- any more.
    tx        xid8 NOT NULL DEFAULT pg_current_xact_id(),
    tenant    text COLLATE "C" NOT NULL,
    kind      text NOT NULL CHECK (kind IN ('created', 'updated', 'deleted')),
    id        uuid NOT NULL,
    code      text NOT NULL,
    message   text NOT NULL,
    due       timestamptz NOT NULL,
    op        text,
    at        timestamptz NOT NULL DEFAULT now(),
    -- When the broker had it for sure; null until then. The relay takes what is
    -- null, so that it cannot pass over a line that appears late.
    published timestamptz
);
CREATE INDEX outbox_unpublished ON kab.outbox (revision) WHERE published IS NULL;
CREATE INDEX outbox_history ON kab.outbox (tenant, tx, revision);

-- The last notification of each Todo that an application was given. It goes with
-- the Todo.
CREATE TABLE kab.notification (
    tenant    text COLLATE "C" NOT NULL DEFAULT current_setting('app.tenant'),
    todo_id   uuid NOT NULL,
    issued_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, todo_id),
    FOREIGN KEY (tenant, todo_id) REFERENCES kab.todo (tenant, id) ON DELETE CASCADE
);

-- Before a row is written: its revision, and the rule about two states.
CREATE FUNCTION kab.judge() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.tenant, NEW.code, NEW.id) IS DISTINCT FROM (OLD.tenant, OLD.code, OLD.id) THEN
            RAISE EXCEPTION 'tenant, code and id of a Todo do not change'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'identity_fixed';
        END IF;
        IF NEW.due > OLD.due + interval '{longest_delay_hours} hours' THEN
            RAISE EXCEPTION 'due is put off too far'
                USING ERRCODE = 'check_violation', CONSTRAINT = 'due_put_off';
        END IF;
        -- Who does not say which operation this is, is not the one before.
        IF NEW.op IS NOT DISTINCT FROM OLD.op THEN
            NEW.op := NULL;
        END IF;
    END IF;
    NEW.revision := nextval('kab.revision');
    RETURN NEW;
END $$;
CREATE TRIGGER judge BEFORE INSERT OR UPDATE ON kab.todo
    FOR EACH ROW EXECUTE FUNCTION kab.judge();

-- After it: its line in the outbox, whoever wrote the row.
CREATE FUNCTION kab.announce() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        INSERT INTO kab.outbox (revision, tenant, kind, id, code, message, due, op)
        VALUES (nextval('kab.revision'), OLD.tenant, 'deleted', OLD.id, OLD.code, OLD.message,
                OLD.due, nullif(current_setting('app.op', true), ''));
    ELSE
        INSERT INTO kab.outbox (revision, tenant, kind, id, code, message, due, op)
        VALUES (NEW.revision, NEW.tenant, CASE TG_OP WHEN 'INSERT' THEN 'created' ELSE 'updated' END,
                NEW.id, NEW.code, NEW.message, NEW.due, NEW.op);
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER announce AFTER INSERT OR UPDATE OR DELETE ON kab.todo
    FOR EACH ROW EXECUTE FUNCTION kab.announce();
REVOKE ALL ON FUNCTION kab.judge(), kab.announce() FROM PUBLIC;

-- Who sees which rows; the owner, too.
ALTER TABLE kab.todo ENABLE ROW LEVEL SECURITY;
ALTER TABLE kab.todo FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON kab.todo
    USING (tenant = current_setting('app.tenant', true))
    WITH CHECK (tenant = current_setting('app.tenant', true));
ALTER TABLE kab.outbox ENABLE ROW LEVEL SECURITY;
ALTER TABLE kab.outbox FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON kab.outbox FOR SELECT TO {gateway}
    USING (tenant = current_setting('app.tenant', true));
CREATE POLICY announced ON kab.outbox FOR INSERT TO {owner} WITH CHECK (true);
CREATE POLICY relayed ON kab.outbox TO {relay} USING (true) WITH CHECK (true);
ALTER TABLE kab.notification ENABLE ROW LEVEL SECURITY;
ALTER TABLE kab.notification FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON kab.notification
    USING (tenant = current_setting('app.tenant', true))
    WITH CHECK (tenant = current_setting('app.tenant', true));

-- Who may do what.
GRANT USAGE ON SCHEMA kab TO {gateway}, {relay};
GRANT SELECT, DELETE ON kab.todo TO {gateway};
GRANT INSERT (tenant, code, message, due, op), UPDATE (message, due, op) ON kab.todo TO {gateway};
GRANT SELECT ON kab.outbox TO {gateway};
GRANT SELECT, INSERT, UPDATE ON kab.notification TO {gateway};
GRANT SELECT, UPDATE (published) ON kab.outbox TO {relay};

RESET ROLE;
