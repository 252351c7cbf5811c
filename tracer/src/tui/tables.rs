//! The tables: their columns, and the rows that a store has for them.

use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
};

use super::{
    keymap::View,
    sheet::{self, Cell, Column, Context, Order, Place, RowId, Sheet, SortKey, Width, number, request_name},
    store::{devices::Used, errors::Failure, groups::Group, series::SECONDS, tasks::Task},
    stream,
    text::{Short, fit},
    theme::{Tone, family},
};
use crate::{errno, escape::escaped, event::Event, totals::Human};

/// Times have at most seven characters; the arrow of the sorted column needs room too.
const TIME: Width = Width::Fixed(7);
const SPARK: Width = Width::Wide(10, 20);

fn time(ns: u64) -> Cell {
    Cell::plain(Human(ns).to_string())
}

fn calls(count: u64) -> Cell {
    Cell::Text(Short(count).to_string(), Tone::Strong)
}

fn errors(count: u64) -> Cell {
    Cell::loud(count, Short(count), Tone::Failed)
}

fn rate(count: u32) -> Cell {
    Cell::loud(count.into(), Short(count.into()), Tone::Plain)
}

fn spark(series: &super::store::series::Series, now_s: u64, room: usize) -> Cell {
    Cell::Spark(series.up_to(now_s, room.min(SECONDS)))
}

fn text(text: &str) -> SortKey {
    SortKey::Text(text.to_owned())
}

/// Name and number of a process.
fn process(comm: &[u8], pid: u32, room: usize) -> String {
    let id = pid.to_string();
    match room.checked_sub(id.len() + 1) {
        Some(left @ 1..) => format!("{} {id}", fit(&escaped(comm), left)),
        _ => id,
    }
}

#[rustfmt::skip]
const REQUESTS: &[Column<Group>] = &[
    Column { title: "request", width: Width::Share(16, 3), right: false, rank: 0,
        cell: |g, _, room| Cell::Text(request_name(&g.request, g.number, room), family(g.family)),
        key: Some(|g, _| text(&g.request)) },
    Column { title: "device", width: Width::Share(9, 2), right: false, rank: 4,
        cell: |g, _, _| Cell::plain(g.device.clone()), key: Some(|g, _| text(&g.device)) },
    Column { title: "calls", width: Width::Fixed(7), right: true, rank: 1,
        cell: |g, _, _| calls(g.row.totals().calls()), key: Some(|g, _| number(g.row.totals().calls())) },
    Column { title: "per s", width: Width::Fixed(7), right: true, rank: 7,
        cell: |g, c, _| rate(g.series.at(c.now_s)), key: Some(|g, c| number(g.series.at(c.now_s).into())) },
    Column { title: "errors", width: Width::Fixed(7), right: true, rank: 3,
        cell: |g, _, _| errors(g.row.totals().errors()), key: Some(|g, _| number(g.row.totals().errors())) },
    Column { title: "total", width: TIME, right: true, rank: 2,
        cell: |g, _, _| time(g.row.totals().total_ns()), key: Some(|g, _| number(g.row.totals().total_ns())) },
    Column { title: "mean", width: TIME, right: true, rank: 11,
        cell: |g, _, _| time(g.row.totals().mean_ns()), key: Some(|g, _| number(g.row.totals().mean_ns())) },
    Column { title: "p50", width: TIME, right: true, rank: 8,
        cell: |g, _, _| time(g.row.percentile_ns(50)), key: Some(|g, _| number(g.row.totals().percentile_ns(50))) },
    Column { title: "p99", width: TIME, right: true, rank: 6,
        cell: |g, _, _| time(g.row.percentile_ns(99)), key: Some(|g, _| number(g.row.totals().percentile_ns(99))) },
    Column { title: "max", width: TIME, right: true, rank: 9,
        cell: |g, _, _| time(g.row.totals().max_ns()), key: Some(|g, _| number(g.row.totals().max_ns())) },
    Column { title: "recent", width: SPARK, right: true, rank: 10,
        cell: |g, c, room| spark(&g.series, c.now_s, room), key: None },
];

/// Beside the heat map.
#[rustfmt::skip]
const LATENCY: &[Column<Group>] = &[
    Column { title: "request", width: Width::Share(12, 2), right: false, rank: 0,
        cell: |g, _, room| Cell::Text(request_name(&g.request, g.number, room), family(g.family)),
        key: Some(|g, _| text(&g.request)) },
    Column { title: "device", width: Width::Share(9, 1), right: false, rank: 3,
        cell: |g, _, _| Cell::plain(g.device.clone()), key: Some(|g, _| text(&g.device)) },
    Column { title: "calls", width: Width::Fixed(7), right: true, rank: 2,
        cell: |g, _, _| calls(g.row.totals().calls()), key: Some(|g, _| number(g.row.totals().calls())) },
    Column { title: "p99", width: TIME, right: true, rank: 1,
        cell: |g, _, _| time(g.row.percentile_ns(99)), key: Some(|g, _| number(g.row.totals().percentile_ns(99))) },
];

/// Requests of a device, those with most calls first.
fn top_requests(device: &Used, context: &Context<'_>) -> String {
    let groups = device.groups.iter().filter_map(|&place| context.store?.groups.get(place));
    let mut groups: Vec<_> = groups.map(|group| (group.row.totals().calls(), group)).collect();
    groups.sort_by_key(|(calls, _)| Reverse(*calls));
    let names: Vec<String> =
        groups.iter().map(|(_, group)| request_name(&group.request, group.number, 24)).collect();
    names.join(" ")
}

/// Processes that use a device, those with most calls first, and who has it open besides.
fn users(device: &Used, context: &Context<'_>) -> String {
    let mut users: Vec<_> = device.users.iter().collect();
    users.sort_by_key(|(.., calls)| Reverse(*calls));
    let names = users.iter().map(|(pid, comm, _)| format!("{} {pid}", escaped(comm.as_bytes())));
    let mut names = names.collect::<Vec<_>>().join(", ");
    if device.more_users {
        names.push_str(", …");
    }
    let holders = device.node.and_then(|node| context.holders.get(&node)).into_iter().flatten();
    let idle = holders.filter(|(pid, _)| !device.users.iter().any(|(user, ..)| user == pid));
    let idle: Vec<_> = idle.map(|(pid, comm)| format!("{} {pid}", escaped(comm.as_bytes()))).collect();
    if idle.is_empty() { names } else { format!("{names}; open in {}", idle.join(", ")) }
}

fn known(name: Option<&str>) -> Cell {
    Cell::plain(name.map(|name| escaped(name.as_bytes())).unwrap_or_default())
}

#[rustfmt::skip]
const DEVICES: &[Column<Used>] = &[
    Column { title: "device", width: Width::Share(14, 1), right: false, rank: 0,
        cell: |d, _, _| Cell::Text(d.label.clone(), Tone::Strong), key: Some(|d, _| text(&d.label)) },
    Column { title: "path", width: Width::Share(12, 1), right: false, rank: 7,
        cell: |d, _, room| Cell::plain(super::text::fit_end(&d.path, room).into_owned()), key: Some(|d, _| text(&d.path)) },
    Column { title: "module", width: Width::Fixed(8), right: false, rank: 8,
        cell: |d, _, _| known(d.module.as_deref()), key: Some(|d, _| text(d.module.as_deref().unwrap_or_default())) },
    Column { title: "handler", width: Width::Fixed(16), right: false, rank: 9,
        cell: |d, _, _| known(d.handler.as_deref()), key: Some(|d, _| text(d.handler.as_deref().unwrap_or_default())) },
    Column { title: "calls", width: Width::Fixed(7), right: true, rank: 1,
        cell: |d, _, _| calls(d.sum.calls), key: Some(|d, _| number(d.sum.calls)) },
    Column { title: "per s", width: Width::Fixed(7), right: true, rank: 5,
        cell: |d, c, _| rate(d.series.at(c.now_s)), key: Some(|d, c| number(d.series.at(c.now_s).into())) },
    Column { title: "errors", width: Width::Fixed(7), right: true, rank: 2,
        cell: |d, _, _| errors(d.sum.errors), key: Some(|d, _| number(d.sum.errors)) },
    Column { title: "total", width: TIME, right: true, rank: 6,
        cell: |d, _, _| time(d.sum.total_ns), key: Some(|d, _| number(d.sum.total_ns)) },
    Column { title: "used by", width: Width::Share(20, 5), right: false, rank: 4,
        cell: |d, c, _| Cell::plain(users(d, c)), key: None },
    Column { title: "requests", width: Width::Share(18, 3), right: false, rank: 3,
        cell: |d, c, _| Cell::Text(top_requests(d, c), Tone::Request(0)), key: None },
];

/// A process or a thread as a part of the tree.
fn task(task: &Task, context: &Context<'_>, room: usize) -> Cell {
    match task.tid {
        Some(tid) => Cell::Text(
            format!("   └ {}", process(task.comm.as_bytes(), tid, room.saturating_sub(5))),
            Tone::Plain,
        ),
        None => {
            let mark = match (task.threads, context.folded.contains(&task.pid)) {
                (0 | 1, _) => " ",
                (_, true) => "▸",
                (_, false) => "▾",
            };
            Cell::Text(
                format!("{mark} {}", process(task.comm.as_bytes(), task.pid, room.saturating_sub(2))),
                Tone::Strong,
            )
        }
    }
}

#[rustfmt::skip]
const PROCESSES: &[Column<Task>] = &[
    Column { title: "process", width: Width::Share(20, 1), right: false, rank: 0, cell: task,
        key: Some(|t, _| SortKey::Text(format!("{} {:010}", escaped(t.comm.as_bytes()), t.tid.unwrap_or(t.pid)))) },
    Column { title: "calls", width: Width::Fixed(7), right: true, rank: 1,
        cell: |t, _, _| calls(t.sum.calls), key: Some(|t, _| number(t.sum.calls)) },
    Column { title: "per s", width: Width::Fixed(7), right: true, rank: 2,
        cell: |t, c, _| rate(t.series.at(c.now_s)), key: Some(|t, c| number(t.series.at(c.now_s).into())) },
    Column { title: "errors", width: Width::Fixed(7), right: true, rank: 3,
        cell: |t, _, _| errors(t.sum.errors), key: Some(|t, _| number(t.sum.errors)) },
    Column { title: "total", width: TIME, right: true, rank: 4,
        cell: |t, _, _| time(t.sum.total_ns), key: Some(|t, _| number(t.sum.total_ns)) },
    Column { title: "mean", width: TIME, right: true, rank: 5,
        cell: |t, _, _| time(t.sum.mean_ns()), key: Some(|t, _| number(t.sum.mean_ns())) },
    Column { title: "recent", width: SPARK, right: true, rank: 6,
        cell: |t, c, room| spark(&t.series, c.now_s, room), key: None },
];

fn group<'a>(failure: &Failure, context: &Context<'a>) -> Option<&'a Group> {
    context.store?.groups.get(failure.group)
}

#[rustfmt::skip]
const ERRORS: &[Column<Failure>] = &[
    Column { title: "error", width: Width::Fixed(14), right: false, rank: 0,
        cell: |f, _, _| Cell::Text(errno::name(f.errno).into_owned(), Tone::Failed),
        key: Some(|f, _| text(&errno::name(f.errno))) },
    Column { title: "meaning", width: Width::Share(8, 1), right: false, rank: 6,
        cell: |f, _, _| Cell::plain(errno::text(f.errno)), key: None },
    Column { title: "request", width: Width::Share(12, 1), right: false, rank: 2,
        cell: |f, c, room| match group(f, c) {
            Some(group) => Cell::Text(request_name(&group.request, group.number, room), family(group.family)),
            None => Cell::plain(""),
        },
        key: Some(|f, c| text(group(f, c).map_or("", |group| &group.request))) },
    Column { title: "device", width: Width::Share(9, 1), right: false, rank: 4,
        cell: |f, c, _| Cell::plain(group(f, c).map_or("", |group| &group.device)),
        key: Some(|f, c| text(group(f, c).map_or("", |group| &group.device))) },
    Column { title: "calls", width: Width::Fixed(7), right: true, rank: 1,
        cell: |f, _, _| calls(f.calls), key: Some(|f, _| number(f.calls)) },
    Column { title: "last", width: Width::Fixed(8), right: false, rank: 3,
        cell: |f, c, _| Cell::Text(stream::second(c, f.last_ns), Tone::Faint), key: Some(|f, _| number(f.last_ns)) },
    Column { title: "last by", width: Width::Wide(12, 20), right: false, rank: 5,
        cell: |f, _, room| Cell::plain(process(f.comm.as_bytes(), f.pid, room)), key: None },
];

/// Titles of what a view can be sorted by, with the columns' places.
fn sortable(view: View) -> Vec<usize> {
    fn of<R>(columns: &[Column<R>]) -> Vec<usize> {
        (0..).zip(columns).filter(|(_, column)| column.key.is_some()).map(|(place, _)| place).collect()
    }
    match view {
        View::Requests => of(REQUESTS),
        View::Devices => of(DEVICES),
        View::Processes => of(PROCESSES),
        View::Errors => of(ERRORS),
        View::InFlight => of(stream::IN_FLIGHT),
        View::Latency => of(LATENCY),
        View::Stream => Vec::new(),
    }
}

/// The order that a view begins with.
#[must_use]
pub fn usual_order(view: View) -> Order {
    let column = match view {
        View::Requests => 5,
        View::Devices | View::Errors => 4,
        View::Processes => 1,
        View::Latency => 2,
        View::InFlight | View::Stream => 0,
    };
    Order { column, reversed: false }
}

/// The next column to sort by, or the one before.
#[must_use]
pub fn next_order(view: View, order: Order, back: bool) -> Order {
    let all = sortable(view);
    let place = all.iter().position(|&column| column == order.column).unwrap_or(0);
    let steps = if back { all.len().saturating_sub(1) } else { 1 };
    let column = (place + steps).checked_rem(all.len()).and_then(|place| all.get(place));
    Order { column: column.copied().unwrap_or(order.column), reversed: false }
}

/// What a task is in a sheet.
const fn task_id(task: &Task) -> RowId {
    let tid = match task.tid {
        Some(tid) => tid,
        None => u32::MAX,
    };
    (task.pid as u64) << 32 | tid as u64
}

/// The process and the thread of a row.
#[must_use]
pub const fn task_of(id: RowId) -> (u32, Option<u32>) {
    let tid = id as u32;
    ((id >> 32) as u32, if tid == u32::MAX { None } else { Some(tid) })
}

/// Processes in order, each with its threads below it.
fn tree<'a>(tasks: &'a [Task], order: Order, context: &Context<'_>) -> Vec<(RowId, &'a Task)> {
    let mut sorted: Vec<_> = tasks.iter().map(|task| (task_id(task), task)).collect();
    sheet::sort(&mut sorted, PROCESSES, order, context);
    let mut places: HashMap<u32, usize> = HashMap::new();
    for (_, process) in sorted.iter().filter(|(_, task)| task.tid.is_none()) {
        let next = places.len();
        places.insert(process.pid, next);
    }
    // A thread alone is its process.
    let alone: HashSet<u32> = tasks.iter().filter(|task| task.threads == 1).map(|task| task.pid).collect();
    sorted.retain(|(_, task)| {
        task.tid.is_none() || !(alone.contains(&task.pid) || context.folded.contains(&task.pid))
    });
    sorted.sort_by_key(|(_, task)| (places.get(&task.pid).copied(), task.tid.is_some()));
    sorted
}

/// What tells calls that are not over from each other: a thread may be inside of a control code and of a call for it.
pub fn running_id(event: &Event) -> RowId {
    RowId::from(event.call.tid) << 1 | RowId::from(event.call.control.is_some())
}

/// What a table shows.
pub fn table(
    view: View,
    order: Order,
    place: Place,
    size: (u16, usize),
    context: &Context<'_>,
    in_flight: &[Event],
) -> Sheet {
    fn of<R>(
        rows: &[R],
        columns: &[Column<R>],
        order: Order,
        place: Place,
        size: (u16, usize),
        context: &Context<'_>,
    ) -> Sheet {
        let mut rows: Vec<(RowId, &R)> = (0..).zip(rows).collect();
        sheet::sort(&mut rows, columns, order, context);
        sheet::build(&rows, columns, Some(order), place, size, context)
    }
    if view == View::InFlight {
        let mut rows: Vec<_> = in_flight.iter().map(|event| (running_id(event), event)).collect();
        sheet::sort(&mut rows, stream::IN_FLIGHT, order, context);
        return sheet::build(&rows, stream::IN_FLIGHT, Some(order), place, size, context);
    }
    let Some(store) = context.store else { return Sheet::default() };
    let (sheet, crowded_out) = match view {
        View::Requests => {
            (of(store.groups.rows(), REQUESTS, order, place, size, context), store.groups.crowded_out())
        }
        View::Latency => {
            (of(store.groups.rows(), LATENCY, order, place, size, context), store.groups.crowded_out())
        }
        View::Devices => {
            (of(store.devices.list(), DEVICES, order, place, size, context), store.devices.crowded_out())
        }
        View::Errors => {
            (of(store.failures.list(), ERRORS, order, place, size, context), store.failures.crowded_out())
        }
        View::Processes => {
            let rows = tree(store.tasks.list(), order, context);
            let sheet = sheet::build(&rows, PROCESSES, Some(order), place, size, context);
            (sheet, store.tasks.crowded_out())
        }
        View::Stream | View::InFlight => (Sheet::default(), 0),
    };
    Sheet { crowded_out, ..sheet }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_go_around() {
        for view in View::ALL.into_iter().skip(1) {
            let usual = usual_order(view);
            assert!(sortable(view).contains(&usual.column), "{view:?}");
            assert_eq!(next_order(view, next_order(view, usual, false), true), usual, "{view:?}");
            let all = sortable(view).len();
            let around = (0..all).fold(usual, |order, _| next_order(view, order, false));
            assert_eq!(around, usual, "{view:?}");
        }
        assert_eq!(next_order(View::Stream, Order::default(), false), Order::default());
    }

    #[test]
    fn tasks_have_ids() {
        assert_eq!(task_of(7 << 32 | 8), (7, Some(8)));
        assert_eq!(task_of(7 << 32 | 0xffff_ffff), (7, None));
    }
}
