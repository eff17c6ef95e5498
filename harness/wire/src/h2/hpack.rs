//! Header compression (RFC 7541), both ways, reduced to what is needed.
//!
//! What is sent: headers that are the same for every request go into the
//! server's table once and are named by an index of a byte from then on; the
//! others are literals without Huffman coding.
//!
//! What is read: this client grants the server a table of size 0, so that every
//! block stands alone. Of its headers only `:status`, `retry-after` and
//! `content-type` are looked at; the rest is skipped by its length.

use std::time::Duration;

use super::huffman;
use crate::message::{Head, Media, Method};

/// Entries of the static table; the first of the dynamic one is next.
const STATIC: usize = 61;
/// What each entry costs beside its text (section 4.1).
const ENTRY: usize = 32;
/// Size of the server's table unless it says otherwise.
const TABLE: usize = 4096;

const AUTHORITY: usize = 1;
const PATH: usize = 4;
const STATUS: usize = 8;
const CONTENT_TYPE: usize = 31;
const RETRY_AFTER: usize = 53;

/// Longest value that is looked at.
const LONGEST: usize = 128;

/// Writes the header blocks of one connection.
#[derive(Debug)]
pub struct Encoder {
    constant: Vec<(String, String)>,
    secure: bool,
    table: Table,
}

/// What the server's table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Table {
    /// Nothing yet.
    Empty,
    /// The constant headers, the first one oldest.
    Constant,
    /// It must stay empty, and the server has to be told.
    Forbidden,
    /// It must stay empty.
    Unused,
}

impl Encoder {
    /// An encoder of requests to `authority`, each with the headers `constant`.
    pub fn new(authority: &str, constant: &[(String, String)], secure: bool) -> Self {
        let mut all = vec![(":authority".to_owned(), authority.to_owned())];
        all.extend_from_slice(constant);
        let size: usize = all.iter().map(|(n, v)| n.len() + v.len() + ENTRY).sum();
        let table = if size <= TABLE { Table::Empty } else { Table::Unused };
        Self { constant: all, secure, table }
    }

    /// The server's table has this size from now on.
    pub fn limit(&mut self, size: u32) {
        if usize::try_from(size).is_ok_and(|size| size < TABLE) {
            self.table = Table::Forbidden;
        }
    }

    /// Appends the block of one request.
    pub fn encode(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        length: Option<usize>,
        out: &mut Vec<u8>,
    ) {
        if self.table == Table::Forbidden {
            // Dynamic table size update to 0 (section 6.3).
            integer(out, 0x20, 5, 0);
            self.table = Table::Unused;
        }
        match method {
            Method::Get => out.push(0x82),
            Method::Post => out.push(0x83),
            other => literal(out, 2, "", other.as_str()),
        }
        out.push(if self.secure { 0x87 } else { 0x86 });
        literal(out, PATH, "", path);
        for (place, (name, value)) in self.constant.iter().enumerate() {
            match self.table {
                Table::Constant => {
                    // The newest entry comes first.
                    let index = STATIC + self.constant.len() - place;
                    integer(out, 0x80, 7, index);
                }
                Table::Empty => {
                    // Literal with incremental indexing (section 6.2.1).
                    let index = known(name);
                    integer(out, 0x40, 6, index);
                    if index == 0 {
                        text(out, name);
                    }
                    text(out, value);
                }
                _ => literal(out, known(name), name, value),
            }
        }
        if self.table == Table::Empty {
            self.table = Table::Constant;
        }
        for (name, value) in headers {
            literal(out, known(name), name, value);
        }
        if let Some(length) = length {
            literal(out, known("content-length"), "", &length.to_string());
        }
    }
}

/// Index of a name in the static table (appendix A); 0 if it is not there, or
/// not worth looking for.
fn known(name: &str) -> usize {
    match name {
        ":authority" => AUTHORITY,
        "accept" => 19,
        "authorization" => 23,
        "content-length" => 28,
        "content-type" => 31,
        "if-match" => 39,
        "user-agent" => 58,
        _ => 0,
    }
}

/// A literal that goes into no table (section 6.2.2).
fn literal(out: &mut Vec<u8>, index: usize, name: &str, value: &str) {
    integer(out, 0, 4, index);
    if index == 0 {
        text(out, name);
    }
    text(out, value);
}

fn text(out: &mut Vec<u8>, text: &str) {
    integer(out, 0, 7, text.len());
    out.extend_from_slice(text.as_bytes());
}

/// An integer with a prefix of `bits` bits, below the pattern `high` (section
/// 5.1).
fn integer(out: &mut Vec<u8>, high: u8, bits: u32, value: usize) {
    let most = (1_usize << bits) - 1;
    let byte = |n: usize| u8::try_from(n).unwrap_or(u8::MAX);
    if value < most {
        out.push(high | byte(value));
        return;
    }
    out.push(high | byte(most));
    let mut rest = value - most;
    while rest >= 128 {
        out.push(byte(rest % 128) | 128);
        rest /= 128;
    }
    out.push(byte(rest));
}

/// A header block that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a block of headers cannot be read")]
pub struct BadBlock;

/// The head in `block`; none if it has no `:status`, as trailers have not.
///
/// # Errors
/// If it is no block, or needs a table that was not granted.
pub fn decode(mut block: &[u8]) -> Result<Option<Head>, BadBlock> {
    let mut status = None;
    let mut retry_after = None;
    let mut media = Media::Unsaid;
    while let Some(&first) = block.first() {
        if first & 0x80 != 0 {
            let index = take_integer(&mut block, 7)?;
            match index {
                0 => return Err(BadBlock),
                8..=14 => status = Some([200, 204, 206, 304, 400, 404, 500][index - 8]),
                1..=STATIC => {}
                _ => return Err(BadBlock),
            }
            continue;
        }
        if first & 0xe0 == 0x20 {
            // The size of the table: 0 is all there can be, whatever is said.
            take_integer(&mut block, 5)?;
            continue;
        }
        let bits = if first & 0xc0 == 0x40 { 6 } else { 4 };
        let mut index = take_integer(&mut block, bits)?;
        if index > STATIC {
            return Err(BadBlock);
        }
        if index == 0 {
            index = take_text(&mut block)?.name();
        }
        let value = take_text(&mut block)?;
        match index {
            8..=14 => status = value.number().and_then(|n| u16::try_from(n).ok()),
            CONTENT_TYPE => {
                let mut buffer = [0; LONGEST];
                media = value.plain(&mut buffer).map_or(Media::Other, Media::of);
            }
            RETRY_AFTER => retry_after = value.number().map(Duration::from_secs),
            _ => {}
        }
    }
    const _: () = assert!(STATUS == 8);
    Ok(status.map(|status| Head { status, retry_after, media }))
}

/// A string as it is on the wire.
#[derive(Debug, Clone, Copy)]
struct Text<'b> {
    bytes: &'b [u8],
    huffman: bool,
}

impl Text<'_> {
    /// What it says; none if that cannot be read, or is longer than `buffer`.
    fn plain<'a>(&'a self, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
        if self.huffman { huffman::decode(self.bytes, buffer) } else { Some(self.bytes) }
    }

    /// A number in digits; none if it is anything else.
    fn number(&self) -> Option<u64> {
        let mut buffer = [0; LONGEST];
        let digits = self.plain(&mut buffer)?;
        let plain = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
        plain.then(|| std::str::from_utf8(digits).ok()?.parse().ok()).flatten()
    }

    /// The index of the header that it names, if that is one that is looked
    /// at; else 0. Servers use the index themselves, but need not.
    fn name(&self) -> usize {
        // No name that is looked at is longer.
        let mut buffer = [0; 12];
        match self.plain(&mut buffer) {
            Some(b":status") => STATUS,
            Some(b"content-type") => CONTENT_TYPE,
            Some(b"retry-after") => RETRY_AFTER,
            _ => 0,
        }
    }
}

fn take_integer(block: &mut &[u8], bits: u32) -> Result<usize, BadBlock> {
    let most = (1_usize << bits) - 1;
    let mut next = || {
        let (&first, rest) = block.split_first().ok_or(BadBlock)?;
        *block = rest;
        Ok(usize::from(first))
    };
    let mut value = next()? & most;
    if value < most {
        return Ok(value);
    }
    for shift in [0, 7, 14, 21] {
        let byte = next()?;
        value += (byte & 127) << shift;
        if byte & 128 == 0 {
            return Ok(value);
        }
    }
    Err(BadBlock)
}

fn take_text<'b>(block: &mut &'b [u8]) -> Result<Text<'b>, BadBlock> {
    let huffman = block.first().ok_or(BadBlock)? & 0x80 != 0;
    let length = take_integer(block, 7)?;
    let (bytes, rest) = block.split_at_checked(length).ok_or(BadBlock)?;
    *block = rest;
    Ok(Text { bytes, huffman })
}

#[cfg(test)]
#[path = "hpack_tests.rs"]
mod tests;
