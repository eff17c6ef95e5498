//! The connections of one identity: which one takes the next request, and when
//! another is made.

use std::collections::VecDeque;
use std::rc::Rc;

use kab_evidence::clock::Mono;
use kab_wire::{Broken, Connection, Event, Peer, Reactor, Ready, Request, Scratch};

/// Connections to one peer.
pub(crate) struct Pool {
    peer: Rc<Peer>,
    number: u64,
    most: usize,
    links: Vec<Option<Link>>,
    vacant: Vec<usize>,
    /// Connections with room, those that were just used last.
    free: VecDeque<usize>,
    /// Those with something to be written.
    dirty: Vec<usize>,
    connecting: usize,
    /// When a connection was last known to be open.
    connected: Option<Mono>,
    /// Operations that wait for a connection, in order.
    pub waiting: VecDeque<usize>,
}

struct Link {
    connection: Connection,
    open: bool,
    is_free: bool,
    is_dirty: bool,
}

/// What became of a connection.
pub(crate) enum Turn {
    /// It goes on.
    GoesOn,
    /// It is over; these operations were on it.
    Over { tags: Vec<u64>, connection: Box<Connection>, why: Broken },
}

impl Pool {
    /// A pool of `most` connections; `number` tells its keys from those of
    /// other pools.
    pub(crate) fn new(peer: &Peer, number: usize, most: usize) -> Self {
        Self {
            peer: Rc::new(peer.clone()),
            number: number as u64,
            most: most.max(1),
            links: Vec::new(),
            vacant: Vec::new(),
            free: VecDeque::new(),
            dirty: Vec::new(),
            connecting: 0,
            connected: None,
            waiting: VecDeque::new(),
        }
    }

    /// Which pool and which of its connections a key is of.
    pub(crate) fn of_key(key: u64) -> (usize, usize) {
        let low = |n: u64| usize::try_from(n & u64::from(u32::MAX)).unwrap_or(usize::MAX);
        (low(key >> 32), low(key))
    }

    /// Connections that are open or being opened.
    fn count(&self) -> usize {
        self.links.len() - self.vacant.len()
    }

    /// Whether any connection is open.
    pub(crate) fn is_connected(&self) -> bool {
        self.count() > self.connecting
    }

    /// Whether there are as many connections as there may be, and one is open.
    pub(crate) fn is_full(&self) -> bool {
        self.count() >= self.most && self.is_connected()
    }

    /// Whether a connection was open at `then` or later.
    pub(crate) fn was_connected_since(&self, then: Mono) -> bool {
        self.is_connected() || self.connected.is_some_and(|at| at >= then)
    }

    /// Makes one more connection, if there may be another.
    ///
    /// # Errors
    /// If it cannot even begin.
    pub(crate) fn grow(&mut self, reactor: &Reactor) -> Result<bool, Broken> {
        if self.count() >= self.most {
            return Ok(false);
        }
        let place = self.vacant.pop().unwrap_or_else(|| {
            self.links.push(None);
            self.links.len() - 1
        });
        let key = self.number << 32 | place as u64;
        match Connection::open(reactor, key, &self.peer) {
            Ok(connection) => {
                let link = Link { connection, open: false, is_free: false, is_dirty: false };
                self.links[place] = Some(link);
                self.connecting += 1;
                Ok(true)
            }
            Err(broken) => {
                self.vacant.push(place);
                Err(broken)
            }
        }
    }

    /// Opens all connections there may be, ahead of the first request.
    pub(crate) fn fill(&mut self, reactor: &Reactor) {
        // What fails now fails again when it is needed, and is told then.
        while self.grow(reactor).unwrap_or(false) {}
    }

    /// Opens another connection if more operations wait than are on their way.
    ///
    /// # Errors
    /// If it cannot even begin.
    pub(crate) fn provide(&mut self, reactor: &Reactor) -> Result<(), Broken> {
        while self.waiting.len() > self.connecting && self.grow(reactor)? {}
        Ok(())
    }

    /// Whether a request can be sent now.
    pub(crate) fn has_room(&mut self) -> bool {
        while let Some(&place) = self.free.back() {
            let link = self.links[place].as_mut();
            if link.as_ref().is_some_and(|link| link.connection.room() > 0) {
                return true;
            }
            self.free.pop_back();
            if let Some(link) = link {
                link.is_free = false;
            }
        }
        false
    }

    /// Encodes `request` on a connection with room: which one, and the mark.
    /// None if there is none.
    pub(crate) fn send(&mut self, tag: usize, request: &Request<'_>) -> Option<(usize, u64)> {
        if !self.has_room() {
            return None;
        }
        let place = self.free.pop_back()?;
        let link = self.links[place].as_mut()?;
        let mark = link.connection.send(tag as u64, request);
        link.is_free = false;
        if link.connection.room() > 0 {
            // Many at a time: the next request goes to the one that has not
            // been used for longest.
            link.is_free = true;
            self.free.push_front(place);
        }
        if !link.is_dirty {
            link.is_dirty = true;
            self.dirty.push(place);
        }
        Some((place, mark))
    }

    /// Whether the kernel has taken nothing of what was sent on `place` at
    /// `mark`.
    pub(crate) fn untouched(&self, place: usize, mark: u64) -> bool {
        let link = self.links.get(place).and_then(Option::as_ref);
        link.is_some_and(|link| link.connection.untouched(mark))
    }

    /// Gives up the operation `tag` on `place`.
    pub(crate) fn cancel(&mut self, place: usize, tag: usize) {
        let Some(link) = self.links.get_mut(place).and_then(Option::as_mut) else { return };
        if link.connection.cancel(tag as u64) {
            self.remove(place);
        } else if !link.is_dirty {
            link.is_dirty = true;
            self.dirty.push(place);
        }
    }

    /// Writes what was encoded; connections that turned out to be over are
    /// appended to `over`.
    pub(crate) fn flush(&mut self, reactor: &Reactor, over: &mut Vec<Turn>) {
        while let Some(place) = self.dirty.pop() {
            let Some(link) = self.links[place].as_mut() else { continue };
            link.is_dirty = false;
            if let Err(why) = link.connection.flush(reactor) {
                over.push(self.over(place, why));
            }
        }
    }

    /// Lets the connection of `ready` do what it can.
    pub(crate) fn ready(
        &mut self,
        reactor: &Reactor,
        ready: Ready,
        scratch: &mut Scratch,
        sink: impl FnMut(Mono, u64, Event<'_>),
    ) -> Turn {
        let (_, place) = Self::of_key(ready.key);
        // An event may be of a connection that was closed in the same turn.
        let Some(link) = self.links.get_mut(place).and_then(Option::as_mut) else {
            return Turn::GoesOn;
        };
        if let Err(why) = link.connection.ready(reactor, ready, scratch, sink) {
            return self.over(place, why);
        }
        if !link.open && link.connection.is_open() {
            link.open = true;
            self.connecting -= 1;
        }
        if link.connection.is_closing() && link.connection.is_idle() {
            return self.over(place, Broken::Closed);
        }
        if !link.is_free && link.connection.room() > 0 {
            link.is_free = true;
            self.free.push_back(place);
        }
        Turn::GoesOn
    }

    fn over(&mut self, place: usize, why: Broken) -> Turn {
        let Some(mut link) = self.remove(place) else { return Turn::GoesOn };
        let tags = link.connection.abandon();
        Turn::Over { tags, connection: Box::new(link.connection), why }
    }

    fn remove(&mut self, place: usize) -> Option<Link> {
        let link = self.links[place].take()?;
        self.vacant.push(place);
        self.free.retain(|free| *free != place);
        if link.open {
            self.connected = Some(Mono::now());
        } else {
            self.connecting -= 1;
        }
        Some(link)
    }
}
