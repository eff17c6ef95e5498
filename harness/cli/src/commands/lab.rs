//! `kab up` and `kab down`: a control plane that stays until it is told to go.

use std::ffi::OsString;

use kab_lab::keep::{Down as Downed, Holder, Labs, Release, start_keeper};
use kab_lab::local::{Local, LocalSpec};
use kab_lab::process::Supervisor;
use kab_lab::progress::Progress;

use super::assets::finder;
use super::block_on;
use super::print;
use crate::args::{Down, Up};
use crate::exit::{Exit, Failure, OrExit};
use crate::progress::Teller;

/// Starts a process that holds the control plane, and ends when it is ready.
pub fn up(args: &Up) -> Result<Exit, Failure> {
    let teller = Teller::new();
    let labs = Labs::from_env().or_exit(Exit::Environment)?;
    // What takes minutes is done here, where the user can see it.
    finder(&args.assets)?.find(false, &teller).or_exit(Exit::Environment)?;
    let program = std::env::current_exe().or_exit(Exit::Environment)?;
    let mut hold: Vec<OsString> = vec!["hold".into(), "--name".into(), args.name.clone().into()];
    if let Some(dir) = &args.assets.dir {
        hold.extend(["--assets".into(), dir.clone().into()]);
    }
    teller.say("starting etcd and kube-apiserver");
    let keeper =
        start_keeper(&program, hold, &labs.keeper_log(&args.name)).or_exit(Exit::Environment)?;
    teller.say(&format!("control plane {:?} is ready, held by process {}", args.name, keeper.pid));
    let down =
        if args.name == "default" { String::new() } else { format!(" --name {}", args.name) };
    anstream::eprintln!("\n  export KUBECONFIG={}\n  kab down{down}\n", keeper.said);
    print(&keeper.said)?;
    Ok(Exit::AsExpected)
}

/// Holds the control plane until a signal, or until a part of it dies.
pub fn hold(args: &Up) -> Result<Exit, Failure> {
    let labs = Labs::from_env().or_exit(Exit::Environment)?;
    let teller = Teller::new();
    let assets = finder(&args.assets)?.find(false, &teller).or_exit(Exit::Environment)?;
    block_on(async {
        let mut holder = Holder::new().or_exit(Exit::Environment)?;
        let dir = labs.create(Some(&args.name)).or_exit(Exit::Environment)?;
        let supervisor = Supervisor::new().or_exit(Exit::Environment)?;
        let mut deaths = supervisor.deaths();
        let spec = LocalSpec::default();
        let local = Local::start(&spec, &assets, dir.path(), &supervisor, &teller)
            .await
            .or_exit(Exit::Environment)?;
        dir.note(Some(&local)).or_exit(Exit::Environment)?;
        print(&format!("{}", local.kubeconfig().display()))?;
        match holder.hold(&mut deaths).await {
            Release::Signal(name) => teller.say(&format!("{name}: stopping")),
            Release::Death(death) => {
                teller.say(&format!("{} ended by itself: {}", death.name, death.how));
            }
        }
        local.stop().await;
        Ok(Exit::AsExpected)
    })
}

/// Stops it.
pub fn down(args: &Down) -> Result<Exit, Failure> {
    let labs = Labs::from_env().or_exit(Exit::Environment)?;
    match labs.down(&args.name).or_exit(Exit::Environment)? {
        Downed::Stopped { .. } => anstream::eprintln!("stopped {:?}", args.name),
        Downed::Leftover { .. } => {
            anstream::eprintln!("{:?} was not running; removed what it had left", args.name);
        }
    }
    Ok(Exit::AsExpected)
}
