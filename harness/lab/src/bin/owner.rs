//! Holds a lab for the tests, which end this process in every way there is and
//! then count what is left. Not for users: they have `kab up`.
//!
//! `kab-lab-owner NAME WAY [servers]`, where the state folder is `$KAB_STATE`.
//! The lab is a control plane, or, with `servers`, PostgreSQL and nats-server.
//! Prints a line when it is ready: the path of its `lab.json`. After SIGTERM it
//! ends, by WAY: `clean`, as `kab up` would; `panic`; or `exit`, with no
//! destructor run.

use std::error::Error;
use std::io::Write;

use kab_lab::assets::{Finder, ServerFinder};
use kab_lab::keep::{Holder, Labs, Release};
use kab_lab::local::{Local, LocalSpec};
use kab_lab::process::Supervisor;
use kab_lab::progress::Silent;
use kab_lab::servers::{Servers, ServersSpec};

/// What is held.
enum Lab {
    Local(Box<Local>),
    Servers(Box<Servers>),
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let name = args.next().ok_or("usage: kab-lab-owner NAME WAY [servers]")?;
    let way = args.next().unwrap_or_else(|| "clean".into());

    let dir = Labs::from_env()?.create(Some(&name))?;
    let supervisor = Supervisor::new()?;
    let lab = if args.next().as_deref() == Some("servers") {
        let programs = ServerFinder::from_env()?.find(true, &Silent)?;
        let spec = ServersSpec { given: None, ..ServersSpec::from_env(dir.path().join("logs")) };
        let servers = Servers::start(&spec, &programs, &dir, &supervisor, &Silent).await?;
        dir.note_servers(servers.pids())?;
        Lab::Servers(Box::new(servers))
    } else {
        let assets = Finder::from_env(vec![])?.find(false, &Silent)?;
        let spec = LocalSpec::default();
        let lab = Local::start(&spec, &assets, dir.path(), &supervisor, &Silent).await?;
        dir.note(Some(&lab))?;
        Lab::Local(Box::new(lab))
    };
    let mut holder = Holder::new()?;
    writeln!(std::io::stdout(), "{}", dir.path().join("lab.json").display())?;
    let release = holder.hold(&mut supervisor.deaths()).await;
    match way.as_str() {
        #[allow(clippy::panic, reason = "to see what a panic leaves behind")]
        "panic" => panic!("asked to"),
        "exit" => std::process::exit(7),
        _ => {}
    }
    match lab {
        Lab::Local(lab) => lab.stop_now().await,
        Lab::Servers(servers) => servers.stop_now().await,
    }
    drop(dir);
    match release {
        Release::Signal(_) => Ok(()),
        Release::Death(death) => Err(format!("{} died: {}", death.name, death.how).into()),
    }
}
