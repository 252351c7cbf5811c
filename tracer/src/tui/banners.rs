//! What must not be overlooked: losses with their remedy, and the end of tracing.

use std::borrow::Cow;

use ratatui::style::Style;

use super::{
    model::{Model, Origin},
    msg::Over,
    text::{Grouped, Short, fit, width},
};

/// A line across the screen.
pub struct Banner {
    /// What it looks like.
    pub style: Style,
    /// Its text, at length and shorter.
    texts: [String; 3],
}

impl Banner {
    /// The longest text that fits.
    #[must_use]
    pub fn text(&self, columns: usize) -> Cow<'_, str> {
        let [.., shortest] = &self.texts;
        let fitting = self.texts.iter().find(|text| width(text) <= columns);
        fit(fitting.unwrap_or(shortest), columns)
    }
}

/// The banners of a moment.
pub fn of(model: &Model) -> impl Iterator<Item = Banner> {
    [over(model), lost_ring(model), lost_slot(model), not_followed(model), damaged(model)]
        .into_iter()
        .flatten()
}

fn over(model: &Model) -> Option<Banner> {
    let text = match model.over.as_ref()? {
        Over::Failed(why) if model.origin == Origin::Recording => format!("REPLAY ENDED: {why}"),
        Over::Failed(why) => format!("TRACING ENDED: {why}"),
        Over::Played { cut: Some(why), .. } => format!("THE RECORDING'S END IS MISSING: {why}"),
        // That it is at its end is nothing unusual: the header says so.
        Over::Played { .. } => return None,
        Over::Complete(..) if model.status.targets.is_some() => {
            "ENDED: every traced process has ended".to_owned()
        }
        Over::Complete(..) => "ENDED: tracing is over".to_owned(),
    };
    let texts = [format!("{text}; the picture stays, q quits"), format!("{text}; q quits"), text];
    Some(Banner { style: model.theme.notice, texts })
}

fn alarm(model: &Model, count: u64, texts: impl FnOnce(Grouped) -> [String; 3]) -> Option<Banner> {
    (count > 0).then(|| Banner { style: model.theme.alarm, texts: texts(Grouped(count)) })
}

fn lost_ring(model: &Model) -> Option<Banner> {
    if model.origin == Origin::Recording {
        // Which of the causes it was is not recorded.
        return alarm(model, model.status.accounts.total.lost_ring, |n| {
            [
                format!("{n} CALLS LOST when it was made: they are not in the recording"),
                format!("{n} CALLS LOST when it was made"),
                format!("{} LOST when it was made", Short(n.0)),
            ]
        });
    }
    alarm(model, model.status.accounts.total.lost_ring, |n| {
        [
            format!(
                "{n} CALLS LOST: they come faster than they can be read. Try a larger --buffer, fewer requests with -e, or -c"
            ),
            format!("{n} CALLS LOST: try a larger --buffer, fewer requests with -e, or -c"),
            format!("{} LOST: larger --buffer, -e, -c", Short(n.0)),
        ]
    })
}

fn lost_slot(model: &Model) -> Option<Banner> {
    let total = model.status.accounts.total;
    alarm(model, total.lost_slot + total.lost_summary, |n| {
        [
            format!(
                "{n} CALLS LOST: too many were inside the kernel at once. Trace fewer processes with -p or --comm"
            ),
            format!("{n} CALLS LOST: too many inside the kernel at once"),
            format!("{n} LOST: too many at once"),
        ]
    })
}

fn not_followed(model: &Model) -> Option<Banner> {
    alarm(model, model.status.accounts.total.not_followed, |n| {
        [
            format!("{n} CHILD PROCESSES NOT FOLLOWED: too many at once"),
            format!("{n} CHILDREN NOT FOLLOWED: too many"),
            format!("{n} NOT FOLLOWED"),
        ]
    })
}

fn damaged(model: &Model) -> Option<Banner> {
    let Some(Over::Played { damaged, .. }) = model.over else { return None };
    alarm(model, damaged, |n| {
        [
            format!("{n} RECORDS COULD NOT BE READ: what they held is missing"),
            format!("{n} RECORDS COULD NOT BE READ"),
            format!("{} UNREADABLE RECORDS", Short(n.0)),
        ]
    })
}
