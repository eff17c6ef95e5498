//! A request to stop, heard by everyone who can.

use tokio::sync::watch;

/// Whoever holds this may ask the run to stop.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

/// Hears when the run is to stop. Clones hear the same.
#[derive(Debug, Clone)]
pub struct Stop(watch::Receiver<bool>);

/// A stopper, and what it is heard by.
pub fn stop_pair() -> (Stopper, Stop) {
    let (send, receive) = watch::channel(false);
    (Stopper(send), Stop(receive))
}

impl Stopper {
    /// Asks the run to stop: what is under way is ended in order, what was
    /// gathered is kept.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Whether it was asked for.
    pub fn requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is asked for: for ever, if whoever could ask is gone.
    pub async fn wait(&self) {
        let mut asked = self.0.clone();
        if asked.wait_for(|asked| *asked).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
