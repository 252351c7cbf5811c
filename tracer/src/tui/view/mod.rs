//! Drawing: the model in, cells out. Nothing is changed here and no clock is read.

mod ascii;
mod detail;
mod graph;
mod header;
mod help;
mod pane;
mod sheet;

use ratatui::{
    Frame,
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
};

use self::sheet::Title;
use super::{
    banners,
    keymap::{Action, Binding, View},
    layout,
    model::{Mode, Model},
    prompt::Question,
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
    detail::draw(model, areas.detail, buf);
    pane::draw(model, areas.pane, areas.pane_screen(), frame);
    let buf = frame.buffer_mut();
    notice(model, areas.notice, buf);
    prompt(model, areas.prompt, buf);
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
    sheet::title(
        buf,
        area,
        theme,
        &Title { focused: !model.in_detail() && model.focused_pane().is_none(), name, state, amounts },
    );
    let body = below(area);
    sheet::rows(buf, body, theme, sheet);
    if let Some(needle) = &model.needle {
        sheet::mark(buf, below(body), theme, &needle.to_lowercase());
    }
    if sheet.rows.is_empty() {
        put(buf, below(body), 0, nothing(model), theme.faint);
    }
}

/// What stands where there are no rows.
fn nothing(model: &Model) -> &'static str {
    match (model.view, model.origin, &model.over) {
        (View::InFlight, super::model::Origin::Recording, _) => {
            "a recording has no calls that are inside the kernel now"
        }
        (View::InFlight, _, None) => "no call is inside the kernel",
        (View::Errors, ..) => "no errors",
        (View::Stream, ..) if model.sieve.is_some() => "no call matches; Esc shows all",
        (_, _, None) => "waiting for calls …",
        _ => "no calls",
    }
}

/// What is being typed, and below it what is wrong with it, or what completes it.
fn prompt(model: &Model, area: Rect, buf: &mut Buffer) {
    let Some(prompt) = model.prompt.as_ref().filter(|_| !area.is_empty()) else { return };
    let theme = &model.theme;
    let line = Rect { height: 1, ..area };
    let start = put(buf, line, 0, prompt.question.title(), theme.key);
    let room = usize::from(area.width.saturating_sub(start + 1));
    let scroll = prompt.input.visual_scroll(room);
    let mut x = 0_usize;
    for (at, grapheme) in prompt.input.value().char_indices() {
        let columns = width(grapheme.encode_utf8(&mut [0; 4]));
        let wrong = prompt.mistake.as_ref().is_some_and(|(_, span)| span.contains(&at));
        let style = if wrong { theme.failed.add_modifier(Modifier::UNDERLINED) } else { Style::new() };
        if let Some(place) = x.checked_sub(scroll).and_then(|x| u16::try_from(x).ok()) {
            // A pasted control character is not for the terminal.
            let shown = if grapheme.is_control() { '·' } else { grapheme };
            put(buf, line, start + place, shown.encode_utf8(&mut [0; 4]), style);
        }
        x += columns;
    }
    let cursor = start + u16::try_from(prompt.input.visual_cursor().saturating_sub(scroll)).unwrap_or(0);
    let cursor = Rect { x: line.x + cursor.min(line.width.saturating_sub(1)), width: 1, ..line };
    buf.set_style(cursor.intersection(buf.area), Style::new().add_modifier(Modifier::REVERSED));
    let line = below(area);
    if prompt.choices.is_empty() {
        if let Some((message, _)) = &prompt.mistake {
            put(buf, line, 0, &fit(message, usize::from(line.width)), theme.failed);
        } else {
            put(buf, line, 0, hint_of(prompt.question), theme.faint);
        }
        return;
    }
    let mut x = 0;
    // From the word that is taken on, so that it is seen.
    let taken = prompt.choice.unwrap_or(0);
    for (place, word) in prompt.choices.iter().enumerate().skip(taken.saturating_sub(2)) {
        let style = if place == taken { theme.tab } else { theme.faint };
        x = put(buf, line, x, word, style) + 2;
    }
}

const fn hint_of(question: Question) -> &'static str {
    match question {
        Question::Filter => {
            "errno == ENOTTY && dur > 1ms, request ~ VIDIOC_*, arg.flags has O_CLOEXEC; Tab completes"
        }
        Question::Write | Question::Save => {
            "the format follows the name: .jsonl .txt .csv .parquet .pftrace .iotrace, with .gz or .zst behind it if wanted"
        }
        Question::Search => "a text in requests, names, paths, errors or arguments",
    }
}

fn following(model: &Model) -> String {
    if let Some(sieve) = &model.sieve {
        return format!("filter: {}", crate::escape::visible(&sieve.text));
    }
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
    if let Some(sieve) = &model.sieve {
        let found = format!("{} of {}", Grouped(sieve.found.len() as u64), Grouped(calls.len() as u64));
        let left = sieve.left(calls);
        return match (left, sieve.missed) {
            (0, 0) => [format!("{found} match"), found],
            (0, missed) => [format!("{found} match, {} came too fast", Grouped(missed)), found],
            (left, _) => [format!("{found} match, {} to look at", Grouped(left)), found],
        };
    }
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
    if let Some(pane) = model.focused_pane() {
        let binding = model.keymap.bindings().iter().find(|binding| binding.action == Action::Focus);
        let end = put(buf, area, 0, &binding.map(Binding::names).unwrap_or_default(), model.theme.key);
        let rest = format!(" dashboard  all other keys go to `{}`", pane.name);
        put(buf, area, end, &fit(&rest, usize::from(area.width.saturating_sub(end))), model.theme.faint);
        return;
    }
    let mut x = 0;
    let shown = model.keymap.bindings().iter().filter(|binding| matters(model, binding.name));
    for (key, hint) in shown.filter_map(hint) {
        let taken = u16::try_from(width(&key) + 1 + width(hint)).unwrap_or(u16::MAX);
        if x + taken > area.width {
            break;
        }
        let end = put(buf, area, x, &key, model.theme.key);
        x = put(buf, area, end, &format!(" {hint}"), model.theme.faint) + 2;
    }
}

/// Whether a binding does something that is wanted just now.
fn matters(model: &Model, name: &str) -> bool {
    let (stream, tree) = (model.view == View::Stream, model.view == View::Processes);
    match (model.mode, name) {
        (Mode::Prompt, _) => false,
        (Mode::Help(_), name) => matches!(name, "quit" | "help"),
        (Mode::Watch, "terminal") => model.pane.is_some(),
        (Mode::Watch, "sort") => !stream && !model.in_detail(),
        (Mode::Watch, "search") => !model.in_detail(),
        (Mode::Watch, "end" | "next-error") => stream && !model.in_detail(),
        (Mode::Watch, "copy-text") => model.has_calls() && model.detail.is_some(),
        (Mode::Watch, "fold") => model.in_detail() || tree,
        (Mode::Watch, "longer" | "shorter") => model.view == View::Latency,
        (Mode::Watch, _) => true,
    }
}

fn hint(binding: &Binding) -> Option<(String, &'static str)> {
    Some((binding.keys.first()?.to_string(), binding.hint?))
}
