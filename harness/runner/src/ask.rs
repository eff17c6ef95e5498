//! One request, and what came of it.

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Uri};
use http_body_util::BodyExt;
use kab_evidence::attempt::{Class, Selected};
use kab_evidence::clock::Mono;
use kube::Client;
use kube::client::Body;
use sha2::{Digest, Sha256};

/// Longest text that is kept whole of what was selected, in bytes.
const LONGEST_TEXT: usize = 4096;

/// How much of an answer is kept for people, in characters.
const EXCERPT: usize = 300;

/// A request could not be made.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The account, or the way to the apiserver.
    #[error(transparent)]
    Client(#[from] kab_backend::client::ClientError),
    /// The way to the gateway.
    #[error("making a client for {url}: {source}")]
    Plain {
        /// Where to.
        url: String,
        /// What went wrong.
        source: Box<kube::Error>,
    },
    /// What was written is no request.
    #[error("{method} {path}: this is no request: {source}; look at the path and the headers")]
    NoRequest {
        /// The method.
        method: String,
        /// The path.
        path: String,
        /// What is wrong.
        source: http::Error,
    },
    /// The gateway's address is no URL.
    #[error("{url:?} is no URL: {source}")]
    Url {
        /// The address.
        url: String,
        /// What is wrong.
        source: http::uri::InvalidUri,
    },
}

/// A client of the plain HTTP server at `url`.
pub fn plain(url: &str) -> Result<Client, AskError> {
    let uri: Uri = url.parse().map_err(|source| AskError::Url { url: url.to_owned(), source })?;
    let client = kab_backend::client::connect_plain(uri);
    client.map_err(|source| AskError::Plain { url: url.to_owned(), source })
}

/// What to ask.
#[derive(Debug, Clone)]
pub struct Question {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

/// What came of it.
#[derive(Debug)]
pub struct Answer {
    pub sent: Mono,
    pub done: Mono,
    pub status: Option<u16>,
    pub class: Class,
    pub body: Bytes,
    /// The beginning of the answer, or why there was none.
    pub excerpt: String,
}

/// Asks `question` once. That there is no answer is an answer, too.
pub async fn ask(
    client: &Client,
    question: &Question,
    deadline: Duration,
) -> Result<Answer, AskError> {
    let request = request(question)?;
    let sent = Mono::now();
    let asked = tokio::time::timeout(deadline, exchange(client, request)).await;
    let done = Mono::now();
    let none =
        |class, excerpt| Answer { sent, done, status: None, class, body: Bytes::new(), excerpt };
    Ok(match asked {
        Err(_) => none(Class::Indeterminate, format!("no answer within {deadline:?}")),
        Ok(Err(error)) => none(class_of(&*error), root_cause(&*error)),
        Ok(Ok((status, body))) => Answer {
            sent,
            done,
            status: Some(status),
            class: Class::of_status(status),
            excerpt: String::from_utf8_lossy(&body).chars().take(EXCERPT).collect(),
            body,
        },
    })
}

fn request(question: &Question) -> Result<Request<Body>, AskError> {
    let bad = |source| AskError::NoRequest {
        method: question.method.clone(),
        path: question.path.clone(),
        source,
    };
    let mut request =
        Request::builder().method(question.method.as_str()).uri(question.path.as_str());
    for (name, value) in &question.headers {
        let header = HeaderName::try_from(name).map_err(http::Error::from).map_err(bad)?;
        let value = HeaderValue::try_from(value).map_err(http::Error::from).map_err(bad)?;
        request = request.header(header, value);
    }
    request.body(Body::from(question.body.clone())).map_err(bad)
}

type Boxed = Box<dyn Error + Send + Sync>;

async fn exchange(client: &Client, request: Request<Body>) -> Result<(u16, Bytes), Boxed> {
    let response = client.send(request).await?;
    let status = response.status().as_u16();
    Ok((status, response.into_body().collect().await?.to_bytes()))
}

/// What can be concluded where there was no answer: nothing was done if there
/// never was a connection, and nothing is certain otherwise.
fn class_of(error: &(dyn Error + 'static)) -> Class {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let refused = error.downcast_ref::<hyper_util::client::legacy::Error>();
        if refused.is_some_and(hyper_util::client::legacy::Error::is_connect) {
            return Class::Unavailable;
        }
        cause = error.source();
    }
    Class::Indeterminate
}

fn root_cause(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// What the pointer `select` finds in `body`; none if that is no JSON.
pub fn select(body: &[u8], select: &str) -> Option<Selected> {
    let json: serde_json::Value = serde_json::from_slice(body).ok()?;
    let entries = |n: usize| Selected::Entries(u64::try_from(n).unwrap_or(u64::MAX));
    Some(match json.pointer(select) {
        None | Some(serde_json::Value::Null) => Selected::Absent,
        Some(serde_json::Value::Bool(flag)) => Selected::Flag(*flag),
        Some(serde_json::Value::Number(number)) => {
            number.as_f64().map_or(Selected::Absent, Selected::Number)
        }
        Some(serde_json::Value::String(text)) => Selected::Text(bounded(text)),
        Some(serde_json::Value::Array(items)) => entries(items.len()),
        Some(serde_json::Value::Object(fields)) => entries(fields.len()),
    })
}

/// `text`, or of a long one the beginning and the SHA-256 of the whole: two that
/// differ still do.
fn bounded(text: &str) -> String {
    if text.len() <= LONGEST_TEXT {
        return text.to_owned();
    }
    let start: String = text.chars().take(EXCERPT).collect();
    let digest = Sha256::digest(text.as_bytes());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{start}… (sha256:{hex})")
}

/// What was selected, as a text that can stand in a path.
pub fn as_text(selected: &Selected) -> Option<String> {
    Some(match selected {
        Selected::Absent => return None,
        Selected::Text(text) => text.clone(),
        Selected::Number(number) => number.to_string(),
        Selected::Flag(flag) => flag.to_string(),
        Selected::Entries(count) => count.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_selected_keeps_its_kind() {
        let body = br#"{"a":[1,2],"t":"x","n":1.5,"f":false,"z":null,"d":{"tls.crt":"pem"}}"#;
        let found = |pointer| select(body, pointer).unwrap();
        assert_eq!(found("/a"), Selected::Entries(2));
        assert_eq!(found(""), Selected::Entries(6));
        assert_eq!(found("/a/1"), Selected::Number(2.0));
        assert_eq!(found("/t"), Selected::Text("x".into()));
        assert_eq!(found("/f"), Selected::Flag(false));
        assert_eq!(found("/d/tls.crt"), Selected::Text("pem".into()));
        assert_eq!((found("/z"), found("/nowhere")), (Selected::Absent, Selected::Absent));
        assert_eq!(select(b"no JSON", ""), None);
        assert_eq!(as_text(&Selected::Number(7.0)).unwrap(), "7");
    }

    #[test]
    fn a_long_text_is_cut_and_two_that_differ_still_do() {
        let long = |end: char| bounded(&("é".repeat(5_000) + &end.to_string()));
        assert!(long('a').len() < 1_000);
        assert_ne!(long('a'), long('b'));
        assert_eq!(bounded("short"), "short");
    }

    #[tokio::test]
    async fn nobody_there_is_unavailable_and_one_who_hangs_up_leaves_everything_open() {
        kab_backend::client::install_tls_provider();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = plain(&format!("http://{address}")).unwrap();
        let question = Question {
            method: "POST".into(),
            path: "/x".into(),
            headers: vec![("content-type".into(), "application/json".into())],
            body: b"{}".to_vec(),
        };
        let minute = Duration::from_secs(60);
        let hang_up = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut begun = [0; 1];
            tokio::io::AsyncReadExt::read_exact(&mut stream, &mut begun).await.unwrap();
        };
        let (answer, ()) = tokio::join!(ask(&client, &question, minute), hang_up);
        let answer = answer.unwrap();
        assert_eq!((answer.status, answer.class), (None, Class::Indeterminate));
        drop(listener);
        let answer = ask(&client, &question, minute).await.unwrap();
        assert_eq!((answer.status, answer.class), (None, Class::Unavailable), "{answer:?}");
        let odd = Question { path: "/a b".into(), ..question };
        assert!(ask(&client, &odd, minute).await.is_err());
    }
}
