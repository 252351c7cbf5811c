//! Tells who watches a decoding what the bytes are taken for.

use super::{decoder::Decoder, memory::Taken, scalar, tag::Spot, value::Value};

impl Decoder<'_> {
    /// The value that these bytes became.
    pub(super) fn made(&self, bytes: &[u8], value: Value) -> Value {
        self.took(bytes, &value);
        value
    }

    /// Bytes of no known meaning. `cut`: there are more.
    pub(super) fn unexplained(&self, bytes: &[u8], cut: bool) -> Value {
        self.made(bytes, Value::Bytes { bytes: bytes.to_vec(), cut })
    }

    /// These bytes became a value.
    pub(super) fn took(&self, bytes: &[u8], value: &Value) {
        let Some(watch) = self.watch else { return };
        match value {
            Value::Text { .. } if value.is_zero() => {
                // What ends it; nothing is said of what lies behind that.
                let end = bytes.iter().take_while(|byte| **byte == 0).count();
                watch.taken(bytes.get(..end).unwrap_or(bytes), Taken::Number);
            }
            Value::Pointee { .. } => watch.taken(bytes, Taken::Number),
            // Its readings have told of theirs.
            Value::Union { .. } if !value.has_text() => {}
            value if value.has_text() => watch.taken(bytes, Taken::Text),
            value => {
                let used = scalar::address_bytes(value).and_then(|used| bytes.get(..used));
                watch.taken(used.unwrap_or(bytes), Taken::Number);
            }
        }
    }

    /// A part of these bytes became a number.
    pub(super) fn took_part(&self, bytes: &[u8], start: u64, end: u64, value: &Value) {
        if self.watch.is_some()
            && let (Ok(start), Ok(end)) = (usize::try_from(start), usize::try_from(end))
            && let Some(part) = bytes.get(start..end)
        {
            self.took(part, value);
        }
    }

    /// A number that says something of others.
    pub(super) fn said(&self, spot: &Spot, bytes: &[u8]) -> Option<u64> {
        let found = spot.read(bytes)?;
        let start = spot.bits.map_or(spot.offset, |bits| bits.start / 8);
        self.took_part(bytes, start, spot.end(), &Value::Hex(found));
        Some(found)
    }
}
