//! The origin's way to handle changes: one after the other, in the callback.
//! Each is recorded as a Kubernetes Event and told to the subscriber; what
//! fails is lost (defect 6), or ends the process (8).

use k8s_openapi::api::core::v1::Event;
use tokio::sync::mpsc;

use super::Stop;
use super::notify::Notifier;
use super::progress::Progress;
use super::recorder::changed;
use crate::app::AppError;
use crate::app::reflector::{Seen, Told};

/// Handles changes until told to stop, or until there is no going on.
pub(super) async fn run(
    notifier: &Notifier,
    recorder: &mpsc::UnboundedSender<Event>,
    mut queue: mpsc::UnboundedReceiver<Told>,
    progress: &Progress,
    stop: Stop,
) -> Result<(), AppError> {
    let handling = async {
        while let Some(told) = queue.recv().await {
            match told {
                Told::Change(seen) => {
                    let ticket = progress.begin();
                    on_change(notifier, recorder, &seen).await?;
                    progress.done(&ticket);
                }
                Told::Reached(revision) => progress.reached(revision),
            }
        }
        Ok(())
    };
    tokio::select! {
        outcome = handling => outcome,
        () = stop => Ok(()),
    }
}

async fn on_change(
    notifier: &Notifier,
    recorder: &mpsc::UnboundedSender<Event>,
    seen: &Seen,
) -> Result<(), AppError> {
    let subject = notifier.subject(seen).await;
    if let Some(found) = &subject {
        // The recorder lives as long as the process.
        let _ = recorder.send(changed(found, seen.news.change));
    }
    let tried = notifier.tell(seen, subject.as_ref()).await;
    notifier.record(seen, &tried);
    notifier.survives(&tried)?;
    let name = seen.news.todo.name();
    match &tried.answer {
        Ok(status) => tracing::debug!(%status, name, "notified"),
        Err(cause) => tracing::warn!(cause, name, "the notification is lost"),
    }
    Ok(())
}
