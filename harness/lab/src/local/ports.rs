//! Free ports on loopback.
//!
//! A port is bound to see that it is free, and released for the component to
//! bind it. In between somebody else may take it; then the component ends with
//! "address already in use", and the lab is tried again with other ports. To
//! make that rare, ports are drawn at random from below the range that the
//! kernel hands out to outgoing connections, of which an apiserver makes many.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// The lowest port tried: below are well-known services.
const LOWEST: u16 = 10_000;

/// Linux's default lower end of the ephemeral range.
const EPHEMERAL: u16 = 32_768;

/// How many ports are tried before there is said to be none.
const TRIES: usize = 500;

/// Gives `count` different ports that are free at this moment.
pub(crate) fn free(count: usize) -> io::Result<Vec<u16>> {
    let highest = ephemeral_start().max(LOWEST + 1_000);
    let mut ports = HashSet::new();
    // They stay bound until all are found, so that no other lab finds them.
    let mut bound = Vec::new();
    for _ in 0..TRIES {
        let port = rand::random_range(LOWEST..highest);
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            && ports.insert(port)
        {
            bound.push((port, listener));
        }
        if bound.len() == count {
            return Ok(bound.into_iter().map(|(port, _)| port).collect());
        }
    }
    let text = format!("{TRIES} ports from {LOWEST} to {highest} were tried");
    Err(io::Error::new(io::ErrorKind::AddrInUse, text))
}

fn ephemeral_start() -> u16 {
    fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|range| range.split_whitespace().next()?.parse().ok())
        .unwrap_or(EPHEMERAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_different_and_can_be_bound() {
        let ports = free(8).unwrap();
        let bound: Vec<_> =
            ports.iter().map(|&port| TcpListener::bind((Ipv4Addr::LOCALHOST, port))).collect();
        assert_eq!(bound.iter().filter(|bound| bound.is_ok()).count(), 8);
    }
}
