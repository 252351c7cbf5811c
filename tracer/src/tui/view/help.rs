//! The help: every key and what it does, straight from the table of keys.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    widgets::{Block, Clear, Widget},
};

use super::{below, put};
use crate::tui::{
    layout::{HELP_GAP, help_area, help_keys_width, help_rows},
    model::{Mode, Model},
    text::fit,
};

/// Draws the help over everything else.
pub(super) fn draw(model: &Model, screen: Rect, buf: &mut Buffer) {
    let Mode::Help(top) = model.mode else { return };
    let keymap = &model.keymap;
    let (area, rows) = (help_area(screen.as_size(), keymap), help_rows(screen.as_size(), keymap));
    let last = keymap.bindings().len().saturating_sub(rows);
    let top = top.min(last);
    let block = Block::bordered().title(" Keys ").border_style(model.theme.focus);
    let mut lines = block.inner(area);
    Clear.render(area, buf);
    block.title_bottom(if top < last { " more below: j " } else { "" }).render(area, buf);
    let keys = help_keys_width(keymap);
    for binding in keymap.bindings().iter().skip(top).take(rows) {
        let line = Rect { height: 1.min(lines.height), ..lines };
        put(buf, line, 1, &binding.names(), model.theme.key);
        let room = line.width.saturating_sub(keys + HELP_GAP + 2);
        put(buf, line, 1 + keys + HELP_GAP, &fit(binding.help, usize::from(room)), Style::new());
        lines = below(lines);
    }
}
