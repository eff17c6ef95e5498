use std::net::TcpListener;

use super::*;
use crate::assets::Finder;
use crate::progress::{Collected, Silent};

fn assets() -> Assets {
    Finder::from_env(vec![]).unwrap().find(false, &Silent).unwrap()
}

/// Every one of a lab's three ports is taken once, each in a try of its own.
#[tokio::test]
async fn taken_ports_are_not_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let supervisor = Supervisor::new().unwrap();
    let assets = tokio::task::spawn_blocking(assets).await.unwrap();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap().port();
    let mut tries = 0;
    let free = || {
        let mut ports = ports::free(PORTS)?;
        if let Some(port) = ports[..3].get_mut(tries) {
            *port = taken;
        }
        tries += 1;
        Ok(ports)
    };
    let said = Collected::default();
    let spec = LocalSpec::default();
    let lab = Local::start_on(&spec, &assets, dir.path(), &supervisor, &said, free).await.unwrap();
    assert!(!lab.server().ends_with(&format!(":{taken}")));
    let again = said.sentences().iter().filter(|said| said.contains("other ports")).count();
    assert_eq!(again, 3, "{:?}", said.sentences());
    assert_eq!(supervisor.children().len(), 2, "children of a try before were left");
    assert!(supervisor.deaths().try_recv().is_err(), "deaths of tries before were told");
}

#[tokio::test]
async fn ports_that_are_always_taken_are() {
    let dir = tempfile::tempdir().unwrap();
    let supervisor = Supervisor::new().unwrap();
    let assets = tokio::task::spawn_blocking(assets).await.unwrap();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = other.local_addr().unwrap().port();
    let mut tries = 0;
    let free = || {
        tries += 1;
        Ok(vec![taken; PORTS])
    };
    let spec = LocalSpec::default();
    let error = Local::start_on(&spec, &assets, dir.path(), &supervisor, &Silent, free).await;
    let error = error.unwrap_err();
    assert!(error.is_address_in_use(), "{error}");
    assert_eq!(tries, TRIES);
}
