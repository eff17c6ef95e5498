use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::sync::{Mutex, mpsc};
use std::thread;

use super::*;
use crate::assets::known::hex;
use crate::progress::Collected;
use sha2::{Digest, Sha256};

/// How a server treats one request.
#[derive(Clone, Copy)]
enum Manner {
    /// Gives what is asked for, from the byte that is asked for.
    Whole,
    /// Knows no ranges.
    NoRanges,
    /// Promises all, and hangs up after so many bytes.
    CutAfter(usize),
    /// Sends so many bytes, and then nothing, until the client hangs up.
    StallAfter(usize),
    /// Answers with this status.
    Status(u16),
    /// Hangs up before it answers.
    HangUp,
}

/// A server that treats the first request in the first manner, and so on; the
/// last manner is for all that follow.
struct Server {
    base: String,
    /// First byte asked for, of each request.
    asked: Arc<Mutex<Vec<usize>>>,
}

impl Server {
    fn start(body: Vec<u8>, manners: &'static [Manner]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(vec![]));
        let (told, body) = (Arc::clone(&asked), Arc::new(body));
        thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let manner = *manners.get(number).unwrap_or(manners.last().unwrap());
                let (body, told) = (Arc::clone(&body), Arc::clone(&told));
                thread::spawn(move || serve(stream.unwrap(), &body, manner, &told));
            }
        });
        Self { base, asked }
    }

    fn url(&self) -> String {
        format!("{}/v1/program", self.base)
    }

    fn asked(&self) -> Vec<usize> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, body: &[u8], manner: Manner, asked: &Mutex<Vec<usize>>) {
    let mut from = 0;
    for line in BufReader::new(stream.try_clone().unwrap()).lines() {
        let line = line.unwrap().to_ascii_lowercase();
        if let Some(range) = line.strip_prefix("range: bytes=") {
            from = range.trim_end_matches('-').parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    asked.lock().unwrap().push(from);
    let length = body.len();
    let ranged = from > 0 && !matches!(manner, Manner::NoRanges);
    let start = if ranged { from } else { 0 };
    let head = match manner {
        Manner::HangUp => return,
        Manner::Status(status) => format!("HTTP/1.1 {status} No\r\ncontent-length: 0\r\n\r\n"),
        _ if start >= length => "HTTP/1.1 416 No\r\ncontent-length: 0\r\n\r\n".into(),
        _ => {
            let rest = length - start;
            let last = length - 1;
            let status = if ranged { "206 Partial Content" } else { "200 OK" };
            let range = format!("content-range: bytes {start}-{last}/{length}\r\n");
            let range = if ranged { range } else { String::new() };
            format!("HTTP/1.1 {status}\r\ncontent-length: {rest}\r\n{range}\r\n")
        }
    };
    // The client may be gone: that is its right.
    let _ = stream.write_all(head.as_bytes());
    let rest = body.get(start..).unwrap_or_default();
    match manner {
        Manner::Whole | Manner::NoRanges => drop(stream.write_all(rest)),
        Manner::CutAfter(bytes) => drop(stream.write_all(&rest[..bytes.min(rest.len())])),
        Manner::StallAfter(bytes) => {
            let _ = stream.write_all(&rest[..bytes.min(rest.len())]);
            let _ = stream.read(&mut [0]);
        }
        Manner::Status(_) | Manner::HangUp => {}
    }
}

fn body() -> Vec<u8> {
    (0..1_000_000_u32).flat_map(u32::to_le_bytes).collect()
}

/// A client without much patience.
const HASTY: Patience =
    Patience { connect: Duration::from_secs(5), stall: Duration::from_millis(300), tries: 3 };

struct Download {
    dir: tempfile::TempDir,
    said: Collected,
}

impl Download {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap(), said: Collected::default() }
    }

    fn partial(&self) -> PathBuf {
        self.dir.path().join("partial")
    }

    fn run(&self, url: &str, sha256: &str) -> Result<(), DownloadError> {
        let partial = self.partial();
        let wanted = Wanted { what: "program", url, sha256, partial: &partial };
        download(wanted, HASTY, &self.said)
    }
}

fn digest() -> String {
    hex(&Sha256::digest(body()))
}

#[test]
fn a_whole_file_comes_at_once() {
    let (server, download) = (Server::start(body(), &[Manner::Whole]), Download::new());
    download.run(&server.url(), &digest()).unwrap();
    assert_eq!(fs::read(download.partial()).unwrap(), body());
    assert_eq!(server.asked(), [0]);
}

#[test]
fn a_cut_download_goes_on_where_it_was_cut() {
    static MANNERS: [Manner; 2] = [Manner::CutAfter(1_500_000), Manner::Whole];
    let (server, download) = (Server::start(body(), &MANNERS), Download::new());
    download.run(&server.url(), &digest()).unwrap();
    assert_eq!(fs::read(download.partial()).unwrap(), body());
    assert_eq!(server.asked(), [0, 1_500_000]);
    assert!(download.said.sentences()[0].contains("1500000 bytes"), "{:?}", download.said);
}

#[test]
fn a_later_download_goes_on_too() {
    let (server, download) = (Server::start(body(), &[Manner::Whole]), Download::new());
    fs::write(download.partial(), &body()[..1_000]).unwrap();
    download.run(&server.url(), &digest()).unwrap();
    assert_eq!(server.asked(), [1_000]);
    // Whole already, though its name still says it is not.
    download.run(&server.url(), &digest()).unwrap();
    assert_eq!(server.asked(), [1_000, 4_000_000]);
}

#[test]
fn a_server_without_ranges_sends_it_anew() {
    let (server, download) = (Server::start(body(), &[Manner::NoRanges]), Download::new());
    fs::write(download.partial(), &body()[..1_000]).unwrap();
    download.run(&server.url(), &digest()).unwrap();
    assert_eq!(fs::read(download.partial()).unwrap(), body());
}

#[test]
fn the_beginning_of_another_file_is_thrown_away() {
    let (server, download) = (Server::start(body(), &[Manner::Whole]), Download::new());
    fs::write(download.partial(), "of another file").unwrap();
    download.run(&server.url(), &digest()).unwrap();
    assert_eq!(fs::read(download.partial()).unwrap(), body());
    assert_eq!(server.asked(), [15, 0]);
}

#[test]
fn a_wrong_digest_is_an_error_and_leaves_nothing() {
    let (server, download) = (Server::start(body(), &[Manner::Whole]), Download::new());
    let pinned = "0".repeat(64);
    let error = download.run(&server.url(), &pinned).unwrap_err().to_string();
    assert!(error.contains(&pinned) && error.contains(&digest()), "{error}");
    assert!(error.contains(&server.url()), "{error}");
    assert!(!download.partial().exists());
    assert_eq!(server.asked(), [0], "asked again for the same wrong file");
}

#[test]
fn a_download_that_is_always_cut_ends() {
    let (server, download) = (Server::start(body(), &[Manner::CutAfter(10)]), Download::new());
    let error = download.run(&server.url(), &digest()).unwrap_err();
    assert!(matches!(error, DownloadError::Cut { done: 30, .. }), "{error}");
    assert_eq!(server.asked(), [0, 10, 20]);
    let server = Server::start(body(), &[Manner::HangUp]);
    let error = download.run(&server.url(), &digest()).unwrap_err();
    assert!(matches!(error, DownloadError::Cut { .. }), "{error}");
}

#[test]
fn a_stalled_download_is_noticed_and_goes_on() {
    static MANNERS: [Manner; 3] =
        [Manner::StallAfter(100_000), Manner::StallAfter(0), Manner::Whole];
    let (server, download) = (Server::start(body(), &MANNERS), Download::new());
    download.run(&server.url(), &digest()).unwrap();
    assert_eq!(server.asked(), [0, 100_000, 100_000]);

    let (server, download) = (Server::start(body(), &[Manner::StallAfter(0)]), Download::new());
    let error = download.run(&server.url(), &digest()).unwrap_err();
    assert!(matches!(error, DownloadError::Stalled { done: 0, .. }), "{error}");
}

#[test]
fn a_missing_file_is_not_asked_for_again_but_a_busy_server_is() {
    let (server, download) = (Server::start(body(), &[Manner::Status(404)]), Download::new());
    let error = download.run(&server.url(), &digest()).unwrap_err().to_string();
    assert!(error.contains("404") && error.contains("mirror"), "{error}");
    assert_eq!(server.asked(), [0]);

    static MANNERS: [Manner; 2] = [Manner::Status(503), Manner::Whole];
    let server = Server::start(body(), &MANNERS);
    download.run(&server.url(), &digest()).unwrap();
    assert_eq!(server.asked(), [0, 0]);
}

#[test]
fn no_server_is_an_error_at_once() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = Download::new().run(&format!("http://127.0.0.1:{port}/x"), &digest());
    assert!(matches!(error.unwrap_err(), DownloadError::Unreachable { .. }));
}

#[test]
fn progress_ends_with_all_bytes_of_all() {
    struct Last(mpsc::Sender<(u64, Option<u64>)>);
    impl Progress for Last {
        fn say(&self, _: &str) {}
        fn bytes(&self, _: &str, done: u64, total: Option<u64>) {
            self.0.send((done, total)).unwrap();
        }
    }
    static MANNERS: [Manner; 2] = [Manner::CutAfter(1_000), Manner::Whole];
    let (server, download) = (Server::start(body(), &MANNERS), Download::new());
    let (sender, receiver) = mpsc::channel();
    let (partial, url, sha256) = (download.partial(), server.url(), digest());
    let wanted = Wanted { what: "program", url: &url, sha256: &sha256, partial: &partial };
    super::download(wanted, HASTY, &Last(sender)).unwrap();
    let heard: Vec<_> = receiver.iter().collect();
    assert!(heard.is_sorted(), "{heard:?}");
    assert_eq!(*heard.last().unwrap(), (4_000_000, Some(4_000_000)));
}

#[test]
fn one_file_is_taken_out_of_an_archive() {
    let dir = tempfile::tempdir().unwrap();
    let (archive, into) = (dir.path().join("a.tar.gz"), dir.path().join("etcd"));
    let gzip = flate2::write::GzEncoder::new(File::create(&archive).unwrap(), <_>::default());
    let mut tar = tar::Builder::new(gzip);
    for (name, text) in [("etcd-v1/README", "read"), ("etcd-v1/etcd", "program")] {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        tar.append_data(&mut header, name, text.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap();

    unpack(&archive, "the url", "etcd-v1/etcd", &into).unwrap();
    assert_eq!(fs::read_to_string(&into).unwrap(), "program");
    let error = unpack(&archive, "the url", "etcd-v1/other", &into).unwrap_err().to_string();
    assert!(error.contains("the url") && error.contains("etcd-v1/other"), "{error}");
    let whole = fs::read(&archive).unwrap();
    fs::write(&archive, &whole[..whole.len() / 2]).unwrap();
    assert!(unpack(&archive, "the url", "etcd-v1/etcd", &into).is_err());
}
