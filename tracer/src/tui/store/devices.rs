//! Totals per device, and who uses it.

use std::sync::Arc;

use super::{Sum, groups::device_of, rows::Rows, series::Series};
use crate::{
    escape::escaped,
    event::{Comm, Event},
    tui::holders::Node,
};

/// Devices kept; calls on further ones are only counted.
pub const CAPACITY: usize = 4_096;
/// Processes, paths and requests kept of each.
const NAMES: usize = 12;

/// A device.
#[derive(Clone, Debug)]
pub struct Used {
    /// Its name, as in the table of requests.
    pub label: String,
    /// Its kind and numbers, if it has these.
    pub node: Option<Node>,
    /// The driver's module.
    pub module: Option<Arc<str>>,
    /// What handles its ioctls.
    pub handler: Option<Arc<str>>,
    /// The first path that it was seen at.
    pub path: String,
    /// Processes that called it, with their calls; the first ones.
    pub users: Vec<(u32, Comm, u64)>,
    /// There were more.
    pub more_users: bool,
    /// Places of its groups in the table of requests.
    pub groups: Vec<usize>,
    /// What its calls add up to.
    pub sum: Sum,
    /// Calls per second.
    pub series: Series,
}

impl Used {
    fn new(event: &Event) -> Self {
        let known = event.device();
        let path = event.call.target.file().map(|file| escaped(&file.target)).unwrap_or_default();
        Self {
            label: device_of(event),
            node: known.and_then(|device| {
                let (major, minor) = device.numbers?;
                Some((device.kind, major.into(), minor.into()))
            }),
            module: known.and_then(|device| device.module.clone()),
            handler: known.and_then(|device| device.handler.clone()),
            path,
            users: Vec::new(),
            more_users: false,
            groups: Vec::new(),
            sum: Sum::default(),
            series: Series::default(),
        }
    }

    fn add(&mut self, event: &Event, group: usize, second: u64) {
        self.sum.add(event);
        self.series.add(second);
        let (pid, room) = (event.call.pid, self.users.len() < NAMES);
        match self.users.iter_mut().find(|(user, ..)| *user == pid) {
            Some((_, comm, calls)) => (*comm, *calls) = (event.call.comm, *calls + 1),
            None if room => self.users.push((pid, event.call.comm, 1)),
            None => self.more_users = true,
        }
        if self.groups.last() != Some(&group) && self.groups.len() < NAMES && !self.groups.contains(&group) {
            self.groups.push(group);
        }
    }
}

/// All devices, in the order in which they came up.
#[derive(Clone, Debug, Default)]
pub struct Devices {
    /// By their labels.
    rows: Rows<String, Used, CAPACITY>,
    /// By place of the group in the table of requests.
    of_group: Vec<Option<usize>>,
}

impl Devices {
    /// Adds a call of a group that ended in a second.
    pub fn add(&mut self, event: &Event, group: usize, second: u64) {
        let place = match self.of_group.get(group) {
            Some(place) => *place,
            None => {
                let place = self.rows.place(device_of(event), || Used::new(event));
                self.of_group.resize(group + 1, place);
                place
            }
        };
        match place.and_then(|place| self.rows.get_mut(place)) {
            Some(device) => device.add(event, group, second),
            None => self.rows.crowd_out(),
        }
    }

    /// All devices.
    #[must_use]
    pub fn list(&self) -> &[Used] {
        self.rows.list()
    }

    /// Calls on devices that found no row.
    #[must_use]
    pub const fn crowded_out(&self) -> u64 {
        self.rows.crowded_out()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixture::call;

    #[test]
    fn devices_know_who_uses_them_for_what() {
        let mut devices = Devices::default();
        devices.add(&call(0).event(), 0, 1);
        devices.add(&call(0).task("less", 9, 9).request(5).event(), 1, 1);
        devices.add(&call(0).not_open().fails(9).event(), 2, 1);
        let [pts, none] = devices.list() else { panic!("{:?}", devices.list().len()) };
        let users: Vec<_> =
            pts.users.iter().map(|(pid, comm, calls)| (*pid, comm.as_bytes(), *calls)).collect();
        assert_eq!(users, [(4711, &b"stty"[..], 1), (9, b"less", 1)]);
        assert_eq!(
            (pts.label.as_str(), pts.path.as_str(), &*pts.groups),
            ("pts 136:3", "/dev/pts/3", &[0, 1][..])
        );
        assert_eq!((none.label.as_str(), none.sum.errors), ("not open", 1));
    }
}
