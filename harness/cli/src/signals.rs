//! Ctrl-C and friends: the first asks the run to end in order, the second ends
//! kab at once (the kernel then takes its children along).

use kab_runner::{Stop, Stopper, stop_pair};
use tokio::signal::unix::{SignalKind, signal};

/// The number of SIGXFSZ on Linux.
const SIGXFSZ: i32 = 25;

/// Listens for SIGINT, SIGTERM and SIGHUP from now on.
///
/// # Errors
/// If the operating system does not let it.
pub fn listen() -> std::io::Result<Stop> {
    let (stopper, stop) = stop_pair();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    // A file that may not grow any more (`ulimit -f`) shall be an error of the
    // writing, as a full disk is, and not the end of kab.
    let _ = signal(SignalKind::from_raw(SIGXFSZ))?;
    tokio::spawn(async move {
        for time in 0.. {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hang_up.recv() => {}
            }
            heard(time, &stopper);
        }
    });
    Ok(stop)
}

fn heard(time: u32, stopper: &Stopper) {
    if time == 0 {
        anstream::eprintln!("stopping; what was gathered is kept (again: stop at once)");
        stopper.stop();
    } else {
        std::process::exit(130);
    }
}
