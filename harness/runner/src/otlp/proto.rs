//! As much of Protocol Buffers' wire format as spans need: fields one after
//! the other, each a number and a value. A message is a value of its own.
//!
//! What comes in is not trusted: anything may be refused, nothing may panic.

/// The bytes are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a protocol buffer: {0}")]
pub struct Malformed(&'static str);

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// A whole number of variable length.
    Varint(u64),
    /// Eight bytes, little-endian.
    Fixed64(u64),
    /// Text, bytes, or another message.
    Bytes(&'a [u8]),
    /// Four bytes, little-endian.
    Fixed32(u32),
}

impl<'a> Value<'a> {
    /// The bytes, if it is any.
    pub const fn bytes(self) -> Result<&'a [u8], Malformed> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(Malformed("a number where bytes are due")),
        }
    }

    /// The number in eight bytes, if it is one.
    pub const fn fixed64(self) -> Result<u64, Malformed> {
        match self {
            Self::Fixed64(number) => Ok(number),
            _ => Err(Malformed("something else where eight bytes are due")),
        }
    }
}

/// The fields of a message, in order. Ends after the first that is none.
#[derive(Debug, Clone)]
pub struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Those of `message`.
    pub const fn of(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    fn next_field(&mut self) -> Result<(u64, Value<'a>), Malformed> {
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Value::Varint(self.varint()?),
            1 => Value::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => {
                let length = self.varint()?;
                let length = usize::try_from(length).map_err(|_| Malformed("a huge length"))?;
                Value::Bytes(self.take(length)?)
            }
            5 => Value::Fixed32(u32::from_le_bytes(self.array()?)),
            // Groups (3 and 4) are not in use since version 3.
            _ => return Err(Malformed("an unknown kind of field")),
        };
        match tag >> 3 {
            0 => Err(Malformed("field number 0")),
            number => Ok((number, value)),
        }
    }

    fn varint(&mut self) -> Result<u64, Malformed> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = self.array()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(Malformed("a number of more than 64 bits"));
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Malformed("a number without end"))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (first, rest) = self.rest.split_first_chunk().ok_or(Malformed("it is cut off"))?;
        self.rest = rest;
        Ok(*first)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (first, rest) = self.rest.split_at_checked(length).ok_or(Malformed("it is cut off"))?;
        self.rest = rest;
        Ok(first)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let field = self.next_field();
        if field.is_err() {
            self.rest = &[];
        }
        Some(field)
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use proptest::prelude::*;

    pub fn varint(mut number: u64, into: &mut Vec<u8>) {
        while number >= 0x80 {
            into.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
            number >>= 7;
        }
        into.push(u8::try_from(number).unwrap());
    }

    pub fn field(number: u64, value: Value<'_>, into: &mut Vec<u8>) {
        let mut tag = |kind| varint(number << 3 | kind, into);
        match value {
            Value::Varint(n) => {
                tag(0);
                varint(n, into);
            }
            Value::Fixed64(n) => {
                tag(1);
                into.extend(n.to_le_bytes());
            }
            Value::Bytes(bytes) => {
                tag(2);
                varint(bytes.len() as u64, into);
                into.extend(bytes);
            }
            Value::Fixed32(n) => {
                tag(5);
                into.extend(n.to_le_bytes());
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(fields in prop::collection::vec(
            (1u64..1 << 29, 0..4u8, any::<u64>(), any::<Vec<u8>>()), 0..8))
        {
            let value = |kind, n, bytes| match kind {
                0 => Value::Varint(n),
                1 => Value::Fixed64(n),
                2 => Value::Fixed32(u32::try_from(n >> 32).unwrap()),
                _ => Value::Bytes(bytes),
            };
            let mut message = Vec::new();
            let wanted: Vec<_> = fields.iter().map(|(n, k, v, b)| (*n, value(*k, *v, b))).collect();
            wanted.iter().for_each(|(n, value)| field(*n, *value, &mut message));
            let found: Result<Vec<_>, _> = Fields::of(&message).collect();
            prop_assert_eq!(found, Ok(wanted));
        }

        #[test]
        fn nothing_makes_it_panic_or_go_on_for_ever(bytes: Vec<u8>) {
            prop_assert!(Fields::of(&bytes).count() <= bytes.len());
        }
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let refused = |bytes: &[u8]| Fields::of(bytes).any(|field| field.is_err());
        // Cut off, a group, field 0, 11 bytes of a number, more than 64 bits.
        for bytes in [&[0x0a, 5, 1][..], &[0x0b], &[0x00, 1], &[0x08, 0xff], &[0xff; 11]] {
            assert!(refused(bytes), "{bytes:?}");
        }
        let mut most = vec![0x08];
        most.extend([0xff; 9]);
        assert!(!refused(&[most.clone(), vec![1]].concat()));
        assert!(refused(&[most, vec![2]].concat()));
    }
}
