//! Tells watchers of changes, at the rate that was asked for.

use std::time::Duration;

use kab_load::Schedule;

use super::answer::bookmark;
use super::serve::Server;

/// The names that events are about, over and over.
const NAMES: u64 = 1000;

/// Without a count, so long.
const FOR_EVER: Duration = Duration::from_secs(30 * 24 * 3600);

/// Tells of events and bookmarks, for ever.
pub(super) async fn tell(server: &Server) {
    tokio::join!(changes(server), bookmarks(server));
    std::future::pending::<()>().await;
}

async fn changes(server: &Server) {
    let watch = &server.config.watch;
    let Some(rate) = watch.rate else { return };
    let schedule = match Schedule::constant(rate.per_second(), FOR_EVER) {
        Ok(schedule) => schedule,
        Err(error) => return tracing::error!(%error, "no events"),
    };
    let start = server.origin.plus(watch.at.map_or(Duration::ZERO, |at| at.duration()));
    let count = watch.count.unwrap_or(u64::MAX);
    for due in schedule.offsets().take_while(|due| due.index < count) {
        server.wait_until(start.plus(due.offset)).await;
        let number = due.index % NAMES;
        let name = format!("listed-{number:08}");
        server.feed.tell(|rv| server.maker.event(&name, number, rv));
        // A rate beyond what can be done must not keep everybody else waiting.
        tokio::task::yield_now().await;
    }
}

async fn bookmarks(server: &Server) {
    let Some(every) = server.config.watch.bookmark_every else { return };
    let mut next = server.origin;
    loop {
        next = next.plus(every.duration());
        server.wait_until(next).await;
        server.feed.bookmark(bookmark);
        tokio::task::yield_now().await;
    }
}
