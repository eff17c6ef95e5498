//! A database of one instance's own, and the roles that may enter it.

use kab_evidence::store::StoredEntity;
use kab_lab::servers::secret;
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

use super::ConventionalError;
use crate::rules::{LONGEST_DELAY_DAYS, LONGEST_MESSAGE, YEARS};
use crate::store::postgres::POOL_SIZE;

const SCHEMA: &str = include_str!("schema.sql");

/// A database that is ready for use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    name: String,
    admin: String,
    inside: String,
    gateway: String,
    relay: String,
}

impl Database {
    /// Makes one on the server whose administrator's URL is `admin`.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn create(admin: &str) -> Result<Self, ConventionalError> {
        let name = format!("kab_{}", &secret()[..8]);
        let server = connect(admin).await?;
        let failed = ConventionalError::sql("making roles and a database");
        let (gateway, relay) = (secret(), secret());
        // No statement of these takes parameters; all of it is hexadecimal.
        let roles = format!(
            "CREATE ROLE {name}_owner NOLOGIN; GRANT {name}_owner TO CURRENT_USER; \
             CREATE ROLE {name}_gateway LOGIN PASSWORD '{gateway}'; \
             CREATE ROLE {name}_relay LOGIN PASSWORD '{relay}';"
        );
        let made = async {
            server.0.batch_execute(&roles).await?;
            server
                .0
                .batch_execute(&format!(
                    "CREATE DATABASE {name} ENCODING 'UTF8' TEMPLATE template0"
                ))
                .await?;
            let doors = format!(
                "REVOKE ALL ON DATABASE {name} FROM PUBLIC; \
                 GRANT CREATE ON DATABASE {name} TO {name}_owner; \
                 GRANT CONNECT ON DATABASE {name} TO {name}_gateway, {name}_relay;"
            );
            server.0.batch_execute(&doors).await
        };
        made.await.map_err(failed)?;
        let database = Self {
            inside: with(admin, None, &name)?,
            gateway: with(admin, Some((&format!("{name}_gateway"), &gateway)), &name)?,
            relay: with(admin, Some((&format!("{name}_relay"), &relay)), &name)?,
            admin: admin.to_owned(),
            name,
        };
        let inside = connect(&database.inside).await?;
        let failed = ConventionalError::sql("making the tables");
        inside.0.batch_execute(&schema(&database.name)).await.map_err(failed)?;
        Ok(database)
    }

    /// The URL of whoever works for one tenant.
    pub fn gateway_url(&self) -> &str {
        &self.gateway
    }

    /// The URL of whoever publishes what happened.
    pub fn relay_url(&self) -> &str {
        &self.relay
    }

    /// The URL of the administrator, in this database.
    pub fn admin_url(&self) -> &str {
        &self.inside
    }

    /// How many connections a gateway has.
    pub const fn pool(&self) -> u32 {
        POOL_SIZE
    }

    /// Everything that `tenant` has now.
    ///
    /// # Errors
    /// If the database does not tell.
    pub async fn stored(&self, tenant: &str) -> Result<Vec<StoredEntity>, ConventionalError> {
        let inside = connect(&self.inside).await?;
        let read = async {
            let set = "SELECT set_config('app.tenant', $1, false)";
            inside.0.query(set, &[&tenant]).await?;
            let text =
                "SELECT code, id, revision, op FROM kab.todo WHERE tenant = $1 ORDER BY code";
            let rows = inside.0.query(text, &[&tenant]).await?;
            rows.iter()
                .map(|row| {
                    let op: Option<&str> = row.try_get(3)?;
                    Ok(StoredEntity {
                        name: row.try_get(0)?,
                        uid: row.try_get::<_, Uuid>(1)?.to_string(),
                        rv: row.try_get::<_, i64>(2)?.to_string(),
                        op: op.and_then(|op| op.parse().ok()),
                    })
                })
                .collect::<Result<_, tokio_postgres::Error>>()
        };
        read.await.map_err(ConventionalError::sql("listing what is stored"))
    }

    /// Removes it, and its roles, whoever is still in it.
    ///
    /// # Errors
    /// If the server refuses.
    pub async fn drop(self) -> Result<(), ConventionalError> {
        let server = connect(&self.admin).await?;
        let name = &self.name;
        let removed = async {
            server.0.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await?;
            let roles = format!("DROP ROLE {name}_gateway, {name}_relay, {name}_owner");
            server.0.batch_execute(&roles).await
        };
        removed.await.map_err(ConventionalError::sql("removing the database"))
    }
}

fn schema(database: &str) -> String {
    SCHEMA
        .replace("{owner}", &format!("{database}_owner"))
        .replace("{gateway}", &format!("{database}_gateway"))
        .replace("{relay}", &format!("{database}_relay"))
        .replace("{longest_message}", &LONGEST_MESSAGE.to_string())
        .replace("{first_year}", &YEARS.start().to_string())
        .replace("{end_year}", &(YEARS.end() + 1).to_string())
        .replace("{longest_delay_hours}", &(LONGEST_DELAY_DAYS * 24).to_string())
}

/// A connection, and the task that moves it.
struct Connected(Client, tokio::task::JoinHandle<()>);

impl Drop for Connected {
    fn drop(&mut self) {
        self.1.abort();
    }
}

async fn connect(url: &str) -> Result<Connected, ConventionalError> {
    let connected = tokio_postgres::connect(url, NoTls).await;
    let (client, connection) =
        connected.map_err(ConventionalError::sql("connecting as administrator"))?;
    let task = tokio::spawn(async move {
        let _ = connection.await;
    });
    Ok(Connected(client, task))
}

/// The URL with another user and password, if given, and another database.
fn with(
    url: &str,
    user: Option<(&str, &str)>,
    database: &str,
) -> Result<String, ConventionalError> {
    let bad = || ConventionalError::Url("postgres://user:password@host:port/database".to_owned());
    let (scheme, rest) = url.split_once("://").ok_or_else(bad)?;
    let (place, options) = match rest.split_once('?') {
        Some((place, options)) => (place, format!("?{options}")),
        None => (rest, String::new()),
    };
    let (credentials, place) = place.rsplit_once('@').unwrap_or(("", place));
    let host = place.split_once('/').map_or(place, |(host, _)| host);
    let credentials = match user {
        Some((user, password)) => format!("{user}:{password}@"),
        None if credentials.is_empty() => String::new(),
        None => format!("{credentials}@"),
    };
    if host.is_empty() {
        return Err(bad());
    }
    Ok(format!("{scheme}://{credentials}{host}/{database}{options}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_get_another_user_and_database_and_keep_the_rest() {
        let admin = "postgres://postgres:se%40cret@127.0.0.1:5432/postgres?connect_timeout=5";
        assert_eq!(
            with(admin, Some(("kab_1_gateway", "ab")), "kab_1").unwrap(),
            "postgres://kab_1_gateway:ab@127.0.0.1:5432/kab_1?connect_timeout=5"
        );
        assert_eq!(
            with(admin, None, "kab_1").unwrap(),
            "postgres://postgres:se%40cret@127.0.0.1:5432/kab_1?connect_timeout=5"
        );
        assert_eq!(with("postgres://host", None, "d").unwrap(), "postgres://host/d");
        assert!(with("host=127.0.0.1 user=x", None, "d").is_err());
    }

    #[test]
    fn no_placeholder_is_left_in_the_schema() {
        let schema = schema("kab_1");
        assert!(!schema.contains('{'), "{schema}");
        assert!(schema.contains("2100-01-01") && schema.contains("87600 hours"), "{schema}");
    }
}
