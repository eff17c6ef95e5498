//! The notifications of one write.

use std::ops::Deref;

use crate::clock::Mono;

/// One notification of a write, received by one subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// Which subscriber, from 0.
    pub subscriber: u32,
    /// When it was read.
    pub received: Mono,
}

/// Notifications, in the order received. Most writes have none or one, for
/// which nothing is allocated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Receipts(Few);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Few {
    #[default]
    None,
    One(Receipt),
    Many(Vec<Receipt>),
}

impl Receipts {
    /// Adds one, at the end.
    pub(super) fn push(&mut self, receipt: Receipt) {
        match &mut self.0 {
            Few::None => self.0 = Few::One(receipt),
            Few::One(first) => self.0 = Few::Many(vec![*first, receipt]),
            Few::Many(all) => all.push(receipt),
        }
    }

    /// Puts them in the order received; equal instants stay as they are.
    pub(super) fn sort(&mut self) {
        if let Few::Many(all) = &mut self.0 {
            all.sort_by_key(|receipt| receipt.received);
        }
    }
}

impl Deref for Receipts {
    type Target = [Receipt];

    fn deref(&self) -> &[Receipt] {
        match &self.0 {
            Few::None => &[],
            Few::One(receipt) => std::slice::from_ref(receipt),
            Few::Many(all) => all,
        }
    }
}

impl<'a> IntoIterator for &'a Receipts {
    type Item = &'a Receipt;
    type IntoIter = std::slice::Iter<'a, Receipt>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl FromIterator<Receipt> for Receipts {
    fn from_iter<I: IntoIterator<Item = Receipt>>(receipts: I) -> Self {
        let mut all = Self::default();
        receipts.into_iter().for_each(|receipt| all.push(receipt));
        all.sort();
        all
    }
}
