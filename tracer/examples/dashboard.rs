//! What the dashboard costs: calls at a steady rate through the usual threads, with frames that are written to nowhere and
//! keys that are pressed. `dashboard CALLS_PER_SECOND [SECONDS]` prints one line of JSON.
#![expect(clippy::print_stdout, reason = "that is what it is for")]

use std::{
    env, thread,
    time::{Duration, Instant},
};

use ioctl_trace::{
    clock::monotonic_ns,
    source::{Batch, Source, scripted::Scripted},
    tui::offscreen,
};
use ioctl_trace_ebpf::CallRecord;

/// Where a record has its time.
const TIME: std::ops::Range<usize> = 8..16;
/// Requests of terminals, a pipe's, and one that nobody knows.
const REQUESTS: [u32; 6] = [0x5401, 0x5413, 0x541b, 0x5402, 0x540f, 0xc008_dead];

/// Plays the same records again and again, so many a second.
struct Steady {
    records: Vec<Vec<u8>>,
    per_second: f64,
    begin: Instant,
    sent: u64,
}

impl Steady {
    fn new(per_second: f64) -> Self {
        let mut script = Scripted::new();
        for n in 0..997_u32 {
            let request = REQUESTS[n as usize % REQUESTS.len()];
            let mut call = CallRecord {
                request,
                arg: 0x1000,
                tgid: 100 + n % 7,
                tid: 100 + n % 21,
                ..CallRecord::default()
            };
            call.comm[..4].copy_from_slice(b"load");
            call.duration_ns = 300 + u64::from(n * n);
            call.ret = if n % 50 == 0 { -25 } else { 0 };
            call.file.status = 1;
            script.call_returning(call, &[(0x1000, &n.to_ne_bytes())]);
        }
        let mut all = Batch::default();
        script.read(&mut all, Duration::ZERO);
        let records = all.records().map(<[u8]>::to_vec).collect();
        Self { records, per_second, begin: Instant::now(), sent: 0 }
    }
}

impl Source for Steady {
    fn read(&mut self, batch: &mut Batch, timeout: Duration) -> bool {
        let due = (self.begin.elapsed().as_secs_f64() * self.per_second) as u64;
        if due <= self.sent {
            thread::sleep(timeout.min(Duration::from_millis(1)));
        }
        let now = monotonic_ns().to_ne_bytes();
        while self.sent < due && !batch.is_full() {
            let place = self.sent as usize % self.records.len();
            if let Some(record) = self.records.get_mut(place) {
                record[TIME].copy_from_slice(&now);
                batch.push(record);
            }
            self.sent += 1;
        }
        true
    }
}

fn main() -> std::io::Result<()> {
    let mut numbers = env::args().skip(1).map(|word| word.parse::<f64>().unwrap_or(0.0));
    let per_second = numbers.next().unwrap_or(500_000.0);
    let time = Duration::from_secs_f64(numbers.next().unwrap_or(5.0));
    let figures = offscreen::run(Box::new(Steady::new(per_second)), time, (160, 50))?;
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}
