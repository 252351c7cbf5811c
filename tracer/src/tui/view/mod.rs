//! Drawing: the model in, cells out. Nothing is changed here and no clock is read.

mod calls;
mod columns;
mod groups;
mod header;
mod help;

use ratatui::{Frame, buffer::Buffer, layout::Rect, style::Style};

use super::{
    banners,
    keymap::{self, Binding},
    model::{Mode, Model},
    text::{Grouped, fit, width},
    theme::Theme,
};

/// Draws everything.
pub fn view(model: &Model, frame: &mut Frame<'_>) {
    // The terminal may have been resized since the model was told of its size.
    let areas = model.areas(frame.area().as_size());
    let buf = frame.buffer_mut();
    header::draw(model, areas.header, buf);
    for (y, banner) in (areas.banners.y..areas.banners.bottom()).zip(banners::of(model)) {
        let line = Rect { y, height: 1, ..areas.banners };
        buf.set_style(line, banner.style);
        put(buf, line, 1, &banner.text(usize::from(line.width.saturating_sub(2))), banner.style);
    }
    calls::draw(model, areas.calls, buf);
    groups::draw(model, areas.groups, buf);
    notice(model, areas.notice, buf);
    footer(model, areas.footer, buf);
    if matches!(model.mode, Mode::Help(_)) {
        help::draw(model, frame.area(), frame.buffer_mut());
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

/// The line above a pane: its name, how it stands and, at the right, how much is in it.
fn title(buf: &mut Buffer, area: Rect, theme: &Theme, parts: Title<'_>) {
    let line = Rect { height: 1, ..area };
    put(buf, line, 0, &"─".repeat(usize::from(area.width)), theme.faint);
    let style = if parts.focused { theme.focus } else { theme.strong };
    let end = put(buf, line, 1, &format!(" {} ", parts.name), style);
    let end = put(buf, line, end, &format!("{} ", parts.state), theme.faint);
    let amount = format!(" {} ", parts.amount);
    let taken = u16::try_from(width(&amount)).unwrap_or(u16::MAX);
    // The amount must not cut into the rest.
    if let Some(x) = area.width.checked_sub(taken.saturating_add(1)).filter(|&x| x > end) {
        put(buf, line, x, &amount, theme.faint);
    }
}

struct Title<'a> {
    focused: bool,
    name: &'a str,
    state: String,
    amount: String,
}

/// The lines below the title.
fn below(area: Rect) -> Rect {
    Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area }
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
    let bindings = match model.mode {
        Mode::Watch => keymap::WATCH,
        Mode::Help(_) => keymap::HELP,
    };
    let mut x = 0;
    for (key, hint) in bindings.iter().filter_map(hint) {
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
