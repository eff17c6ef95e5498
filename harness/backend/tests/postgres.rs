//! The store over PostgreSQL, against a real one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may")]

#[path = "support/conventional.rs"]
mod support;

use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use kab_backend::rules::{Content, LONGEST_MESSAGE, judge};
use kab_backend::store::postgres::PostgresStore;
use kab_backend::store::{
    Change, ChangeKind, Draft, Notice, Notices, Position, Query, Refused, Revision, Store, Write,
};
use kab_lab::process::Supervisor;
use support::{Base, client, draft, op};

/// Far beyond what anything here takes: only a test that fails waits so long.
const PATIENCE: Duration = Duration::from_secs(30);

type Changes = BoxStream<'static, Result<Change, Refused>>;

async fn next(changes: &mut Changes) -> Change {
    let next = tokio::time::timeout(PATIENCE, changes.next()).await;
    next.expect("no change came").unwrap().unwrap()
}

#[tokio::test]
async fn an_entity_is_made_read_changed_and_removed() {
    let base = Base::new().await;
    let store = base.store("a").await;
    let made = store.create(Some(op(1)), &draft("x")).await.answer.unwrap();
    assert_eq!((made.code.as_str(), made.op), ("x", Some(op(1))));
    assert_eq!(made.when, "2030-03-06T23:52:48Z");
    assert_eq!(store.get(None, "x").await.answer.unwrap(), made);

    let eggs = Draft { message: "eggs".into(), ..draft("x") };
    let changed = store.update(None, &eggs, Some(&made.revision)).await.answer.unwrap();
    assert_eq!((changed.message.as_str(), &changed.id, changed.op), ("eggs", &made.id, None));
    assert_ne!(changed.revision, made.revision);

    let gone = store.delete(Some(op(3)), "x", None).await.answer.unwrap();
    assert_eq!(gone, changed);
    assert!(matches!(store.get(None, "x").await.answer, Err(Refused::NotFound(_))));
    let again = store.create(None, &draft("x")).await.answer.unwrap();
    assert_ne!(again.id, made.id);
}

#[tokio::test]
async fn every_refusal_is_told_apart() {
    let base = Base::new().await;
    let store = base.store("a").await;
    let made = store.create(None, &draft("x")).await.answer.unwrap();
    let create = async |draft: Draft<'_>| store.create(None, &draft).await.answer;

    assert!(matches!(create(draft("x")).await, Err(Refused::Conflict(_))));
    let stale = Revision("1000000".to_owned());
    for stale in [&stale, &Revision("elsewhere".to_owned())] {
        let refused = store.update(None, &draft("x"), Some(stale)).await.answer;
        assert!(matches!(refused, Err(Refused::Conflict(_))), "{refused:?}");
        let refused = store.delete(None, "x", Some(stale)).await.answer;
        assert!(matches!(refused, Err(Refused::Conflict(_))), "{refused:?}");
    }
    assert_eq!(store.get(None, "x").await.answer.unwrap(), made, "nothing was changed");
    let refused = store.update(None, &draft("y"), None).await.answer;
    assert!(matches!(refused, Err(Refused::NotFound(_))), "{refused:?}");
    let refused = store.delete(None, "y", Some(&made.revision)).await.answer;
    assert!(matches!(refused, Err(Refused::NotFound(_))), "{refused:?}");

    let zero = Draft { message: "a\0b".into(), ..draft("z") };
    assert!(matches!(create(zero).await, Err(Refused::Invalid(_))));
    let code = "c".repeat(254);
    assert!(matches!(create(draft(&code)).await, Err(Refused::Invalid(_))));
    let refused = create(Draft { message: " ".into(), when: "soon".into(), ..draft("z") }).await;
    let Err(Refused::Invalid(why)) = refused else { panic!("{refused:?}") };
    assert!(why.contains("message:") && why.contains("when:"), "{why}");

    let denied = format!("REVOKE DELETE ON kab.todo FROM {}", gateway_role(&base).await);
    base.admin.batch_execute(&denied).await.unwrap();
    let refused = store.delete(None, "x", None).await.answer;
    assert!(matches!(refused, Err(Refused::Denied(_))), "{refused:?}");

    let stranger = base.database.gateway_url().replace("_gateway:", "_gateway:x");
    assert!(PostgresStore::connect(&stranger, "a", 1).await.is_err());
}

async fn gateway_role(base: &Base) -> String {
    let name: String = base.admin.query_one("SELECT current_database()", &[]).await.unwrap().get(0);
    format!("{name}_gateway")
}

/// The database and `rules.rs` must not differ.
#[tokio::test]
async fn the_database_has_the_same_rules() {
    let base = Base::new().await;
    let store = base.store("a").await;
    let (long, longest) = ("é".repeat(LONGEST_MESSAGE + 1), "é".repeat(LONGEST_MESSAGE));
    let messages = ["milk", "", " \t\r\n", "\u{a0}\u{2003}\u{3000}", "\u{200b}", &long, &longest];
    let whens = [
        "2030-03-06T23:52:48Z",
        "2000-01-01T00:00:00Z",
        "1999-12-31T23:59:59Z",
        "2099-12-31T23:59:59.999999Z",
        "2100-01-01T00:00:00Z",
        "2000-01-01T00:30:00+01:00",
        "tomorrow",
    ];
    for (m, message) in messages.into_iter().enumerate() {
        for (w, when) in whens.into_iter().enumerate() {
            let code = format!("{m}-{w}");
            let draft = Draft { code: code.into(), message: message.into(), when: when.into() };
            let judged = judge(Content { message, when }, None);
            let answer = store.create(None, &draft).await.answer;
            let invalid = matches!(answer, Err(Refused::Invalid(_)));
            let start: String = message.chars().take(9).collect();
            assert_eq!(invalid, !judged.is_empty(), "{start:?} {when}: {judged:?}");
            assert_eq!(answer.is_ok(), judged.is_empty(), "{start:?} {when}");
        }
    }
    // The rule about two states: 3650 days, and a second more.
    let at = |code, when| Draft { when: std::borrow::Cow::Borrowed(when), ..draft(code) };
    for (code, later, allowed) in
        [("near", "2029-12-29T00:00:00Z", true), ("far", "2029-12-29T00:00:01Z", false)]
    {
        store.create(None, &at(code, "2020-01-01T00:00:00Z")).await.answer.unwrap();
        let content = |when| Content { message: "milk", when };
        let judged = judge(content(later), Some(content("2020-01-01T00:00:00Z")));
        assert_eq!(judged.is_empty(), allowed);
        let answer = store.update(None, &at(code, later), None).await.answer;
        assert_eq!(answer.is_ok(), allowed, "{answer:?}");
        assert_eq!(matches!(answer, Err(Refused::Invalid(_))), !allowed);
    }
}

#[tokio::test]
async fn pages_cover_everything_once_in_order_and_the_filter_holds() {
    let base = Base::new().await;
    let store = base.store("a").await;
    let empty = store.list(None, &Query::default()).await.answer.unwrap();
    assert!(empty.items.is_empty() && empty.next.is_none() && empty.revision.is_some());
    // Bytes, not letters: capitals come first.
    let codes = ["B", "a", "aa", "b", "ä"];
    for code in codes {
        let when = if code == "aa" { "2031-01-01T01:00:00+01:00" } else { "2030-01-01T00:00:00Z" };
        store.create(None, &Draft { when: when.into(), ..draft(code) }).await.answer.unwrap();
    }
    let (mut seen, mut from) = (Vec::new(), None);
    loop {
        let query = Query { limit: Some(2), from, ..Query::default() };
        let page = store.list(None, &query).await.answer.unwrap();
        assert!(page.items.len() <= 2);
        seen.extend(page.items.into_iter().map(|entity| entity.code));
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    assert_eq!(seen, codes);
    let due = Query { when: Some("2031-01-01T00:00:00Z".to_owned()), ..Query::default() };
    let page = store.list(None, &due).await.answer.unwrap();
    assert_eq!(page.items.len(), 1);
    assert_eq!(page.items[0].code, "aa", "the same moment, written in another way");
}

/// Among many rows, the planner takes the index that is meant for a query.
#[tokio::test]
async fn every_query_has_an_index() {
    let base = Base::new().await;
    let role = gateway_role(&base).await;
    let many = "ALTER TABLE kab.todo DISABLE TRIGGER USER;
        INSERT INTO kab.todo (tenant, code, message, due, revision)
        SELECT 'a', 'c' || n, 'm', '2030-01-01Z'::timestamptz + n * interval '1 hour', n
        FROM generate_series(1, 20000) n;
        ANALYZE kab.todo;";
    base.admin.batch_execute(many).await.unwrap();
    base.admin
        .batch_execute(&format!("SET app.tenant = 'a'; SET enable_seqscan = off; SET ROLE {role}"))
        .await
        .unwrap();
    for (query, index) in [
        ("SELECT * FROM kab.todo WHERE code = 'x'", "todo_pkey"),
        ("SELECT * FROM kab.todo WHERE code > 'x' ORDER BY code LIMIT 5", "todo_pkey"),
        (
            "SELECT * FROM kab.todo WHERE code > 'x' AND due = now() ORDER BY code LIMIT 5",
            "todo_due",
        ),
        (
            "SELECT * FROM kab.outbox WHERE tenant = 'a' AND (tx, revision) > ('7', 7) \
             ORDER BY tx, revision LIMIT 5",
            "outbox_history",
        ),
    ] {
        let plan = base.admin.query(&format!("EXPLAIN {query}"), &[]).await.unwrap();
        let plan: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
        let plan = plan.join("\n");
        assert!(plan.contains(index) && !plan.contains("Sort"), "{query}\n{plan}");
    }
}

#[tokio::test]
async fn another_tenants_rows_are_neither_seen_nor_written() {
    let base = Base::new().await;
    let (a, b) = (base.store("a").await, base.store("b").await);
    a.create(None, &draft("x")).await.answer.unwrap();
    let mine = b.create(None, &draft("x")).await.answer.unwrap();
    b.delete(None, "x", None).await.answer.unwrap();
    assert!(matches!(b.get(None, "x").await.answer, Err(Refused::NotFound(_))));
    assert!(matches!(b.update(None, &draft("x"), None).await.answer, Err(Refused::NotFound(_))));
    assert!(matches!(b.delete(None, "x", None).await.answer, Err(Refused::NotFound(_))));
    assert_eq!(b.list(None, &Query::default()).await.answer.unwrap().items, []);
    let mut told = b.changes(Position::After(mine.revision)).await.answer.unwrap();
    assert_eq!(next(&mut told).await.kind, ChangeKind::Deleted);
    // Nor by whoever writes SQL as the gateway's user.
    let raw = client(base.database.gateway_url()).await;
    raw.batch_execute("SET app.tenant = 'b'").await.unwrap();
    let smuggled = "INSERT INTO kab.todo (tenant, code, message, due) VALUES ('a', 'y', 'm', \
                    '2030-01-01Z')";
    assert_eq!(raw.execute(smuggled, &[]).await.unwrap_err().code().unwrap().code(), "42501");
    assert_eq!(raw.execute("UPDATE kab.todo SET message = 'm'", &[]).await.unwrap(), 0);
    let marked = raw.execute("UPDATE kab.outbox SET published = now()", &[]).await.unwrap_err();
    assert_eq!(marked.code().unwrap().code(), "42501");

    // Without the wall, all of this is seen: it is the wall that holds it back.
    base.admin.batch_execute("ALTER TABLE kab.todo DISABLE ROW LEVEL SECURITY").await.unwrap();
    assert_eq!(b.get(None, "x").await.answer.unwrap().code, "x");
    assert_eq!(raw.execute(smuggled, &[]).await.unwrap(), 1);
}

#[tokio::test]
async fn a_transaction_is_all_or_nothing() {
    let base = Base::new().await;
    let store = base.store("a").await;
    let kept = store.create(None, &draft("kept")).await.answer.unwrap();
    let eggs = Draft { message: "eggs".into(), ..draft("kept") };
    let writes =
        [Write::Create(draft("new")), Write::Update(eggs.clone()), Write::Delete("missing".into())];
    let refused = store.transact(None, &writes).await.answer;
    assert!(matches!(refused, Err(Refused::NotFound(_))), "{refused:?}");
    assert_eq!(store.get(None, "kept").await.answer.unwrap(), kept);
    assert!(matches!(store.get(None, "new").await.answer, Err(Refused::NotFound(_))));
    let outbox: i64 =
        base.admin.query_one("SELECT count(*) FROM kab.outbox", &[]).await.unwrap().get(0);
    assert_eq!(outbox, 1, "nothing was announced either");

    let writes = [Write::Create(draft("new")), Write::Update(eggs), Write::Delete("kept".into())];
    let done = store.transact(Some(op(9)), &writes).await.answer.unwrap();
    let codes: Vec<_> = done.iter().map(|entity| entity.code.as_str()).collect();
    assert_eq!(codes, ["new", "kept", "kept"]);
    assert_eq!(done[2].message, "eggs");
    assert!(matches!(store.get(None, "kept").await.answer, Err(Refused::NotFound(_))));
}

#[tokio::test]
async fn changes_are_told_once_in_order_and_can_be_gone_on_with() {
    let base = Base::new().await;
    let store = base.store("a").await;
    let before = store.create(Some(op(1)), &draft("before")).await.answer.unwrap();
    let page = store.list(None, &Query::default()).await.answer.unwrap();
    let mut now = store.changes(Position::Now).await.answer.unwrap();
    let mut since = store.changes(Position::After(page.revision.unwrap())).await.answer.unwrap();
    let mut all = store.changes(Position::After(before.revision.clone())).await.answer.unwrap();

    store.create(Some(op(2)), &draft("x")).await.answer.unwrap();
    let made = store.get(None, "x").await.answer.unwrap();
    store.update(Some(op(3)), &draft("x"), None).await.answer.unwrap();
    store.delete(Some(op(4)), "x", None).await.answer.unwrap();
    for changes in [&mut now, &mut since, &mut all] {
        let mut got = Vec::new();
        for _ in 0..3 {
            got.push(next(changes).await);
        }
        let kinds: Vec<_> = got.iter().map(|change| change.kind).collect();
        assert_eq!(kinds, [ChangeKind::Created, ChangeKind::Updated, ChangeKind::Deleted]);
        let ops: Vec<_> = got.iter().map(|change| change.entity.op).collect();
        assert_eq!(ops, [Some(op(2)), Some(op(3)), Some(op(4))]);
        assert!(got.iter().all(|change| change.entity.id == made.id));
        assert_eq!(got[0].entity, made);
    }
    // From the middle on.
    let mut rest = store.changes(Position::After(made.revision)).await.answer.unwrap();
    assert_eq!(next(&mut rest).await.kind, ChangeKind::Updated);
    for foreign in ["9999999", "elsewhere"] {
        let refused = store.changes(Position::After(Revision(foreign.to_owned()))).await.answer;
        assert!(matches!(refused, Err(Refused::Expired(_))));
    }
}

/// A slow transaction has its revision before a fast one, and its commit after:
/// whoever read on from the highest revision seen would pass over it.
#[tokio::test]
async fn a_slow_transaction_is_not_passed_over() {
    let base = Base::new().await;
    let store = base.store("a").await;
    let mut changes = store.changes(Position::Now).await.answer.unwrap();
    let slow = client(base.database.gateway_url()).await;
    let insert = "SET app.tenant = 'a'; BEGIN; INSERT INTO kab.todo (code, message, due) \
                  VALUES ('slow', 'm', '2030-01-01Z')";
    slow.batch_execute(insert).await.unwrap();
    store.create(None, &draft("fast")).await.answer.unwrap();
    // The naive reader's view: the lower revision is not there.
    let visible = "SELECT code FROM kab.outbox ORDER BY revision";
    let codes = |rows: Vec<tokio_postgres::Row>| -> Vec<String> {
        rows.iter().map(|row| row.get(0)).collect()
    };
    assert_eq!(codes(base.admin.query(visible, &[]).await.unwrap()), ["fast"]);
    // A page that is read now has the one, and changes from there the other.
    let page = store.list(None, &Query::default()).await.answer.unwrap();
    assert_eq!(page.items.len(), 1);
    let mut since = store.changes(Position::After(page.revision.unwrap())).await.answer.unwrap();

    slow.batch_execute("COMMIT").await.unwrap();
    assert_eq!(codes(base.admin.query(visible, &[]).await.unwrap()), ["slow", "fast"]);
    let mut told = vec![next(&mut changes).await.entity.code, next(&mut changes).await.entity.code];
    assert_eq!(told, ["slow", "fast"]);
    store.create(None, &draft("last")).await.answer.unwrap();
    told = vec![next(&mut since).await.entity.code, next(&mut since).await.entity.code];
    assert_eq!(told, ["slow", "last"], "not what the page had, and all that it had not");
}

/// Transactions are numbers: the thousandth comes after the 999th, also where
/// both are told together.
#[tokio::test]
async fn changes_are_in_order_where_a_digit_is_added() {
    let base = Base::new().await;
    let store = base.store("a").await;
    let burn = "SELECT pg_current_xact_id()::text";
    let next_id = async || -> u64 {
        base.admin.query_one(burn, &[]).await.unwrap().get::<_, String>(0).parse().unwrap()
    };
    let now = next_id().await;
    let boundary = 10_u64.pow(now.ilog10() + 1);
    while next_id().await < boundary - 4 {}
    let codes: Vec<String> = (0..12).map(|n| format!("digit-{n:02}")).collect();
    for code in &codes {
        store.create(None, &draft(code)).await.answer.unwrap();
    }
    assert!(next_id().await > boundary);
    let from = Position::After(Revision("0".to_owned()));
    let mut changes = store.changes(from).await.answer.unwrap();
    for code in &codes {
        assert_eq!(&next(&mut changes).await.entity.code, code);
    }
}

/// `psql` in the gateway's role, or by hand as the administrator: the same rules
/// hold, and it is announced.
#[tokio::test]
async fn psql_is_a_writer_like_any_other() {
    let base = Base::new().await;
    let store = base.store("a").await;
    let mut changes = store.changes(Position::Now).await.answer.unwrap();
    let psql = |url: &str, sql: &str| {
        let ran = std::process::Command::new("psql")
            .args([url, "-v", "ON_ERROR_STOP=1", "-c", sql])
            .env("PGOPTIONS", "-c app.tenant=a")
            .output();
        match ran {
            Ok(output) => Some((
                output.status.success(),
                String::from_utf8_lossy(&output.stderr).into_owned(),
            )),
            Err(_) => None,
        }
    };
    let insert = |message: &str, due: &str| {
        format!("INSERT INTO kab.todo (code, message, due) VALUES ('p', '{message}', '{due}')")
    };
    for url in [base.database.gateway_url(), base.database.admin_url()] {
        let cases = [
            (insert(" ", "2030-01-01Z"), "message_blank"),
            (insert("m", "1999-01-01Z"), "due_year"),
            (insert("m", "infinity"), "due_year"),
            (insert("m", "soon"), "invalid input syntax"),
        ];
        let outsider = client(url).await;
        outsider.batch_execute("SET app.tenant = 'a'").await.unwrap();
        let run = async |sql: &str| match psql(url, sql) {
            Some(outcome) => outcome,
            // Where there is no psql, what it would send.
            None => match outsider.batch_execute(sql).await {
                Ok(()) => (true, String::new()),
                Err(error) => (false, format!("{:?}", error.as_db_error())),
            },
        };
        for (sql, why) in cases {
            let (done, said) = run(&sql).await;
            assert!(!done && said.contains(why), "{sql}: {said}");
        }
        assert!(run(&insert("m", "2030-01-01Z")).await.0);
        let made = next(&mut changes).await;
        assert_eq!((made.kind, made.entity.code.as_str()), (ChangeKind::Created, "p"));
        let (done, said) = run("UPDATE kab.todo SET due = '2042-01-01Z' WHERE code = 'p'").await;
        assert!(!done && said.contains("put off too far"), "{said}");
        assert!(run("DELETE FROM kab.todo WHERE code = 'p'").await.0);
        assert_eq!(next(&mut changes).await.kind, ChangeKind::Deleted);
    }
}

#[tokio::test]
async fn an_update_by_nobody_is_not_the_operations_before() {
    let base = Base::new().await;
    let store = base.store("a").await;
    store.create(Some(op(1)), &draft("x")).await.answer.unwrap();
    base.admin.batch_execute("UPDATE kab.todo SET message = 'by hand'").await.unwrap();
    let now = store.get(None, "x").await.answer.unwrap();
    assert_eq!((now.message.as_str(), now.op), ("by hand", None));
}

#[tokio::test]
async fn a_full_pool_throttles() {
    let base = Base::new().await;
    let store = PostgresStore::connect(base.database.gateway_url(), "a", 1).await.unwrap();
    store.create(None, &draft("x")).await.answer.unwrap();
    base.admin.batch_execute("BEGIN; SELECT * FROM kab.todo FOR UPDATE").await.unwrap();
    let busy = draft("x");
    let (first, second) = tokio::join!(store.update(None, &busy, None), async {
        let answer = store.get(None, "x").await.answer;
        base.admin.batch_execute("COMMIT").await.unwrap();
        answer
    });
    assert!(matches!(second, Err(Refused::Throttled { .. })), "{second:?}");
    first.answer.unwrap();
}

#[tokio::test]
async fn notices_are_kept_for_all_replicas_and_go_with_their_todo() {
    let base = Base::new().await;
    let (one, other) = (base.store("a").await, base.store("a").await);
    let id = one.create(None, &draft("x")).await.answer.unwrap().id;
    let notice = |todo_id: &str, issued_at: &str| Notice {
        todo_id: todo_id.to_owned(),
        issued_at: issued_at.to_owned(),
    };
    one.keep(&notice(&id, "2030-01-01T00:00:00Z"), None).await.unwrap();
    let last = notice(&id, "2031-01-01T00:00:00Z");
    other.keep(&last, Some("x")).await.unwrap();
    assert_eq!(one.kept().await.unwrap(), [last]);
    for (id, at) in [("", "2031-01-01T00:00:00Z"), (id.as_str(), "soon")] {
        let refused = one.keep(&notice(id, at), None).await;
        assert!(matches!(refused, Err(Refused::Invalid(_))), "{refused:?}");
    }
    assert_eq!(base.store("b").await.kept().await.unwrap(), []);
    one.delete(None, "x", None).await.answer.unwrap();
    assert_eq!(one.kept().await.unwrap(), []);
    one.keep(&notice(&id, "2031-01-01T00:00:00Z"), None).await.unwrap();
    assert_eq!(one.kept().await.unwrap(), [], "of what is gone nothing is kept");
}

/// A server that goes away: what was not sent was not done, and what was may be.
#[tokio::test]
async fn a_server_that_is_gone_is_unavailable_and_a_write_under_way_in_doubt() {
    use kab_lab::assets::ServerFinder;
    use kab_lab::keep::Labs;
    use kab_lab::progress::Silent;
    use kab_lab::servers::{Servers, ServersSpec};

    let programs = tokio::task::spawn_blocking(|| {
        ServerFinder::from_env().unwrap().find(true, &Silent).unwrap()
    });
    let programs = programs.await.unwrap();
    let state = tempfile::tempdir().unwrap();
    let dir = Labs::at(state.path()).create(None).unwrap();
    let supervisor = Supervisor::new().unwrap();
    let spec = ServersSpec { given: None, ..ServersSpec::from_env(dir.path().join("logs")) };
    let servers = Servers::start(&spec, &programs, &dir, &supervisor, &Silent).await.unwrap();
    let url = servers.postgres_url().to_owned();
    let database = kab_backend::conventional::Database::create(&url).await.unwrap();
    let store = PostgresStore::connect(database.gateway_url(), "a", 2).await.unwrap();
    store.create(None, &draft("x")).await.answer.unwrap();

    // A write waits for a lock, and the server is killed meanwhile.
    let admin = client(database.admin_url()).await;
    admin.batch_execute("BEGIN; LOCK TABLE kab.todo").await.unwrap();
    let held = draft("y");
    let writing = store.create(None, &held);
    let killing = async {
        let waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
        while admin.query_opt(waiting, &[]).await.unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        servers.postgres().unwrap().child().kill();
    };
    let (written, ()) = tokio::join!(writing, killing);
    assert!(matches!(written.answer, Err(Refused::Indeterminate(_))), "{:?}", written.answer);

    servers.postgres().unwrap().child().ended().await;
    let refused = store.create(None, &draft("z")).await.answer;
    assert!(matches!(refused, Err(Refused::Unavailable(_))), "{refused:?}");
    let refused = store.get(None, "x").await.answer;
    assert!(matches!(refused, Err(Refused::Unavailable(_))), "{refused:?}");
    let refused = store.changes(Position::Now).await.answer;
    assert!(matches!(refused, Err(Refused::Unavailable(_))));
    servers.stop_now().await;
}
