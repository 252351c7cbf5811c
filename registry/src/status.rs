//! The names of `NTSTATUS` values.

use std::sync::OnceLock;

use crate::{facts::collect, parse, tables};

/// The name of an `NTSTATUS`, if a public header gives it one.
///
/// ```
/// use ioctl_registry::windows::status_name;
///
/// assert_eq!(status_name(0), Some("STATUS_SUCCESS"));
/// assert_eq!(status_name(0xc000_0010), Some("STATUS_INVALID_DEVICE_REQUEST"));
/// assert_eq!(status_name(0xc0ff_ffff), None);
/// ```
#[must_use]
pub fn status_name(status: u32) -> Option<&'static str> {
    static NAMES: OnceLock<Vec<(u32, &'static str)>> = OnceLock::new();
    let names = NAMES.get_or_init(|| {
        let status = |line| {
            let [name, value] = parse::columns(line)?;
            Some((u32::try_from(parse::hex(value)?).ok()?, name))
        };
        // The table is sorted by value.
        collect(tables::WINDOWS_STATUS.text(), status, &mut 0)
    });
    let place = names.binary_search_by_key(&status, |(value, _)| *value).ok()?;
    names.get(place).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_whole() {
        let mut skipped = 0;
        let values = collect(
            tables::WINDOWS_STATUS.text(),
            |line| {
                let [_, value] = parse::columns(line)?;
                parse::hex(value)
            },
            &mut skipped,
        );
        assert!(values.is_sorted() && skipped == 0 && values.len() > 1_500);
        assert_eq!(status_name(0x103), Some("STATUS_PENDING"));
    }
}
