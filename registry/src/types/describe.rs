//! A type as text: C, with the offset and the size of each field.

use std::fmt::{self, Write as _};

use super::{Field, Layout, Shape, layout::Record};

/// Lines of one description; unions of unions could otherwise go on for ever.
const MAX_LINES: usize = 10_000;
/// Column at which the comments begin.
const COMMENT_COLUMN: usize = 48;

impl Layout {
    /// The type in C, with offset and size of each field in bytes (and the bits of a bitfield), and with the holes
    /// that alignment leaves. Structs that have a name stay closed unless `expand` is set.
    ///
    /// ```
    /// use ioctl_registry::{Arch, Registry};
    ///
    /// let layout = Registry::builtin().layout("struct winsize", Arch::X86_64).unwrap();
    /// let text = layout.describe(false);
    /// assert_eq!(text.lines().next(), Some("struct winsize {"));
    /// assert!(text.contains("u16 ws_col;"));
    /// assert!(text.ends_with("}; /* size 8, align 2 */\n"));
    /// ```
    #[must_use]
    pub fn describe(&self, expand: bool) -> String {
        let mut writer = Writer { text: String::new(), lines: 0, expand };
        // Writing to a string cannot fail; running out of lines ends the text early.
        let _ = writer.top(self);
        if writer.lines >= MAX_LINES {
            writer.text += "/* … */\n";
        }
        writer.text
    }
}

struct Writer {
    text: String,
    lines: usize,
    expand: bool,
}

impl Writer {
    /// One line, with a comment in its column if there is one.
    fn line(&mut self, indent: usize, text: &str, comment: &str) -> fmt::Result {
        self.lines += 1;
        if self.lines >= MAX_LINES {
            return Err(fmt::Error);
        }
        let start = self.text.len();
        write!(self.text, "{:indent$}{text}", "", indent = indent * 4)?;
        if !comment.is_empty() {
            let width = self.text.len() - start;
            write!(self.text, "{:pad$} /* {comment} */", "", pad = COMMENT_COLUMN.saturating_sub(width))?;
        }
        self.text.push('\n');
        Ok(())
    }

    fn top(&mut self, layout: &Layout) -> fmt::Result {
        let end = format!("size {}, align {}", layout.size, layout.align);
        match &layout.shape {
            Shape::Record(record) => {
                self.line(0, &format!("{} {{", head(layout)), "")?;
                self.record(record, layout.size, 0, 1)?;
                self.line(0, &format!("}}; /* {end} */"), "")
            }
            Shape::Enumeration(enumeration) => {
                self.line(0, &format!("{} : {} {{", head(layout), enumeration.scalar.name()), "")?;
                for (name, value) in &enumeration.constants {
                    self.line(1, &format!("{name} = {value},"), "")?;
                }
                self.line(0, &format!("}}; /* {end} */"), "")
            }
            _ => self.line(0, &format!("{}; /* {end} */", layout.title()), ""),
        }
    }

    /// The fields, with the holes between them. `base` is the record's offset within the whole.
    fn record(&mut self, record: &Record, size: u64, base: u64, indent: usize) -> fmt::Result {
        let mut reached = 0_u64;
        for field in &record.fields {
            if !record.is_union && field.offset > reached {
                self.hole(field.offset - reached, indent)?;
            }
            self.field(field, base, indent)?;
            reached = reached.max(end(field));
        }
        match size.checked_sub(reached) {
            Some(rest) if rest > 0 && !record.is_union && reached > 0 => self.hole(rest, indent),
            _ => Ok(()),
        }
    }

    fn hole(&mut self, bytes: u64, indent: usize) -> fmt::Result {
        let plural = if bytes == 1 { "" } else { "s" };
        self.line(indent, &format!("/* hole of {bytes} byte{plural} */"), "")
    }

    fn field(&mut self, field: &Field, base: u64, indent: usize) -> fmt::Result {
        let offset = base.saturating_add(field.offset);
        let (element, lengths) = element(&field.layout);
        let comment = match field.bits {
            Some(bits) => format!("{offset:>5}.{} {:>3} bits", bits.start % 8, bits.width),
            None => format!("{offset:>5} {:>5}", field.layout.size),
        };
        let open = match &element.shape {
            Shape::Record(record) if self.expand || element.name.is_empty() => Some(record),
            _ => None,
        };
        let Some(record) = open else {
            let bits = field.bits.map_or_else(String::new, |bits| format!(":{}", bits.width));
            let blank = if field.name.is_empty() { "" } else { " " };
            let text = format!("{}{blank}{}{lengths}{bits};", element.title(), field.name);
            return self.line(indent, &text, &comment);
        };
        self.line(indent, &format!("{} {{", head(element)), "")?;
        // Only the first element of an array is shown.
        self.record(record, element.size, offset, indent + 1)?;
        let blank = if field.name.is_empty() { "" } else { " " };
        self.line(indent, &format!("}}{blank}{}{lengths};", field.name), &comment)
    }
}

/// `struct x`; a typedef gets the word that says what it is.
fn head(layout: &Layout) -> String {
    let title = layout.title();
    let word = match &layout.shape {
        Shape::Record(record) if record.is_union => "union",
        Shape::Record(_) => "struct",
        _ => "enum",
    };
    if title == word || title.starts_with(&format!("{word} ")) { title } else { format!("{word} {title}") }
}

/// The first byte behind a field.
fn end(field: &Field) -> u64 {
    match field.bits {
        Some(bits) => bits.start.saturating_add(bits.width).div_ceil(8),
        None => field.offset.saturating_add(field.layout.size),
    }
}

/// What an array is made of, and its brackets; a named array type is not taken apart.
fn element(layout: &Layout) -> (&Layout, String) {
    let (mut element, mut lengths) = (layout, String::new());
    while let (Shape::Array(inner, length), true) = (&element.shape, element.name.is_empty()) {
        // Writing to a string cannot fail.
        let _ = match length {
            Some(length) => write!(lengths, "[{length}]"),
            None => write!(lengths, "[]"),
        };
        element = inner;
    }
    (element, lengths)
}

#[cfg(test)]
mod tests {
    use crate::{arch::Arch, types::Types};

    const TABLE: &str = "struct in\t\tstruct{u16 x;u32 y;}\n\
        struct out\t\tstruct{u8 tag;struct in pair[2];union{u32 a;u8 b[8];};u32 f:3;u32 g:30;char*text;u8 last;}\n";

    fn describe(name: &str, expand: bool) -> String {
        Types::new(TABLE, &[], &mut 0).layout(name, Arch::X86_64).unwrap().describe(expand)
    }

    #[test]
    fn fields_holes_and_bits_are_shown() {
        let expected = "\
struct out {
    u8 tag;                                      /*     0     1 */
    /* hole of 3 bytes */
    struct in pair[2];                           /*     4    16 */
    union {
        u32 a;                                   /*    20     4 */
        u8 b[8];                                 /*    20     8 */
    };                                           /*    20     8 */
    u32 f:3;                                     /*    28.0   3 bits */
    /* hole of 3 bytes */
    u32 g:30;                                    /*    32.0  30 bits */
    /* hole of 4 bytes */
    char* text;                                  /*    40     8 */
    u8 last;                                     /*    48     1 */
    /* hole of 7 bytes */
}; /* size 56, align 8 */
";
        assert_eq!(describe("struct out", false), expected);
    }

    #[test]
    fn named_structs_open_on_demand() {
        let text = describe("struct out", true);
        assert!(text.contains("    struct in {\n        u16 x;"), "{text}");
        assert!(text.contains("    } pair[2];"), "{text}");
        assert_eq!(describe("u16[4]", false), "u16[4]; /* size 8, align 2 */\n");
    }
}
