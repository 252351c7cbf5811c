//! Calls that are inside the kernel, as calls like any other.

use std::fmt;

use ioctl_registry::Registry;

use crate::{
    assemble::{Assembled, Assembler},
    decode::{Decoder, Detail},
    event::Event,
    host::LiveHost,
    recording,
    session::Status,
    source::InFlightCall,
};

/// Calls shown; the oldest of more.
const SHOWN: usize = 500;

/// Finds out what is behind them.
pub struct Inside {
    assembler: Assembler,
    decoder: Decoder,
}

impl fmt::Debug for Inside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inside").finish_non_exhaustive()
    }
}

impl Inside {
    /// With a registry.
    #[must_use]
    pub fn new(registry: &'static Registry) -> Self {
        let host = Box::new(LiveHost::default());
        Self { assembler: Assembler::default(), decoder: Decoder::new(registry, Detail::AsNeeded, host) }
    }

    /// The calls of a moment, the oldest first.
    #[must_use]
    pub fn calls(&mut self, status: &Status, now_ns: u64) -> Vec<Event> {
        let mut calls: Vec<_> = status.in_flight.iter().collect();
        calls.sort_by_key(|(_, call)| call.enter_ns);
        let event = |(tid, call): &InFlightCall| {
            let call = self.assembler.in_flight(*tid, call, now_ns, self.decoder.host());
            self.decoder.call(call)
        };
        let mut events: Vec<Event> = calls.into_iter().take(SHOWN).map(event).collect();
        for (tid, begun) in status.controls.iter().take(SHOWN) {
            let record = recording::running_control(*tid, begun, now_ns);
            if let Assembled::Call(call) = self.assembler.record(&record, self.decoder.host()) {
                events.push(self.decoder.call(call));
            }
        }
        events.sort_by_key(|event| event.call.start_ns);
        events
    }
}
