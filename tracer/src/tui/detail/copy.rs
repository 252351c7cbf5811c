//! A call as text to be taken elsewhere: a line, JSON, C.

use std::{
    fmt::Write as _,
    io,
    sync::{Arc, Mutex, PoisonError},
};

use ioctl_registry::{Member, Style, Value};

use crate::{
    clock::WallClock,
    decode::Decoder,
    event::Event,
    sink::{
        Sink,
        jsonl::Jsonl,
        out::Output,
        text::{Text, TextStyle, TimeStyle},
    },
};

/// As what a call is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A line.
    Text,
    /// A JSON object.
    Json,
    /// The argument as a C initialiser.
    C,
}

impl Form {
    /// Its name.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "JSON",
            Self::C => "C",
        }
    }
}

/// What an output wrote.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output for Written {}

/// The call in a form. `None` if there is nothing of it to be said in that form.
#[must_use]
pub fn text(event: &Event, form: Form, decoder: &mut Decoder, clock: &WallClock) -> Option<String> {
    let written = Written::default();
    let mut sink: Box<dyn Sink> = match form {
        Form::Text => {
            let style = TextStyle { time: TimeStyle::Micros, ..TextStyle::default() };
            Box::new(Text::new(written.clone(), style, clock.clone()))
        }
        Form::Json => Box::new(Jsonl::new(written.clone(), clock.clone())),
        Form::C => return initialiser(event, decoder),
    };
    sink.event(event, decoder).and_then(|()| sink.flush()).ok()?;
    let bytes = std::mem::take(&mut *written.0.lock().unwrap_or_else(PoisonError::into_inner));
    String::from_utf8(bytes).ok()
}

/// The argument as it was handed over; if nothing was, as it came back.
fn initialiser(event: &Event, decoder: &Decoder) -> Option<String> {
    let (before, after) = decoder.arguments(event);
    let value = before.filter(|value| !matches!(value, Value::Pointer(_))).or(after)?;
    let value = if let Value::Pointee { value, .. } = value { *value } else { value };
    let argument = event.request.named().first().map(|named| named.arg());
    let ty = argument
        .as_ref()
        .and_then(|argument| argument.pointee().or_else(|| argument.ty()))
        .unwrap_or("unsigned char");
    let mut text = format!("/* {} */\n", event.request);
    // An array's length stands behind the name.
    let (ty, length) = ty.split_at(ty.find('[').unwrap_or(ty.len()));
    write!(text, "{ty} arg{length} = ").ok()?;
    c_value(&mut text, &value, 0);
    text.push_str(";\n");
    Some(text)
}

fn indent(out: &mut String, depth: usize) {
    out.push('\n');
    out.push_str(&"    ".repeat(depth));
}

fn c_members(out: &mut String, members: &[Member], depth: usize) {
    out.push('{');
    for member in members {
        indent(out, depth + 1);
        if !member.name.is_empty() {
            let _ = write!(out, ".{} = ", member.name);
        }
        c_value(out, &member.value, depth + 1);
        out.push(',');
    }
    indent(out, depth);
    out.push('}');
}

fn c_value(out: &mut String, value: &Value, depth: usize) {
    // Writing to a string cannot fail.
    let _ = match value {
        Value::Integer(number) => write!(out, "{number}"),
        Value::Hex(number) | Value::Pointer(number) => write!(out, "{number:#x}"),
        Value::Bool(truth) => write!(out, "{truth}"),
        Value::Descriptor(fd) => write!(out, "{fd}"),
        Value::Flags { value, names, rest, .. } if !names.is_empty() => {
            let _ = write!(out, "{}", names.join(" | "));
            if *rest == 0 { Ok(()) } else { write!(out, " | {rest:#x} /* of {value:#x} */") }
        }
        Value::Flags { value, .. } => write!(out, "{value:#x}"),
        Value::Enumeration { name: Some(name), .. } | Value::Fourcc { name: Some(name), .. } => {
            write!(out, "{name}")
        }
        Value::Enumeration { value, .. } => write!(out, "{value}"),
        Value::Fourcc { value, .. } | Value::Kernel(value) => write!(out, "{value:#x}"),
        Value::Numbered { value, .. } => write!(out, "{value}"),
        Value::Time(seconds) => write!(out, "{seconds}"),
        Value::Text { bytes, .. } => write!(out, "\"{}\"", bytes.escape_ascii()),
        Value::Bytes { bytes, .. } | Value::Bitmap { bytes, .. } => {
            let bytes: Vec<_> = bytes.iter().map(|byte| format!("{byte:#04x}")).collect();
            write!(out, "{{ {} }}", bytes.join(", "))
        }
        Value::Record(members) | Value::Fraction(members) | Value::Indexed { members, .. } => {
            c_members(out, members, depth);
            Ok(())
        }
        Value::Union { members, .. } => {
            c_members(out, members.get(..1).unwrap_or_default(), depth);
            Ok(())
        }
        Value::Variant { name, value } => {
            let _ = write!(out, "{{ .{name} = ");
            c_value(out, value, depth);
            write!(out, " }}")
        }
        Value::Array { items, .. } => {
            out.push('{');
            for item in items {
                out.push(' ');
                c_value(out, item, depth);
                out.push(',');
            }
            write!(out, " }}")
        }
        Value::Pointee { address, value } => {
            // What lies there is an object of its own.
            let style = Style { limit: 64, ..Style::default() };
            let there = value.display(&style).to_string().replace("*/", "* /");
            write!(out, "(void *){address:#x} /* {there} */")
        }
        other => write!(out, "0 /* {} */", other.to_string().replace("*/", "* /")),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixture::{TIOCGWINSZ, call, decoder, image};

    #[test]
    fn a_call_is_copied_in_three_forms() {
        let event =
            call(0).request(TIOCGWINSZ).returned(0x1000, image(0x1000, &[24, 0, 80, 0, 0, 0, 0, 0])).event();
        let mut decoder = decoder();
        let clock = WallClock::fixed(0);
        let mut copied = |form| text(&event, form, &mut decoder, &clock).expect("said");
        assert_eq!(
            copied(Form::Text),
            "stty 4711 00:00:00.000000 ioctl(0</dev/pts/3>, TIOCGWINSZ, {ws_row=24, ws_col=80, ws_xpixel=0, ws_ypixel=0}) = 0 <0.000001>\n"
        );
        let json: serde_json::Value = serde_json::from_str(&copied(Form::Json)).expect("JSON");
        assert_eq!(json["out"]["ws_col"], 80);
        assert_eq!(
            copied(Form::C),
            "/* TIOCGWINSZ */\nstruct winsize arg = {\n    .ws_row = 24,\n    .ws_col = 80,\n    .ws_xpixel = 0,\n    .ws_ypixel = 0,\n};\n"
        );
        let nothing = call(0).event();
        assert_eq!(text(&nothing, Form::C, &mut decoder, &clock), None);
    }
}
