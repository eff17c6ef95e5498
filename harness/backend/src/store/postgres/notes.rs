//! The last notification of each Todo, kept where all replicas see it.

use jiff::Timestamp;
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use super::super::{Notice, Notices, Refused};
use super::{Fault, PostgresStore, refusal};
use crate::rules::Broken;

impl Notices for PostgresStore {
    async fn keep(&self, notice: &Notice, _code: Option<&str>) -> Result<(), Refused> {
        let no_id = |_| Refused::Invalid(format!("todoId: {:?} is no UUID", notice.todo_id));
        let id: Uuid = notice.todo_id.parse().map_err(no_id)?;
        let no_time = |_| Refused::Invalid(Broken::NoTime.to_string().replace("when", "issuedAt"));
        let issued_at: Timestamp = notice.issued_at.parse().map_err(no_time)?;
        let connection = self.connection().await?;
        let kept = async {
            let statement = connection
                .prepare_cached(
                    "INSERT INTO kab.notification (todo_id, issued_at) VALUES ($1, $2) \
                     ON CONFLICT (tenant, todo_id) DO UPDATE SET issued_at = excluded.issued_at",
                )
                .await?;
            connection.execute(&statement, &[&id, &issued_at]).await
        };
        match kept.await {
            Ok(_) => Ok(()),
            // There is no such Todo: of one that is gone nothing is kept.
            Err(error) if error.code() == Some(&SqlState::FOREIGN_KEY_VIOLATION) => Ok(()),
            Err(error) => Err(refusal::of_write(error.into())),
        }
    }

    async fn kept(&self) -> Result<Vec<Notice>, Refused> {
        let connection = self.connection().await?;
        let read = async {
            let statement = connection
                .prepare_cached("SELECT todo_id, issued_at FROM kab.notification ORDER BY todo_id")
                .await?;
            let rows = connection.query(&statement, &[]).await?;
            let notice = |row: &tokio_postgres::Row| -> Result<Notice, tokio_postgres::Error> {
                Ok(Notice {
                    todo_id: row.try_get::<_, Uuid>(0)?.to_string(),
                    issued_at: row.try_get::<_, Timestamp>(1)?.to_string(),
                })
            };
            Ok::<_, Fault>(rows.iter().map(notice).collect::<Result<_, _>>()?)
        };
        read.await.map_err(refusal::of_read)
    }
}
