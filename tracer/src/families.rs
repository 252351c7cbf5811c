//! Calls in the order of their causes: what a thread does for a control code ends before that code does, and is held back
//! until then, so that it is shown below it.

use std::collections::HashMap;

use crate::event::{Event, Target};

/// Calls that are held back for one control code at most, and for all of them. Beyond it they are shown as they come.
const MAX_OF_ONE: usize = 256;
/// See [`MAX_OF_ONE`].
const MAX_OF_ALL: usize = 4_096;

/// Holds calls back.
#[derive(Debug, Default)]
pub struct Families {
    /// By thread, in their order.
    held: HashMap<u32, Vec<Event>>,
    count: usize,
}

impl Families {
    /// Takes an event, and gives those that can be shown now, in their order.
    pub fn sorted(&mut self, mut event: Event) -> Vec<Event> {
        let call = &event.call;
        if call.parent_ns.is_some() {
            let held = self.held.entry(call.tid).or_default();
            if held.len() < MAX_OF_ONE && self.count < MAX_OF_ALL {
                held.push(event);
                self.count += 1;
                return Vec::new();
            }
            return vec![event];
        }
        if call.control.is_none() || self.held.is_empty() {
            return vec![event];
        }
        let Some(mut children) = self.held.remove(&call.tid) else { return vec![event] };
        self.count -= children.len();
        let start_ns = call.start_ns;
        if let Target::Handle = call.target {
            // Where they all go is where the handle leads.
            let first = children.first().map(|child| (child.call.fd, child.call.target.clone()));
            if let Some((fd, target)) = first
                && children.iter().all(|child| child.call.fd == fd && child.call.parent_ns == Some(start_ns))
            {
                (event.call.fd, event.call.target) = (fd, target);
            }
        }
        if event.call.control.as_ref().is_some_and(|control| control.housekeeping) {
            // What is hidden has no children.
            children.iter_mut().for_each(|child| child.call.parent_ns = None);
        }
        let at = children
            .partition_point(|child| child.call.parent_ns.is_some_and(|parent_ns| parent_ns < start_ns));
        children.insert(at, event);
        children
    }

    /// Gives all that is still held back.
    pub fn rest(&mut self) -> Vec<Event> {
        let mut rest: Vec<Event> = self.held.drain().flat_map(|(_, held)| held).collect();
        self.count = 0;
        rest.sort_by_key(|event| event.call.start_ns);
        rest
    }
}

#[cfg(test)]
mod tests {
    use ioctl_trace_ebpf::ControlFunction;

    use super::*;
    use crate::{event::Control, tui::fixture::call};

    fn child(start_ns: u64, parent_ns: u64) -> Event {
        let mut event = call(start_ns).event();
        event.call.parent_ns = Some(parent_ns);
        event
    }

    fn control(start_ns: u64, housekeeping: bool) -> Event {
        let mut event = call(start_ns).event();
        event.call.target = Target::Handle;
        event.call.control = Some(Box::new(Control {
            function: ControlFunction::Device,
            handle: 0x44,
            input_len: 0,
            output: 0,
            output_len: 0,
            information: None,
            process: None,
            thread: None,
            housekeeping,
        }));
        event
    }

    fn starts(events: &[Event]) -> Vec<u64> {
        events.iter().map(|event| event.call.start_ns).collect()
    }

    #[test]
    fn causes_come_first_and_learn_where_they_go() {
        let mut families = Families::default();
        assert_eq!(starts(&families.sorted(call(1).event())), [1]);
        assert!(families.sorted(child(11, 10)).is_empty());
        assert!(families.sorted(child(12, 10)).is_empty());
        let shown = families.sorted(control(10, false));
        assert_eq!(starts(&shown), [10, 11, 12]);
        assert!(shown.iter().all(|event| event.call.target.file().is_some()));
        assert_eq!(starts(&families.sorted(control(20, false))), [20]);
    }

    #[test]
    fn what_is_hidden_has_no_children() {
        let mut families = Families::default();
        families.sorted(child(11, 10));
        let shown = families.sorted(control(10, true));
        assert!(shown.iter().all(|event| event.call.parent_ns.is_none()));
    }

    #[test]
    fn too_many_are_shown_as_they_come() {
        let mut families = Families::default();
        for start_ns in 0..MAX_OF_ONE as u64 {
            assert!(families.sorted(child(start_ns + 1, 1)).is_empty());
        }
        assert_eq!(families.sorted(child(999, 1)).len(), 1);
        assert_eq!(families.rest().len(), MAX_OF_ONE);
        assert!(families.rest().is_empty());
    }
}
