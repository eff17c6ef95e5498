//! A server over HTTP/1.1 that answers each request as a script says.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request, as far as scripts look at it.
#[derive(Debug, Clone)]
pub struct Seen {
    pub method: String,
    pub path: String,
    pub head: String,
    pub body: Vec<u8>,
}

/// What the server does then.
pub enum Reaction {
    /// Answers with this status, type and body.
    Answers(u16, &'static str, Vec<u8>),
    /// Promises a body, and closes.
    BreaksOff(u16),
    /// Closes.
    HangsUp,
    /// Says nothing.
    Silent,
}

type Script = dyn Fn(&Seen) -> Reaction + Send + Sync;

pub struct Scripted {
    pub address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Scripted {
    pub async fn start(script: impl Fn(&Seen) -> Reaction + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (its, script): (_, Arc<Script>) = (Arc::clone(&seen), Arc::new(script));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&its), Arc::clone(&script)));
            }
        });
        Self { address, seen }
    }

    /// Requests that were read, in order.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(
    mut stream: TcpStream,
    seen: Arc<Mutex<Vec<Seen>>>,
    script: Arc<Script>,
) -> Option<()> {
    let mut buffer = Vec::new();
    loop {
        let request = loop {
            if let Some(request) = take(&mut buffer) {
                break request;
            }
            if stream.read_buf(&mut buffer).await.ok()? == 0 {
                return None;
            }
        };
        seen.lock().unwrap().push(request.clone());
        match script(&request) {
            Reaction::Answers(status, media, body) => {
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status} Said\r\ncontent-type: {media}\r\ncontent-length: {length}\r\n\r\n"
                );
                stream.write_all(&[head.as_bytes(), &body].concat()).await.ok()?;
            }
            Reaction::BreaksOff(status) => {
                let head = format!("HTTP/1.1 {status} Said\r\ncontent-length: 100\r\n\r\nbegun");
                return stream.write_all(head.as_bytes()).await.ok();
            }
            Reaction::HangsUp => return None,
            Reaction::Silent => std::future::pending().await,
        }
    }
}

fn take(buffer: &mut Vec<u8>) -> Option<Seen> {
    let end = buffer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8(buffer[..end].to_vec()).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let length: usize = length.map_or(0, |length| length.parse().unwrap());
    let body = buffer.get(end + 4..end + 4 + length)?.to_vec();
    buffer.drain(..end + 4 + length);
    let mut words = head.split(' ').map(str::to_owned);
    Some(Seen { method: words.next()?, path: words.next()?, body, head })
}
