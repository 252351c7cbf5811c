//! What the store has for the screen, taken out of it at once: while it is drawn the store goes on.

use ioctl_trace_ebpf::{BUCKETS, bucket_of, bucket_upper_ns};

use super::{
    find,
    keymap::View,
    model::{Model, Origin},
    sheet::{Context, Sheet},
    store::{
        Store, Sum, Writing,
        calls::Calls,
        heat::{self, TICK_NS},
    },
    tables,
};
use crate::{event::Event, host::Fact};

/// What is on the screen of a moment, as far as it comes from the store.
#[derive(Debug)]
pub struct Picture {
    /// The last calls.
    pub calls: Calls,
    /// All calls.
    pub sum: Sum,
    /// When the first call began and the last one ended.
    pub span: Option<(u64, u64)>,
    /// Different processes seen, and whether there are more.
    pub processes: (usize, bool),
    /// The table that is shown, if one is.
    pub sheet: Option<Sheet>,
    /// The heat map and a histogram, if they are shown.
    pub latency: Option<Latency>,
    /// How long calls like the one under the cursor take, if its detail is open.
    pub timing: Option<Timing>,
    /// The row under the cursor, and an expression that holds for its calls.
    pub filter: (Option<usize>, String),
    /// The file that calls are written to, if they are.
    pub writing: Option<Writing>,
    /// What the user is to be told.
    pub said: Vec<String>,
    /// Answers that came since the last picture.
    pub facts: Vec<Fact>,
    /// Answers up to now.
    pub facts_end: usize,
}

/// How long calls like one take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Calls of its request on its device.
    pub calls: u64,
    /// Percent of them that took less.
    pub percent: u64,
    /// Their p50, p99 and longest.
    pub marks: [u64; 3],
}

impl Timing {
    fn take(event: &Event, store: &Store) -> Option<Self> {
        let row = &store.groups.of(event)?.row;
        let shorter = row.totals().buckets().iter().take(bucket_of(event.call.duration_ns)).sum::<u64>();
        let calls = row.totals().calls();
        Some(Self {
            calls,
            percent: (shorter * 100).checked_div(calls)?,
            marks: [50, 99, 100].map(|percent| row.percentile_ns(percent)),
        })
    }
}

/// Durations over time, and of one request.
#[derive(Clone, Debug, Default)]
pub struct Latency {
    /// The heat map, oldest first.
    pub columns: Vec<heat::Column>,
    /// Seconds of a column.
    pub column_s: f64,
    /// The request and its device.
    pub title: String,
    /// Bounds and counts of its histogram, from the shortest to the longest that occurs.
    pub bars: Vec<(u64, u64)>,
    /// Its p50, p90, p99 and longest.
    pub marks: [u64; 4],
    /// Its calls.
    pub calls: u64,
}

impl Picture {
    /// Nothing yet.
    #[must_use]
    pub const fn empty() -> Self {
        Self {
            calls: Calls::new(0),
            sum: Sum { calls: 0, errors: 0, total_ns: 0 },
            span: None,
            processes: (0, false),
            sheet: None,
            latency: None,
            timing: None,
            filter: (None, String::new()),
            writing: None,
            said: Vec::new(),
            facts: Vec::new(),
            facts_end: 0,
        }
    }

    /// Takes what a model shows: of the store, or of the one that is held. What all calls add up to goes on.
    #[must_use]
    pub fn take(model: &Model, live: &mut Store) -> Self {
        let said = std::mem::take(&mut live.said);
        let live = &*live;
        let store = model.held.as_ref().map_or(live, |held| &held.store);
        let context = Context { store: Some(store), ..model.context() };
        let sheet = (model.view != View::Stream).then(|| {
            let (order, place) = (model.order(), model.place());
            tables::table(model.view, order, place, model.list_size(), &context, &model.in_flight)
        });
        let filter = sheet.as_ref().and_then(|sheet| filter_of(model.view, sheet, store)).unwrap_or_default();
        let latency = sheet.as_ref().filter(|_| model.view == View::Latency);
        Self {
            calls: store.calls.clone(),
            sum: live.sum,
            span: store.span,
            processes: store.tasks.processes(),
            latency: latency.map(|sheet| Latency::take(model, store, sheet)),
            sheet,
            filter,
            timing: model.chosen().filter(|_| model.detail.is_some()).and_then(|e| Timing::take(e, store)),
            writing: live.writing.clone(),
            said,
            facts: live.facts.get(model.facts_end..).unwrap_or_default().to_vec(),
            facts_end: live.facts.len(),
        }
    }
}

/// An expression that holds for the calls of the row under the cursor.
fn filter_of(view: View, sheet: &Sheet, store: &Store) -> Option<(Option<usize>, String)> {
    let place = usize::try_from(sheet.selected?).ok()?;
    let both = |group: usize| store.groups.get(group).map(|group| group.filters.join(" && "));
    let filter = match view {
        View::Requests | View::Latency => both(place)?,
        View::Devices => {
            let group = *store.devices.list().get(place)?.groups.first()?;
            store.groups.get(group)?.filters.last()?.clone()
        }
        View::Errors => {
            let failure = store.failures.list().get(place)?;
            format!("{} && {}", find::error_of(failure.errno), both(failure.group)?)
        }
        View::Stream | View::Processes | View::InFlight => return None,
    };
    Some((Some(place), filter))
}

/// Ticks that a column of the heat map may have.
pub const ZOOMS: [u64; 8] = [1, 2, 4, 8, 20, 40, 120, 240];

impl Latency {
    fn take(model: &Model, store: &Store, sheet: &Sheet) -> Self {
        let columns = usize::from(model.areas(model.size).heat.width.saturating_sub(LABEL));
        let fitting = || {
            let all = store.heat.ticks();
            ZOOMS.into_iter().find(|per| all.div_ceil(*per) <= columns as u64).unwrap_or(240)
        };
        let per = match (model.heat_zoom, model.origin) {
            (Some(zoom), _) => ZOOMS.get(zoom).copied().unwrap_or(4),
            (None, Origin::Live) => 4,
            (None, Origin::Recording) => fitting(),
        };
        let group = sheet.selected.and_then(|id| store.groups.get(usize::try_from(id).ok()?));
        let mut latency = Self {
            columns: store.heat.columns(model.moment_ns() / TICK_NS, per, columns),
            column_s: per as f64 * (TICK_NS as f64 / 1e9),
            ..Self::default()
        };
        if let Some(group) = group {
            latency.title = format!("{} on {}", group.request, group.device);
            latency.calls = group.row.totals().calls();
            latency.marks = [50, 90, 99, 100].map(|percent| group.row.percentile_ns(percent));
            let counts = group.row.totals().buckets();
            let first = counts.iter().position(|&count| count > 0).unwrap_or(0);
            let last = counts.iter().rposition(|&count| count > 0).unwrap_or(0);
            let bar = |bucket: usize| (bucket_upper_ns(bucket), counts.get(bucket).copied().unwrap_or(0));
            latency.bars = (first..=last.min(BUCKETS - 1)).map(bar).collect();
        }
        latency
    }
}

/// Columns left of the heat map, for its scale.
pub const LABEL: u16 = 7;
