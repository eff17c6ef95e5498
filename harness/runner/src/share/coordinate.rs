//! The coordinator's side: gives the job to every worker, starts them together,
//! and merges what they report.

use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures::future::join_all;
use futures::stream::{BoxStream, SelectAll, StreamExt};
use kab_evidence::clock::{Mono, origin};
use kab_load::crew::{Crew, Merged, News, Next, Order, read, write};
use serde::Serialize;
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// The schedule begins this long after the start was given, so that the order
/// has reached everybody.
const RUN_UP: Duration = Duration::from_millis(100);

/// A worker that is not ready after so long is lost.
const PREPARATION: Duration = Duration::from_secs(60);

/// What joins the coordinator to one worker.
pub struct Link {
    /// The worker's lines; none more when it is gone.
    pub news: BoxStream<'static, String>,
    /// Takes orders.
    pub orders: Box<dyn AsyncWrite + Send + Unpin>,
}

/// What a shared load came to.
#[derive(Debug)]
pub struct Shared {
    /// What the workers reported.
    pub merged: Merged,
    /// When the schedule began; none if the load was called off before.
    pub start: Option<Mono>,
    /// When each worker was lost, by its index.
    pub lost_at: Vec<Option<Mono>>,
}

/// Has the workers behind `links` do `job`, until all have reported or are
/// lost. Once `stop` is ready, they are told to stop.
pub async fn coordinate<J: Serialize>(
    job: &J,
    mut links: Vec<Link>,
    stop: impl Future<Output = ()>,
) -> Shared {
    let of = u32::try_from(links.len()).unwrap_or(u32::MAX);
    let mut crew = Crew::new(of, origin());
    let mut lost_at = vec![None; links.len()];
    let mut heard = SelectAll::new();
    let mut orders = Vec::with_capacity(links.len());
    for (worker, link) in (0..).zip(links.drain(..)) {
        let lines = link.news.map(Some).chain(futures::stream::iter([None]));
        heard.push(lines.map(move |line| (worker, line)).boxed());
        orders.push(link.orders);
    }
    // A worker that does not read its job is heard of by the end of its stream.
    let assigned = (0..).zip(&mut orders).map(|(worker, to)| async move {
        send(to, &Order::Assign { worker, of, job }).await;
    });
    join_all(assigned).await;

    let (mut stop, mut stopped, mut start) = (pin!(stop), false, None);
    let mut patience = pin!(tokio::time::sleep(PREPARATION));
    loop {
        let (worker, line) = tokio::select! {
            biased;
            () = &mut stop, if !stopped => {
                stopped = true;
                broadcast(&mut orders, &Order::<()>::Stop).await;
                continue;
            }
            () = &mut patience, if start.is_none() => {
                crew.lose_unready("it was not ready within a minute");
                broadcast(&mut orders, &Order::<()>::Stop).await;
                break;
            }
            Some(heard) = heard.next() => heard,
            // Every stream has ended, and each end was heard.
            else => break,
        };
        let next = match line.as_deref().map(read::<News>) {
            Some(Ok(news)) => crew.hear(worker, news),
            Some(Err(error)) => crew.lose(worker, error.to_string()),
            None => crew.lose(worker, "it ended before it had reported"),
        };
        note_losses(&crew, &mut lost_at);
        match next {
            Next::Wait => {}
            Next::Start if stopped => break,
            Next::Start => {
                let at = Mono::now().plus(RUN_UP);
                start = Some(at);
                broadcast(&mut orders, &Order::<()>::Start { at }).await;
            }
            Next::CallOff => {
                broadcast(&mut orders, &Order::<()>::Stop).await;
                break;
            }
            Next::Over => break,
        }
    }
    Shared { merged: crew.merged(), start, lost_at }
}

fn note_losses(crew: &Crew, lost_at: &mut [Option<Mono>]) {
    for (worker, at) in (0..).zip(lost_at) {
        if at.is_none() && crew.is_lost(worker) {
            *at = Some(Mono::now());
        }
    }
}

async fn broadcast(orders: &mut [Box<dyn AsyncWrite + Send + Unpin>], order: &Order<()>) {
    join_all(orders.iter_mut().map(|to| send(to, order))).await;
}

/// Sends `order`. That the worker is gone is heard from its stream.
async fn send<J: Serialize>(to: &mut (dyn AsyncWrite + Send + Unpin), order: &Order<J>) {
    if let Ok(line) = write(order)
        && to.write_all(line.as_bytes()).await.is_ok()
    {
        let _ = to.flush().await;
    }
}
