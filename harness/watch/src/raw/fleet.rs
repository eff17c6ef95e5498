//! The connections that streams are on.

use std::collections::VecDeque;
use std::rc::Rc;

use kab_evidence::clock::Mono;
use kab_wire::{Broken, Connection, Event, Peer, Reactor, Ready, Request, Scratch};

/// So many connections are being made at a time: a server that has just come
/// back is not to be run over.
const CONNECTING: usize = 16;

/// So many streams are expected on a connection that speaks HTTP/2, until the
/// server has said more.
const STREAMS: usize = 100;

/// Connections to one peer.
pub(super) struct Fleet {
    peer: Rc<Peer>,
    links: Vec<Option<Link>>,
    vacant: Vec<usize>,
    /// Those that may have room, the fullest first.
    free: VecDeque<usize>,
    dirty: Vec<usize>,
    connecting: usize,
    /// Whether the peer turned out to speak HTTP/1.1.
    one_by_one: bool,
}

struct Link {
    connection: Connection,
    open: bool,
    is_free: bool,
    is_dirty: bool,
}

/// A connection that is over.
pub(super) struct Over {
    /// What was on it.
    pub tags: Vec<u64>,
    pub why: Broken,
    /// Whether it had come to be.
    pub was_open: bool,
}

impl Fleet {
    pub fn new(peer: Peer) -> Self {
        Self {
            peer: Rc::new(peer),
            links: Vec::new(),
            vacant: Vec::new(),
            free: VecDeque::new(),
            dirty: Vec::new(),
            connecting: 0,
            one_by_one: false,
        }
    }

    /// Opens connections for `waiting` requests that have found no room.
    ///
    /// # Errors
    /// If one cannot even begin.
    pub fn provide(&mut self, reactor: &Reactor, waiting: usize) -> Result<(), Broken> {
        let on_each = if self.one_by_one { 1 } else { STREAMS };
        while self.connecting < waiting.div_ceil(on_each).min(CONNECTING) {
            let place = self.vacant.pop().unwrap_or_else(|| {
                self.links.push(None);
                self.links.len() - 1
            });
            match Connection::open(reactor, place as u64, &self.peer) {
                Ok(connection) => {
                    let link = Link { connection, open: false, is_free: false, is_dirty: false };
                    self.links[place] = Some(link);
                    self.connecting += 1;
                }
                Err(broken) => {
                    self.vacant.push(place);
                    return Err(broken);
                }
            }
        }
        Ok(())
    }

    /// Whether a request can be sent now.
    pub fn has_room(&mut self) -> bool {
        while let Some(&place) = self.free.front() {
            let link = self.links[place].as_mut();
            if link.as_ref().is_some_and(|link| link.connection.room() > 0) {
                return true;
            }
            self.free.pop_front();
            if let Some(link) = link {
                link.is_free = false;
            }
        }
        false
    }

    /// Sends `request`, on which connection; none if there is no room.
    pub fn send(&mut self, tag: u64, request: &Request<'_>) -> Option<usize> {
        if !self.has_room() {
            return None;
        }
        let place = *self.free.front()?;
        self.links[place].as_mut()?.connection.send(tag, request);
        self.mark_dirty(place);
        Some(place)
    }

    /// Gives up what is under `tag` on connection `place`.
    pub fn cancel(&mut self, place: usize, tag: u64) {
        let Some(link) = self.links.get_mut(place).and_then(Option::as_mut) else { return };
        if link.connection.cancel(tag) {
            self.remove(place);
        } else {
            self.mark_dirty(place);
            self.offer(place);
        }
    }

    /// Writes what was sent; what was on connections that broke by it.
    pub fn flush(&mut self, reactor: &Reactor) -> Vec<Over> {
        let mut over = Vec::new();
        for place in std::mem::take(&mut self.dirty) {
            let Some(link) = self.links[place].as_mut() else { continue };
            link.is_dirty = false;
            if let Err(why) = link.connection.flush(reactor) {
                over.extend(self.end(place, why));
            }
        }
        over
    }

    /// Does what `ready` says can be done.
    pub fn turn(
        &mut self,
        reactor: &Reactor,
        ready: Ready,
        scratch: &mut Scratch,
        sink: impl FnMut(Mono, u64, Event<'_>),
    ) -> Option<Over> {
        let place = usize::try_from(ready.key).ok()?;
        let link = self.links.get_mut(place)?.as_mut()?;
        if let Err(why) = link.connection.ready(reactor, ready, scratch, sink) {
            return self.end(place, why);
        }
        if !link.open && link.connection.is_open() {
            link.open = true;
            self.connecting -= 1;
            self.one_by_one = link.connection.is_http2() == Some(false);
        }
        if link.connection.is_closing() && link.connection.is_idle() {
            self.remove(place);
        } else {
            self.offer(place);
        }
        None
    }

    /// Puts a connection among those with room, if it has some.
    fn offer(&mut self, place: usize) {
        let Some(link) = self.links[place].as_mut() else { return };
        if link.open && !link.is_free && link.connection.room() > 0 {
            link.is_free = true;
            self.free.push_back(place);
        }
    }

    fn mark_dirty(&mut self, place: usize) {
        let Some(link) = self.links[place].as_mut() else { return };
        if !link.is_dirty {
            link.is_dirty = true;
            self.dirty.push(place);
        }
    }

    fn end(&mut self, place: usize, why: Broken) -> Option<Over> {
        let mut link = self.remove(place)?;
        Some(Over { tags: link.connection.abandon(), why, was_open: link.open })
    }

    fn remove(&mut self, place: usize) -> Option<Link> {
        let link = self.links[place].take()?;
        self.connecting -= usize::from(!link.open);
        self.vacant.push(place);
        if link.is_free {
            self.free.retain(|free| *free != place);
        }
        Some(link)
    }
}
