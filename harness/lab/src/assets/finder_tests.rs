use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::*;
use crate::assets::known::hex;
use crate::progress::{Collected, Silent};

/// Folders to look in, all empty.
struct Place {
    root: tempfile::TempDir,
    finder: Finder,
}

impl Place {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let folder = |name: &str| {
            let folder = root.path().join(name);
            fs::create_dir(&folder).unwrap();
            folder
        };
        let finder = Finder {
            given: vec![],
            kubebuilder_assets: Some(folder("kubebuilder")),
            search_path: folder("path").into_os_string(),
            cache: folder("cache"),
            mirrors: Mirrors::NONE,
            patience: Patience { tries: 1, ..Patience::default() },
        };
        Self { root, finder }
    }

    fn script(&self, path: &str, script: &str) -> PathBuf {
        let file = self.root.path().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        file
    }

    fn search<'a>(&'a self, pin: Option<Pin>, progress: &'a dyn Progress) -> Search<'a> {
        let cache = Cache::new(&self.finder.cache);
        Search { finder: &self.finder, cache, component: Component::Etcd, pin, progress }
    }

    fn find(&self, progress: &dyn Progress) -> Result<Asset, AssetError> {
        self.search(None, progress).run()
    }
}

const ETCD: &str = "echo 'etcd Version: 3.6.8'; echo 'Git SHA: x'";
const MULTI: &str = r#"
case "$1 $2" in
    "etcd --version") echo 'etcd Version: 3.6.8' ;;
    "kube-apiserver --version") echo 'Kubernetes v1.36.3' ;;
    *) echo 'usage: ...' >&2; exit 2 ;;
esac"#;

#[test]
fn given_paths_come_first_then_kubebuilder_then_path() {
    let mut place = Place::new();
    place.script("path/etcd", ETCD);
    let found = place.find(&Silent).unwrap();
    assert_eq!((found.origin.as_str(), found.version.as_str()), ("found on PATH", "v3.6.8"));
    assert_eq!(found.sha256, hex(&Sha256::digest(fs::read(&found.program).unwrap())));
    place.script("kubebuilder/etcd", ETCD);
    assert_eq!(place.find(&Silent).unwrap().origin, "found on KUBEBUILDER_ASSETS");
    let given = place.script("given/etcd", ETCD);
    place.finder.given = vec![given.parent().unwrap().to_owned()];
    assert_eq!(place.find(&Silent).unwrap().program, given);
}

#[test]
fn one_program_can_be_given_for_all() {
    let mut place = Place::new();
    place.finder.given = vec![place.script("controlplane", MULTI)];
    let assets = place.finder.find(false, &Silent).unwrap();
    assert_eq!(assets.etcd.leading_args, ["etcd"]);
    assert_eq!(assets.apiserver.leading_args, ["kube-apiserver"]);
    assert_eq!(assets.apiserver.version, "v1.36.3");
    let error = place.finder.find(true, &Silent).unwrap_err().to_string();
    assert!(error.contains("kube-controller-manager") && error.contains("usage: ..."), "{error}");
}

#[test]
fn what_is_given_is_used_or_is_an_error() {
    let mut place = Place::new();
    place.script("path/etcd", ETCD);
    place.finder.given = vec![place.root.path().join("nowhere")];
    assert!(place.find(&Silent).unwrap_err().to_string().contains("does not exist"));
    let plain = place.root.path().join("plain");
    fs::write(&plain, "").unwrap();
    place.finder.given = vec![plain];
    assert!(place.find(&Silent).unwrap_err().to_string().contains("not an executable file"));
    place.finder.given = vec![place.script("given/etcd", "echo 'Kubernetes v1.36.3'")];
    assert!(matches!(place.find(&Silent), Err(AssetError::Given { .. })));

    // A folder without it says nothing about it.
    place.finder.given = vec![place.root.path().join("kubebuilder")];
    let said = Collected::default();
    assert_eq!(place.find(&said).unwrap().origin, "found on PATH");
    assert!(said.sentences()[0].contains("not among the given"), "{said:?}");
}

#[test]
fn what_cannot_serve_is_passed_over_with_a_reason() {
    let place = Place::new();
    place.script("path/etcd", ETCD);
    for (script, reason) in [
        ("echo no such luck >&2; exit 4", "no such luck"),
        ("echo 'something else'", "something else"),
        ("kill -9 $$", "signal 9"),
    ] {
        place.script("kubebuilder/etcd", script);
        let said = Collected::default();
        assert_eq!(place.find(&said).unwrap().origin, "found on PATH");
        let first = &said.sentences()[0];
        assert!(first.contains(reason) && first.contains("KUBEBUILDER_ASSETS"), "{first}");
    }
    let file = place.root.path().join("kubebuilder/etcd");
    fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
    let said = Collected::default();
    assert_eq!(place.find(&said).unwrap().origin, "found on PATH");
    assert!(said.sentences()[0].contains("not an executable"), "{said:?}");
}

#[test]
fn another_version_is_used_and_told() {
    let place = Place::new();
    place.script("path/etcd", "echo 'etcd Version: 3.5.1'");
    let said = Collected::default();
    assert_eq!(place.find(&said).unwrap().version, "v3.5.1");
    assert!(said.sentences()[0].contains("made for v3.6.8"), "{said:?}");
    place.script("path/etcd", "echo 'etcd Version: 3.6.1'");
    let said = Collected::default();
    place.find(&said).unwrap();
    assert!(!said.sentences()[0].contains("made for"), "a patch is no other version: {said:?}");
}

#[test]
fn without_anything_the_error_says_what_to_do() {
    let error = Place::new().find(&Silent).unwrap_err().to_string();
    for hint in ["Go 1.26", "KUBEBUILDER_ASSETS", "KAB_MIRROR_ETCD", "switched off", "no Go"] {
        assert!(error.contains(hint), "{hint} is not in: {error}");
    }
}

/// A `go` that builds a program which serves as all.
fn go(place: &Place) {
    let build =
        format!("cat > controlplane <<'END'\n#!/bin/sh\n{MULTI}\nEND\nchmod +x controlplane");
    let script = format!(
        "PATH=/usr/bin:/bin\ncase $1 in env) echo go1.99 ;; build) grep -q etcdmain main.go && \
         {build}\n;; esac"
    );
    place.script("path/go", &script);
}

#[test]
fn a_build_serves_all_and_the_next_time_too() {
    let place = Place::new();
    go(&place);
    let assets = place.finder.find(false, &Silent).unwrap();
    assert_eq!(assets.etcd.origin, "built from controlplane/ with go1.99");
    assert_eq!(assets.apiserver.origin, "built from controlplane/ with go1.99 (cached)");
    assert_eq!(assets.etcd.program, assets.apiserver.program);
    place.script("path/go", "exit 1");
    assert!(place.find(&Silent).unwrap().origin.ends_with("(cached)"));

    // A broken one is noticed, and made anew.
    fs::write(&assets.etcd.program, "").unwrap();
    let said = Collected::default();
    let error = place.find(&said).unwrap_err().to_string();
    assert!(said.sentences()[0].contains("damaged"), "{said:?}");
    assert!(error.contains("exit status 1"), "{error}");
    go(&place);
    assert!(!place.find(&Silent).unwrap().origin.ends_with("(cached)"));
}

#[test]
fn a_failed_build_shows_the_end_of_its_log_and_leaves_nothing() {
    let place = Place::new();
    place.script("path/go", "[ $1 = env ] || { echo 'main.go:1: oh no' >&2; exit 1; }");
    let error = place.find(&Silent).unwrap_err().to_string();
    assert!(error.contains("main.go:1: oh no") && error.contains("exit status 1"), "{error}");
    // A build that makes a program which does not work counts as failed too.
    place.script("path/go", "[ $1 = env ] || echo half > controlplane");
    assert!(place.find(&Silent).is_err());
    assert!(place.search(None, &Silent).cached().is_none());
    go(&place);
    assert_eq!(place.find(&Silent).unwrap().origin, "built from controlplane/ with go1.99");
}

/// A server of one file, that begins its answer when `begin` says so. Counts
/// requests.
fn server(file: Vec<u8>, begin: mpsc::Receiver<()>) -> (String, mpsc::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let (asked, asking) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            asked.send(()).unwrap();
            begin.recv_timeout(Duration::from_secs(60)).unwrap();
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", file.len());
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&file).unwrap();
        }
    });
    (base, asking)
}

/// Sends on what is said.
struct Told(mpsc::Sender<String>);

impl Progress for Told {
    fn say(&self, sentence: &str) {
        let _ = self.0.send(sentence.to_owned());
    }
    fn bytes(&self, _: &str, _: u64, _: Option<u64>) {}
}

#[test]
fn two_at_once_download_once() {
    let mut place = Place::new();
    let program = format!("#!/bin/sh\n{ETCD}\n").into_bytes();
    let pin = Pin { path: "v9/etcd".into(), sha256: hex(&Sha256::digest(&program)), member: None };
    let (begin, beginning) = mpsc::channel();
    let (base, asked) = server(program, beginning);
    place.finder.mirrors.etcd = Some(format!("{base}/"));
    let (telling, told) = mpsc::channel();
    let told_to = [Told(telling.clone()), Told(telling)];

    let found = thread::scope(|scope| {
        // A lock is its opener's: two searches are as two processes.
        let searches = [&told_to[0], &told_to[1]]
            .map(|told| scope.spawn(|| place.search(Some(pin.clone()), told).run().unwrap()));
        // One has asked the server, and the other one waits for that one.
        asked.recv_timeout(Duration::from_secs(60)).unwrap();
        while !told.recv_timeout(Duration::from_secs(60)).unwrap().contains("waiting for it") {}
        begin.send(()).unwrap();
        searches.map(|search| search.join().unwrap())
    });
    assert!(asked.try_recv().is_err(), "it was downloaded twice");
    assert_eq!(found[0].program, found[1].program);
    let cached = found.iter().filter(|asset| asset.origin.ends_with("(cached)")).count();
    assert_eq!(cached, 1, "{found:?}");
    assert!(found[0].origin.starts_with(&format!("downloaded from {base}/v9/etcd")));
}

#[test]
fn a_download_that_fails_falls_back_on_the_build() {
    let mut place = Place::new();
    go(&place);
    let (begin, beginning) = mpsc::channel();
    begin.send(()).unwrap();
    let (base, _asked) = server(b"something else".to_vec(), beginning);
    place.finder.mirrors.etcd = Some(base.clone());
    let pin = Pin { path: "v9/etcd".into(), sha256: "0".repeat(64), member: None };
    let said = Collected::default();
    let found = place.search(Some(pin), &said).run().unwrap();
    assert_eq!(found.origin, "built from controlplane/ with go1.99");
    let said = said.sentences();
    assert!(said.iter().any(|said| said.contains("not the pinned")), "{said:?}");
    assert!(said.iter().any(|said| said.contains(&base)), "{said:?}");
}
