//! Drawing: the model in, cells out. Nothing is changed here and no clock is read.

mod ascii;
mod graph;
mod header;
mod help;
mod sheet;

use ratatui::{Frame, buffer::Buffer, layout::Rect, style::Style};

use self::sheet::Title;
use super::{
    banners,
    keymap::{Binding, View},
    layout,
    model::{Mode, Model},
    text::{Bytes, Grouped, fit, width},
};

/// Draws everything.
pub fn view(model: &Model, frame: &mut Frame<'_>) {
    // The terminal may have been resized since the model was told of its size.
    let areas = model.areas(frame.area().as_size());
    let buf = frame.buffer_mut();
    header::draw(model, areas.header, buf);
    tabs(model, areas.tabs, buf);
    for (y, banner) in (areas.banners.y..areas.banners.bottom()).zip(banners::of(model)) {
        let line = Rect { y, height: 1, ..areas.banners };
        buf.set_style(line, banner.style);
        put(buf, line, 1, &banner.text(usize::from(line.width.saturating_sub(2))), banner.style);
    }
    if model.view == View::Latency {
        graph::heat(model, areas.heat, buf);
        graph::histogram(model, areas.histogram, buf);
    }
    list(model, areas.list, buf);
    notice(model, areas.notice, buf);
    footer(model, areas.footer, buf);
    if matches!(model.mode, Mode::Help(_)) {
        help::draw(model, frame.area(), frame.buffer_mut());
    }
    if model.ascii {
        ascii::only(frame.buffer_mut());
    }
}

/// Writes a text into the first line of an area, `x` columns from its left, as far as there is room. Gives the column
/// behind it.
fn put(buf: &mut Buffer, area: Rect, x: u16, text: &str, style: Style) -> u16 {
    let area = area.intersection(buf.area);
    if area.is_empty() || x >= area.width {
        return x;
    }
    let room = usize::from(area.width - x);
    let (end, _) = buf.set_stringn(area.x + x, area.y, text, room, style);
    end - area.x
}

/// The lines below the first one.
fn below(area: Rect) -> Rect {
    Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area }
}

fn tabs(model: &Model, area: Rect, buf: &mut Buffer) {
    for (view, name, x) in layout::tabs(model.view, area.width) {
        let style = if view == model.view { model.theme.tab } else { model.theme.faint };
        put(buf, area, x, &name, style);
    }
}

/// The list or table.
fn list(model: &Model, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let (theme, sheet) = (&model.theme, &model.sheet);
    let stream = model.view == View::Stream;
    let (state, amounts) =
        if stream { (following(model), kept(model)) } else { (sorted(model), rows(model)) };
    let name = if model.view == View::Latency { "Requests" } else { model.view.title() };
    sheet::title(buf, area, theme, &Title { focused: true, name, state, amounts });
    let body = below(area);
    sheet::rows(buf, body, theme, sheet);
    if sheet.rows.is_empty() {
        put(buf, below(body), 0, nothing(model), theme.faint);
    }
}

/// What stands where there are no rows.
const fn nothing(model: &Model) -> &'static str {
    match (model.view, model.origin, &model.over) {
        (View::InFlight, super::model::Origin::Recording, _) => {
            "a recording has no calls that are inside the kernel now"
        }
        (View::InFlight, _, None) => "no call is inside the kernel",
        (View::Errors, ..) => "no errors",
        (_, _, None) => "waiting for calls …",
        _ => "no calls",
    }
}

fn following(model: &Model) -> String {
    let below = model.sheet.count.saturating_sub(model.sheet.top + model.sheet.rows.len());
    match (model.standing.cursor, &model.held) {
        (Some(_), _) => format!("{} more below, G follows", Grouped(below as u64)),
        (None, Some(_)) => "held".to_owned(),
        (None, None) if model.over.is_some() => String::new(),
        (None, None) => "following".to_owned(),
    }
}

/// How many calls are kept, in how much memory, and how many had to go.
fn kept(model: &Model) -> [String; 2] {
    let calls = &model.picture.calls;
    let (bytes, limit) = calls.memory();
    let kept = Grouped(calls.len() as u64);
    let memory = format!("{} of {}", Bytes(bytes), Bytes(limit));
    match calls.dropped() {
        0 => [format!("{kept} kept in {memory}"), format!("{kept} kept")],
        dropped => {
            let dropped = Grouped(dropped);
            [
                format!("last {kept} kept in {memory}, {dropped} older dropped"),
                format!("{kept} kept, {dropped} dropped"),
            ]
        }
    }
}

fn sorted(model: &Model) -> String {
    let sheet = &model.sheet;
    let of = |order: super::sheet::Order| sheet.headings.iter().find(|h| h.column == order.column);
    match sheet.order.and_then(of) {
        Some(heading) => format!("by {}", heading.title),
        None => String::new(),
    }
}

fn rows(model: &Model) -> [String; 2] {
    let sheet = &model.sheet;
    let place = sheet.cursor.map_or(0, |at| at + 1);
    let rows = format!("{} of {}", Grouped(place as u64), Grouped(sheet.count as u64));
    match sheet.crowded_out {
        0 => [rows.clone(), rows],
        calls => [format!("{rows}, {} calls without a row", Grouped(calls)), rows],
    }
}

fn notice(model: &Model, area: Rect, buf: &mut Buffer) {
    let Some(notice) = model.notice.as_ref().filter(|_| !area.is_empty()) else { return };
    let more = if notice.more > 0 { format!("  (and {} more)", Grouped(notice.more)) } else { String::new() };
    let line = crate::escape::escaped(notice.line.as_bytes());
    let room = usize::from(area.width).saturating_sub(width(&more));
    let end = put(buf, area, 0, &fit(&line, room), model.theme.unfinished);
    put(buf, area, end, &more, model.theme.faint);
}

/// The keys that matter, as many as there is room for.
fn footer(model: &Model, area: Rect, buf: &mut Buffer) {
    let mut x = 0;
    let bindings = model.keymap.bindings().iter();
    let shown = bindings.filter(|binding| match model.mode {
        Mode::Watch => true,
        Mode::Help(_) => matches!(binding.name, "quit" | "help"),
    });
    for (key, hint) in shown.filter_map(hint) {
        let taken = u16::try_from(width(&key) + 1 + width(hint)).unwrap_or(u16::MAX);
        if x + taken > area.width {
            break;
        }
        let end = put(buf, area, x, &key, model.theme.key);
        x = put(buf, area, end, &format!(" {hint}"), model.theme.faint) + 2;
    }
}

fn hint(binding: &Binding) -> Option<(String, &'static str)> {
    Some((binding.keys.first()?.to_string(), binding.hint?))
}
