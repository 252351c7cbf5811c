//! For terminals that show nothing but ASCII: what is drawn with other characters has the nearest of these.

use ratatui::buffer::Buffer;

/// Characters and what stands for them.
const NEAREST: &[(&str, &str)] = &[
    ("─│┌┐└┘", "-|++++"),
    ("▁▂▃▄▅▆▇█", "__..-==#"),
    ("▏▎▍▌▋▊▉", "|||||##"),
    ("·░▒▓", ".:+%"),
    ("▾▸●○", "v>*o"),
    ("↑↓←→", "^v<>"),
    ("…µ×⊞", "~uxW"),
];

/// Replaces every cell that is not ASCII.
pub(super) fn only(buf: &mut Buffer) {
    for cell in &mut buf.content {
        if cell.symbol().is_ascii() {
            continue;
        }
        let mut characters = cell.symbol().chars();
        let nearest = match (characters.next(), characters.next()) {
            (Some(only), None) => nearest(only),
            _ => None,
        };
        let mut bytes = [0; 4];
        cell.set_symbol(nearest.unwrap_or('?').encode_utf8(&mut bytes));
    }
}

fn nearest(character: char) -> Option<char> {
    NEAREST.iter().find_map(|(from, to)| {
        let place = from.chars().position(|c| c == character)?;
        to.chars().nth(place)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_stand_in() {
        for (from, to) in NEAREST {
            assert_eq!(from.chars().count(), to.len());
            assert!(to.is_ascii());
        }
        assert_eq!((nearest('µ'), nearest('漢')), (Some('u'), None));
    }
}
