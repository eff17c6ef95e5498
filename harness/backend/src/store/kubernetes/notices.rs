//! Of what the application was told, in the status of each entity.

use std::borrow::Cow;

use http::Method;
use serde::Serialize;
use serde_json::Value;

use super::object::{Status, Stored, unreadable};
use super::{KubernetesStore, LARGEST_PAGE, PAUSE, Stock, TRIES, escaped};
use crate::store::{Notice, Notices, Refused};

impl Notices for KubernetesStore {
    async fn keep(&self, notice: &Notice, code: Option<&str>) -> Result<(), Refused> {
        let found = match code {
            Some(code) => Some(self.path(code)?),
            None => self.find(&notice.todo_id).await?,
        };
        let Some(path) = found else { return Ok(()) };
        let mut outcome = Ok(());
        for tried in 1..=TRIES {
            outcome = self.mark(&path, notice).await;
            match outcome {
                Err(Refused::Conflict(_)) => tokio::time::sleep(PAUSE * tried).await,
                Err(Refused::NotFound(_)) => return Ok(()),
                _ => break,
            }
        }
        outcome
    }

    async fn kept(&self) -> Result<Vec<Notice>, Refused> {
        let mut kept = Vec::new();
        self.each(|todo| {
            let at = todo.status.as_ref().and_then(|status| status.last_notified.as_deref());
            kept.extend(at.map(|at| Notice {
                todo_id: todo.metadata.uid.to_string(),
                issued_at: at.to_owned(),
            }));
            true
        })
        .await?;
        kept.sort_by(|a, b| a.todo_id.cmp(&b.todo_id));
        Ok(kept)
    }
}

/// A merge patch of a status: what others keep there stays.
#[derive(Serialize)]
struct Mark<'a> {
    metadata: MarkHead<'a>,
    status: Status<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct MarkHead<'a> {
    resource_version: &'a str,
}

impl KubernetesStore {
    /// Writes the notice into the status of the entity at `path`, as it is now.
    async fn mark(&self, path: &str, notice: &Notice) -> Result<(), Refused> {
        let body = self.read(path, None).await.answer?;
        let todo: Stored<'_, Value> = serde_json::from_slice(&body).map_err(unreadable)?;
        if todo.metadata.uid != notice.todo_id {
            // Another one with the same code.
            return Ok(());
        }
        let mark = Mark {
            metadata: MarkHead { resource_version: &todo.metadata.resource_version },
            status: Status {
                last_notified: Some(Cow::Borrowed(&notice.issued_at)),
                of: Some(todo.written()),
            },
        };
        let mark = serde_json::to_vec(&mark).map_err(unreadable)?;
        let path = format!("{path}/status");
        self.ask(Method::PATCH, &path, mark, None).await.answer.map(drop)
    }

    /// Path of the entity with this id: only a look at all of them tells.
    async fn find(&self, id: &str) -> Result<Option<String>, Refused> {
        let mut found = None;
        self.each(|todo| {
            let it = todo.metadata.uid == id;
            if it {
                found = Some(format!("{}/{}", self.collection, todo.metadata.name));
            }
            !it
        })
        .await?;
        Ok(found)
    }

    /// Shows each entity to `look`, until that has seen enough.
    async fn each(
        &self,
        mut look: impl FnMut(&Stored<'_, Value>) -> bool + Send,
    ) -> Result<(), Refused> {
        let first = format!("{}?limit={LARGEST_PAGE}", self.collection);
        let mut path = first.clone();
        loop {
            let body = self.read(&path, None).await.answer?;
            let stock: Stock<'_, Stored<'_, Value>> =
                serde_json::from_slice(&body).map_err(unreadable)?;
            if !stock.items.iter().all(&mut look) {
                return Ok(());
            }
            match stock.metadata.next.filter(|next| !next.is_empty()) {
                Some(next) => path = format!("{first}&continue={}", escaped(&next)),
                None => return Ok(()),
            }
        }
    }
}
