//! The last notification of each Todo, kept where all replicas see it.

use jiff::Timestamp;
use uuid::Uuid;

use super::super::Refused;
use super::{Fault, PostgresStore, refusal};

/// A notification that an application was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The Todo's identity.
    pub id: String,
    /// When it was issued, as the notification says; none if it did not.
    pub issued_at: Option<String>,
}

impl PostgresStore {
    /// Keeps that a notification about the Todo `id` came, in place of the one
    /// before.
    ///
    /// # Errors
    /// If `id` or `issued_at` is none, or the database refuses.
    pub async fn note(&self, id: &str, issued_at: Option<&str>) -> Result<(), Refused> {
        let no_id = |_| Refused::Invalid(format!("todoId: {id:?} is no UUID"));
        let id: Uuid = id.parse().map_err(no_id)?;
        let no_time = |_| Refused::Invalid("issuedAt: must be a date and time of RFC 3339".into());
        let issued_at: Option<Timestamp> =
            issued_at.map(str::parse).transpose().map_err(no_time)?;
        let connection = self.connection().await?;
        let kept = async {
            let statement = connection
                .prepare_cached(
                    "INSERT INTO kab.notification (todo_id, issued_at) VALUES ($1, $2) \
                     ON CONFLICT (tenant, todo_id) DO UPDATE SET issued_at = excluded.issued_at",
                )
                .await?;
            connection.execute(&statement, &[&id, &issued_at]).await?;
            Ok::<_, Fault>(())
        };
        kept.await.map_err(refusal::of_write)
    }

    /// The last notification of each Todo.
    ///
    /// # Errors
    /// If the database does not tell.
    pub async fn notes(&self) -> Result<Vec<Note>, Refused> {
        let connection = self.connection().await?;
        let read = async {
            let statement = connection
                .prepare_cached("SELECT todo_id, issued_at FROM kab.notification ORDER BY todo_id")
                .await?;
            let rows = connection.query(&statement, &[]).await?;
            let note = |row: &tokio_postgres::Row| -> Result<Note, tokio_postgres::Error> {
                let issued_at: Option<Timestamp> = row.try_get(1)?;
                Ok(Note {
                    id: row.try_get::<_, Uuid>(0)?.to_string(),
                    issued_at: issued_at.map(|at| at.to_string()),
                })
            };
            Ok::<_, Fault>(rows.iter().map(note).collect::<Result<_, _>>()?)
        };
        read.await.map_err(refusal::of_read)
    }
}
