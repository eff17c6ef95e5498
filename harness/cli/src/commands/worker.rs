//! `kab worker`: do a part of a load, as the kab behind stdin says.

use tokio::io::{BufReader, stdin, stdout};

use super::block_on;
use crate::exit::{Exit, Failure, OrExit};

pub fn run() -> Result<Exit, Failure> {
    block_on(async {
        let orders = BufReader::new(stdin());
        kab_runner::share::work(orders, stdout()).await.or_exit(Exit::Environment)
    })?;
    Ok(Exit::AsExpected)
}
