//! How fast a page of metrics is read. `cargo run --release -p kab-evidence
//! --example exposition -- PAGE`, with a page as `curl .../metrics` saves it.
#![allow(clippy::expect_used, clippy::print_stdout)]

use std::time::Duration;

use kab_evidence::clock::thread_cpu;
use kab_evidence::exposition::{Line, Lines, name, parse};

/// Reads `page` in pieces as they come from a socket, until it took a second
/// of CPU time; how much was read in it, in MB/s.
fn speed(page: &[u8], mut line: impl FnMut(&[u8])) -> f64 {
    let begun = thread_cpu();
    let mut bytes = 0usize;
    let taken = loop {
        let mut lines = Lines::default();
        page.chunks(16 * 1024).for_each(|piece| lines.feed(piece, &mut line));
        bytes += page.len();
        let taken = thread_cpu().saturating_sub(begun);
        if taken > Duration::from_secs(1) {
            break taken;
        }
    };
    bytes as f64 / 1e6 / taken.as_secs_f64()
}

fn main() {
    let path = std::env::args().nth(1).expect("a page");
    let page = std::fs::read(path).expect("a page that can be read");
    let mut samples = 0u64;
    for line in page.split(|byte| *byte == b'\n') {
        let line = parse(line).expect("a page in the format");
        samples += u64::from(matches!(line, Line::Sample(_)));
    }
    println!("{} bytes, {samples} samples", page.len());
    println!(
        "lines and names only: {:.0} MB/s",
        speed(&page, |line| {
            std::hint::black_box(name(line));
        })
    );
    println!(
        "every sample: {:.0} MB/s",
        speed(&page, |line| {
            let _ = std::hint::black_box(parse(line));
        })
    );
    println!(
        "every sample and label: {:.0} MB/s",
        speed(&page, |line| {
            if let Ok(Line::Sample(sample)) = parse(line) {
                std::hint::black_box(sample.labels.iter().count());
            }
        })
    );
}
