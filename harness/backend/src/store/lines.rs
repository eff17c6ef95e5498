//! A body of JSON lines, as it comes.

use bytes::{Bytes, BytesMut};
use futures::{Stream, StreamExt};

use crate::app::outbound::root_cause;

/// Cuts a body into lines.
pub(super) struct Lines<B> {
    body: B,
    held: BytesMut,
    /// So much of what is held has no end of a line in it.
    searched: usize,
}

impl<B, E> Lines<B>
where
    B: Stream<Item = Result<Bytes, E>> + Unpin,
    E: std::error::Error,
{
    pub(super) fn new(body: B) -> Self {
        Self { body, held: BytesMut::new(), searched: 0 }
    }

    /// The next line that is not empty; none if the body has come to its end,
    /// an error if it has broken off.
    pub(super) async fn next(&mut self) -> Option<Result<Bytes, String>> {
        loop {
            while let Some(end) = self.held[self.searched..].iter().position(|b| *b == b'\n') {
                let line = self.held.split_to(self.searched + end + 1).freeze();
                self.searched = 0;
                if !line.trim_ascii().is_empty() {
                    return Some(Ok(line));
                }
            }
            self.searched = self.held.len();
            match self.body.next().await {
                Some(Ok(more)) => self.held.extend_from_slice(&more),
                Some(Err(broken)) => return Some(Err(root_cause(&broken))),
                None => {
                    let rest = std::mem::take(&mut self.held).freeze();
                    self.searched = 0;
                    return (!rest.trim_ascii().is_empty()).then_some(Ok(rest));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Error;

    use super::*;

    fn cut(parts: &[&'static str], broken: bool) -> (Vec<String>, bool) {
        let mut parts: Vec<Result<Bytes, Error>> =
            parts.iter().map(|part| Ok(Bytes::from_static(part.as_bytes()))).collect();
        if broken {
            parts.push(Err(Error::other("reset")));
        }
        let mut lines = Lines::new(futures::stream::iter(parts));
        futures::executor::block_on(async {
            let mut found = Vec::new();
            loop {
                match lines.next().await {
                    Some(Ok(line)) => {
                        found.push(String::from_utf8_lossy(line.trim_ascii()).into_owned());
                    }
                    Some(Err(why)) => return (found, why == "reset"),
                    None => return (found, false),
                }
            }
        })
    }

    #[test]
    fn lines_are_whole_however_they_come() {
        let whole = (vec!["ab".to_owned(), "c".to_owned()], false);
        for parts in [&["ab\nc\n"][..], &["a", "b", "\n", "c\n"], &["ab\n\n\nc"], &["ab\r\nc"]] {
            assert_eq!(cut(parts, false), whole);
        }
        // What a broken body ends with is no line.
        assert_eq!(cut(&["ab\nc\nd"], true), (whole.0, true));
    }
}
