//! Graphs of characters: sparklines, the heat map, histograms.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{
    below, put,
    sheet::{Title, title},
};
use crate::{
    totals::Human,
    tui::{
        model::Model,
        picture::{LABEL, Latency},
        store::heat,
        text::{Grouped, Short, width},
        theme::HEAT,
    },
};

const EIGHTHS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
const BARS: [&str; 9] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"];
/// For who has no colours: from few to many.
const SHADES: [&str; HEAT] = ["·", "░", "░", "▒", "▓", "█"];

/// A sparkline: the largest is full, what is not zero is seen.
pub(super) fn spark(counts: &[u32]) -> String {
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let step = |&count: &u32| (u64::from(count) * 8).div_ceil(most.into()) as usize;
    counts.iter().map(|count| EIGHTHS.get(step(count)).copied().unwrap_or("█")).collect()
}

/// Draws the heat map.
pub(super) fn heat(model: &Model, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let (theme, latency) = (&model.theme, &model.picture.latency.clone().unwrap_or_default());
    let column = latency.column_s;
    let seconds = latency.columns.len() as f64 * column;
    let amounts = [format!("{seconds:.0} s, {column} s a column"), format!("{seconds:.0} s")];
    let name = Title { focused: false, name: "Durations over time", state: String::new(), amounts };
    title(buf, area, theme, &name);
    let body = below(area);
    let rows = usize::from(body.height);
    let used = |row: &usize| latency.columns.iter().any(|column| column.get(*row).is_some_and(|&n| n > 0));
    let (Some(first), Some(last)) = ((0..heat::ROWS).find(used), (0..heat::ROWS).rev().find(used)) else {
        put(buf, body, 0, "no calls in this time", theme.faint);
        return;
    };
    // Rows that occur, and if there is room their neighbours; if there is none, several of them in a line.
    let (mut low, mut high) = (first, last);
    while high + 1 - low < rows && (high + 1 < heat::ROWS || low > 0) {
        if high + 1 < heat::ROWS && (high - last <= first - low || low == 0) {
            high += 1;
        } else {
            low -= 1;
        }
    }
    let per = (high + 1 - low).div_ceil(rows.max(1));
    let sum = |column: &heat::Column, from: usize| -> u32 {
        column.iter().skip(from).take(per).fold(0, |sum, count| sum.saturating_add(*count))
    };
    let starts: Vec<usize> = (low..=high).step_by(per).collect();
    let counts = starts.iter().flat_map(|from| latency.columns.iter().map(|column| sum(column, *from)));
    let most = counts.max().unwrap_or(1);
    let mut line = body;
    for from in starts.into_iter().rev() {
        let label = Human(heat::lower_ns(from)).to_string();
        put(buf, line, LABEL.saturating_sub(1 + width(&label) as u16), &label, theme.faint);
        for (x, column) in (LABEL..).zip(&latency.columns) {
            if let Some(step) = warmth(sum(column, from), most) {
                let style = theme.heat.get(step).copied().unwrap_or_default();
                let shade =
                    if style.fg.is_some() { "█" } else { SHADES.get(step).copied().unwrap_or("█") };
                put(buf, line, x, shade, style);
            }
        }
        line = below(line);
    }
}

/// The step of a count: what is rare must be seen beside what is common, so that each step is several times the one before.
fn warmth(count: u32, most: u32) -> Option<usize> {
    if count == 0 {
        return None;
    }
    let (count, most) = (f64::from(count).ln_1p(), f64::from(most).ln_1p());
    Some(((count / most * HEAT as f64).ceil() as usize).clamp(1, HEAT) - 1)
}

/// Draws the histogram of the request under the cursor.
pub(super) fn histogram(model: &Model, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let (theme, latency) = (&model.theme, &model.picture.latency.clone().unwrap_or_default());
    let [p50, p90, p99, most] = latency.marks.map(Human);
    let amounts = [format!("{} calls", Grouped(latency.calls)), String::new()];
    let name = if latency.title.is_empty() { "Histogram" } else { &latency.title };
    title(buf, area, theme, &Title { focused: false, name, state: String::new(), amounts });
    let mut line = below(area);
    if latency.calls == 0 {
        put(buf, line, 0, "no calls", theme.faint);
        return;
    }
    let long = format!("p50 {p50}  p90 {p90}  p99 {p99}  max {most}");
    let short = format!("p50 {p50}  p99 {p99}  max {most}");
    let fits = width(&long) <= usize::from(line.width);
    put(buf, line, 0, if fits { &long } else { &short }, theme.strong);
    line = below(line);
    let (bars, most) = joined(latency, usize::from(line.height));
    let room = usize::from(area.width.saturating_sub(LABEL + 9));
    for (upper, count) in bars {
        let line_now = Rect { height: 1.min(line.height), ..line };
        let label = Human(upper).to_string();
        put(buf, line_now, LABEL.saturating_sub(width(&label) as u16), &label, theme.faint);
        let count_text = Short(count).to_string();
        put(buf, line_now, LABEL + 8 - width(&count_text) as u16, &count_text, theme.strong);
        put(buf, line_now, LABEL + 9, &bar(count, most, room), theme.graph);
        line = below(line);
    }
}

/// The bars in at most so many lines, neighbours put together, and the largest of them.
fn joined(latency: &Latency, lines: usize) -> (Vec<(u64, u64)>, u64) {
    let per = latency.bars.len().div_ceil(lines.max(1)).max(1);
    let sum = |bars: &[(u64, u64)]| {
        let upper = bars.last().map_or(0, |(upper, _)| *upper).min(latency.marks[3]);
        (upper, bars.iter().map(|(_, count)| count).sum())
    };
    let bars: Vec<(u64, u64)> = latency.bars.chunks(per).map(sum).collect();
    let most = bars.iter().map(|(_, count)| *count).max().unwrap_or(0);
    (bars, most)
}

/// A bar to the right.
fn bar(count: u64, most: u64, room: usize) -> String {
    let eighths = u128::from(count) * (room as u128 * 8);
    let eighths = usize::try_from(eighths.div_ceil(u128::from(most.max(1)))).unwrap_or(0);
    let mut bar = "█".repeat(eighths / 8);
    bar.push_str(BARS.get(eighths % 8).copied().unwrap_or_default());
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sparks_show_everything_that_is_there() {
        assert_eq!(spark(&[0, 1, 4, 8, 1_000]), " ▁▁▁█");
        assert_eq!((spark(&[0, 0]), spark(&[7])), ("  ".to_owned(), "█".to_owned()));
    }

    #[test]
    fn bars_are_in_proportion() {
        assert_eq!(
            (bar(10, 10, 3), bar(1, 1_000, 3), bar(0, 10, 3)),
            ("███".into(), "▏".into(), String::new())
        );
    }

    #[test]
    fn rare_durations_are_seen() {
        assert_eq!([0, 1, 1_000_000].map(|n| warmth(n, 1_000_000)), [None, Some(0), Some(HEAT - 1)]);
    }
}
