//! Writes a watch file: describes each change once, and lets watchers that
//! received the same share a line.

use std::collections::{HashMap, VecDeque};
use std::path::Path;

use super::{Described, Revision, WatchGroup, WatchKind, WatchLine, Watcher};
use crate::clock::Mono;
use crate::id::OpId;
use crate::jsonl::{JsonlError, JsonlWriter};

/// So many descriptions are remembered. A change that comes again after that
/// many others is described again, which costs a line and confuses nobody.
const REMEMBERED: usize = 1 << 16;

/// A revision, and what happened in it.
type Which = (Revision, WatchKind);

/// The file of one group of watchers. For one thread, or behind a lock.
///
/// Receipts are kept back for as long as others may join their line; call
/// [`Self::flush`] whenever there is nothing more to do.
#[derive(Debug)]
pub struct WatchLog {
    lines: JsonlWriter<WatchLine>,
    /// The UIDs that were described, with their numbers.
    known: HashMap<Which, Vec<(Box<str>, u32)>>,
    oldest: VecDeque<Which>,
    next_event: u32,
    next_list: u32,
    /// The last list, which the next watcher most likely received as well.
    last_list: Option<(Revision, Vec<u32>, u32)>,
    /// What one watcher receives at one instant.
    run: Option<(Mono, Watcher, Vec<u32>)>,
    /// What several have received at one instant.
    shared: Option<(Mono, Vec<u32>, Vec<Watcher>)>,
}

impl WatchLog {
    /// Opens `watch_dir/<step>.jsonl`, and writes down who `group` are.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub fn open(watch_dir: &Path, group: WatchGroup) -> Result<Self, JsonlError> {
        let lines = JsonlWriter::append_to(&watch_dir.join(format!("{}.jsonl", group.step)))?;
        lines.append(WatchLine::Group(group));
        Ok(Self {
            lines,
            known: HashMap::new(),
            oldest: VecDeque::new(),
            next_event: 0,
            next_list: 0,
            last_list: None,
            run: None,
            shared: None,
        })
    }

    /// The number of a change, if it was described lately.
    pub fn known(&self, rv: Revision, kind: WatchKind, uid: &str) -> Option<u32> {
        let same = self.known.get(&(rv, kind))?;
        same.iter().find(|(known, _)| **known == *uid).map(|(_, e)| *e)
    }

    /// The number of a change, which is described if it is new.
    pub fn describe(
        &mut self,
        rv: Revision,
        kind: WatchKind,
        uid: &str,
        name: &str,
        op: Option<OpId>,
    ) -> u32 {
        if let Some(e) = self.known(rv, kind, uid) {
            return e;
        }
        if self.oldest.len() == REMEMBERED
            && let Some(oldest) = self.oldest.pop_front()
        {
            self.known.remove(&oldest);
        }
        let e = self.next_event;
        self.next_event += 1;
        self.oldest.push_back((rv, kind));
        self.known.entry((rv, kind)).or_default().push((uid.into(), e));
        self.lines.append(WatchLine::Event(Described {
            e,
            rv,
            kind,
            uid: uid.to_owned(),
            name: name.to_owned(),
            op,
        }));
        e
    }

    /// Watcher `w` received change `e` at `at`.
    pub fn got(&mut self, w: Watcher, at: Mono, e: u32) {
        match &mut self.run {
            Some((then, who, events)) if *then == at && *who == w => events.push(e),
            _ => {
                self.close_run();
                self.run = Some((at, w, vec![e]));
            }
        }
    }

    /// Watcher `w` received the whole collection: `events` at revision `rv`.
    pub fn listed(&mut self, w: Watcher, at: Mono, rv: Revision, mut events: Vec<u32>) {
        events.sort_unstable();
        let list = match &self.last_list {
            Some((last, held, list)) if *last == rv && *held == events => *list,
            _ => {
                let list = self.next_list;
                self.next_list += 1;
                self.line(WatchLine::List { list, rv, e: events.clone() });
                self.last_list = Some((rv, events, list));
                list
            }
        };
        self.line(WatchLine::Listed { w, at, list });
    }

    /// Writes down anything else that happened.
    pub fn line(&mut self, line: WatchLine) {
        self.flush();
        self.lines.append(line);
    }

    /// Hands over what was kept back.
    pub fn flush(&mut self) {
        self.close_run();
        if let Some((at, e, w)) = self.shared.take() {
            self.lines.append(WatchLine::Got { at, e, w });
        }
    }

    /// Writes out everything and closes the file; the number of lines written.
    ///
    /// # Errors
    /// If a line could not be written.
    pub fn finish(mut self) -> Result<u64, JsonlError> {
        self.flush();
        self.lines.finish()
    }

    fn close_run(&mut self) {
        let Some((at, w, events)) = self.run.take() else { return };
        match &mut self.shared {
            Some((then, same, watchers)) if *then == at && *same == events => watchers.push(w),
            _ => {
                if let Some((at, e, w)) = self.shared.replace((at, events, vec![w])) {
                    self.lines.append(WatchLine::Got { at, e, w });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{StreamEnd, WatchClient};
    use super::*;
    use crate::jsonl;

    fn at(nanos: u64) -> Mono {
        Mono::from_nanos(nanos)
    }

    fn written(act: impl FnOnce(&mut WatchLog)) -> Vec<WatchLine> {
        let dir = tempfile::tempdir().unwrap();
        let group = WatchGroup {
            step: "listen".into(),
            client: WatchClient::Raw,
            count: 3,
            path: "/apis/g/v1/todos".into(),
            bookmarks: true,
        };
        let mut log = WatchLog::open(dir.path(), group).unwrap();
        act(&mut log);
        log.finish().unwrap();
        let mut lines = jsonl::read(&dir.path().join("listen.jsonl")).unwrap().values;
        assert!(matches!(lines.remove(0), WatchLine::Group(_)));
        lines
    }

    #[test]
    fn watchers_that_receive_the_same_at_once_share_a_line() {
        let lines = written(|log| {
            let a = log.describe(7, WatchKind::Added, "u", "n", None);
            let b = log.describe(8, WatchKind::Modified, "u", "n", None);
            for w in 0..3 {
                log.got(w, at(1), a);
                log.got(w, at(1), b);
            }
            log.got(1, at(2), b);
        });
        assert_eq!(lines.len(), 4, "{lines:?}");
        assert_eq!(lines[2], WatchLine::Got { at: at(1), e: vec![0, 1], w: vec![0, 1, 2] });
        assert_eq!(lines[3], WatchLine::Got { at: at(2), e: vec![1], w: vec![1] });
    }

    #[test]
    fn the_order_of_what_one_watcher_saw_is_kept() {
        let lines = written(|log| {
            let a = log.describe(7, WatchKind::Added, "u", "n", None);
            let b = log.describe(8, WatchKind::Added, "v", "m", None);
            log.got(0, at(1), a);
            log.got(1, at(1), b);
            log.got(0, at(1), b);
            log.line(WatchLine::Bookmark { w: 0, at: at(1), rv: 8 });
            log.got(0, at(1), a);
        });
        let got = |e: u32, w: u32| WatchLine::Got { at: at(1), e: vec![e], w: vec![w] };
        let expected = [
            got(0, 0),
            WatchLine::Got { at: at(1), e: vec![1], w: vec![1, 0] },
            WatchLine::Bookmark { w: 0, at: at(1), rv: 8 },
            got(0, 0),
        ];
        assert_eq!(lines[2..], expected);
    }

    #[test]
    fn a_change_is_described_once_and_told_apart_by_revision_kind_and_uid() {
        let lines = written(|log| {
            let first = log.describe(7, WatchKind::Added, "u", "n", None);
            assert_eq!(log.describe(7, WatchKind::Added, "u", "n", None), first);
            assert_ne!(log.describe(7, WatchKind::Added, "v", "n", None), first);
            assert_ne!(log.describe(7, WatchKind::Deleted, "u", "n", None), first);
        });
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn equal_lists_are_written_once() {
        let lines = written(|log| {
            let a = log.describe(7, WatchKind::Listed, "u", "n", None);
            log.listed(0, at(1), 9, vec![a]);
            log.listed(1, at(2), 9, vec![a]);
            log.listed(2, at(3), 10, vec![a]);
        });
        let lists = lines.iter().filter(|line| matches!(line, WatchLine::List { .. })).count();
        assert_eq!((lists, lines.len()), (2, 6));
    }

    #[test]
    fn memory_is_bounded_and_a_forgotten_change_is_described_again() {
        let lines = written(|log| {
            for rv in 0..=REMEMBERED as u64 {
                log.describe(rv, WatchKind::Added, "u", "n", None);
            }
            assert_eq!(log.known(0, WatchKind::Added, "u"), None);
            assert_eq!(log.known.len(), REMEMBERED);
            log.describe(0, WatchKind::Added, "u", "n", None);
        });
        assert_eq!(lines.len(), REMEMBERED + 2);
    }

    #[test]
    fn lines_are_short() {
        let got = WatchLine::Got { at: at(5), e: vec![1], w: vec![17, 18] };
        assert_eq!(serde_json::to_string(&got).unwrap(), r#"{"got":{"at":5,"e":[1],"w":[17,18]}}"#);
        let ended = WatchLine::Ended {
            w: 3,
            at: at(5),
            how: StreamEnd::Closed,
            status: None,
            detail: String::new(),
        };
        assert_eq!(
            serde_json::to_string(&ended).unwrap(),
            r#"{"ended":{"w":3,"at":5,"how":"closed"}}"#
        );
    }
}
