//! Facts about a request in words for people, one labelled line each.

use std::fmt::Write as _;

use ioctl_registry::{Arch, Arg, Direction, Encoding, Made, Named, Registry, Request, Shape};

/// Width that lists are wrapped at.
const WIDTH: usize = 100;
/// Blanks that facts below a heading are indented by.
const STEP: usize = 4;
/// Width of the labels.
const LABEL: usize = 10;

/// Lines of facts below a heading.
pub struct Facts {
    text: String,
    indent: usize,
}

impl Facts {
    /// Lines that are indented by so many blanks.
    pub fn new(indent: usize) -> Self {
        Self { text: String::new(), indent }
    }

    /// Facts of their own below a heading.
    pub fn add_part(&mut self, heading: &str, part: impl FnOnce(&mut Self)) {
        self.line(&format!("{:indent$}{heading}", "", indent = self.indent));
        self.indent += STEP;
        part(self);
        self.indent -= STEP;
    }

    /// One fact; nothing if there is no text.
    pub fn add(&mut self, label: &str, text: &str) {
        for (place, line) in text.lines().enumerate() {
            let label = if place == 0 { label } else { "" };
            self.line(&format!("{:indent$}{label:<LABEL$} {line}", "", indent = self.indent));
        }
    }

    /// A fact that is a list, on as many lines as it needs.
    pub fn add_list<T: AsRef<str>>(
        &mut self,
        label: &str,
        separator: &str,
        items: impl IntoIterator<Item = T>,
    ) {
        let room = WIDTH.saturating_sub(self.indent + LABEL + 1);
        let mut text = String::new();
        let mut width = 0;
        for item in items {
            let item = item.as_ref();
            let length = item.chars().count() + separator.len();
            if width > 0 && width + length > room {
                text = format!("{}\n{item}", format!("{text}{separator}").trim_end());
                width = length;
            } else {
                // Writing to a string cannot fail.
                let _ = write!(text, "{}{item}", if width == 0 { "" } else { separator });
                width += length;
            }
        }
        self.add(label, &text);
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    /// The lines.
    pub fn into_text(self) -> String {
        self.text
    }

    /// What is known of a request wherever it is sent: argument, family, devices, header, kernels, other names.
    pub fn add_request(&mut self, registry: &Registry, named: &Named<'_>, arch: Arch) {
        self.add("argument", &argument(registry, &named.arg(), named.dir(), arch));
        let devices: Vec<&str> = registry.devices(named).collect();
        self.add("family", named.family());
        self.add_list("devices", ", ", devices);
        self.add("defined", &place(named));
        self.add("kernels", &kernels(named));
        self.add_list("aliases", ", ", registry.aliases(named));
        for value in named.values() {
            let number = value.value;
            let meaning = match value.constant {
                Some(constant) => format!("{} = {number} ({constant})", value.name),
                None => format!("{} = {number}", value.name),
            };
            self.add("parameter", &meaning);
        }
    }
}

/// `pointer to struct winsize (8 bytes), which the kernel fills`.
pub fn argument(registry: &Registry, arg: &Arg<'_>, dir: Option<Direction>, arch: Arch) -> String {
    match arg {
        Arg::Unknown => "not known".to_owned(),
        Arg::None => "none".to_owned(),
        Arg::Value(ty) => format!("{}, by value", title(registry, ty, arch)),
        Arg::Pointer(ty) => {
            let travel = match dir {
                Some(Direction::Read) => ", which the kernel fills",
                Some(Direction::Write) => ", which the kernel reads",
                Some(Direction::ReadWrite) => ", which the kernel reads and fills",
                Some(Direction::None) | None => "",
            };
            let size = match registry.layout(ty, arch) {
                Ok(layout) if is_open(&layout.shape) => format!(" ({} bytes and more)", layout.size),
                Ok(layout) => format!(" ({})", bytes(layout.size)),
                Err(_) => String::new(),
            };
            format!("pointer to {}{size}{travel}", title(registry, ty, arch))
        }
    }
}

/// The type as C has it.
pub fn title(registry: &Registry, ty: &str, arch: Arch) -> String {
    let title = registry.layout(ty, arch).map_or_else(|_| without_suffix(ty), |layout| layout.title());
    // One without a name.
    if matches!(title.as_str(), "struct" | "union" | "enum") { format!("{title} {{…}}") } else { title }
}

/// A type's text without what the tables tell types of one name apart by.
fn without_suffix(ty: &str) -> String {
    let Some((name, rest)) = ty.split_once('~') else { return ty.to_owned() };
    let end = rest.find(['[', '*', ' ']).unwrap_or(rest.len());
    format!("{name}{}", rest.get(end..).unwrap_or_default())
}

/// Whether as many elements follow as there is data.
pub fn is_open(shape: &Shape) -> bool {
    match shape {
        Shape::Array(_, None) => true,
        Shape::Record(record) if !record.is_union => {
            record.fields.last().is_some_and(|field| is_open(&field.layout.shape))
        }
        _ => false,
    }
}

/// `1 byte`, `8 bytes`.
pub fn bytes(count: u64) -> String {
    format!("{count} byte{}", if count == 1 { "" } else { "s" })
}

/// `linux/videodev2.h:2555`.
pub fn place(request: &Request) -> String {
    match request.line() {
        Some(line) => format!("{}:{line}", request.header()),
        None => request.header().to_owned(),
    }
}

/// The kernels that have a request.
pub fn kernels(request: &Request) -> String {
    let seen = request.seen();
    match seen.map(|seen| (seen.first, seen.last)) {
        None => String::new(),
        Some((first, _)) if seen.is_some_and(|seen| seen.only) => {
            format!("{first}, the only one read for it")
        }
        Some((first, None)) => format!("{first} to today"),
        Some((first, Some(last))) if first == last => format!("seen in {first} alone"),
        Some((first, Some(last))) => format!("{first} to {last}; newer headers do not have it"),
    }
}

/// How a header makes the number: `_IOWR('V', 4, struct v4l2_format)`; nothing for a plain number.
pub fn making(registry: &Registry, request: &Request, arch: Arch) -> Option<String> {
    let parts = Encoding::of(request.number(arch)?, arch);
    let code = format!("{}, {}", letter(parts.ty), parts.nr);
    match (request.made(), request.arg()) {
        (Made::Plain, _) => None,
        (Made::Io, _) => Some(format!("_IO({code})")),
        (Made::Ioc, _) => Some(parts.to_string()),
        (made, Arg::Pointer(ty)) if fits(registry, &ty, arch, parts) => {
            Some(format!("{}({code}, {})", made.as_str(), title(registry, &ty, arch)))
        }
        (made, _) => Some(format!("{}({code}, {})", made.as_str(), parts.size)),
    }
}

fn fits(registry: &Registry, ty: &str, arch: Arch, parts: Encoding) -> bool {
    registry.layout(ty, arch).is_ok_and(|layout| layout.size == u64::from(parts.size))
}

/// `'V'`, or `0xab` where the byte is no visible character.
pub fn letter(ty: u8) -> String {
    match char::from(ty) {
        '\'' | '\\' => format!("'\\{}'", char::from(ty)),
        c if c.is_ascii_graphic() => format!("'{c}'"),
        _ => format!("{ty:#x}"),
    }
}

/// `type 'V', nr 4, 208 bytes, direction read-write`.
pub fn parts(encoding: Encoding) -> String {
    let mut text = format!("type {}, nr {}", letter(encoding.ty), encoding.nr);
    if encoding.nr > 9 {
        // Headers count in either.
        let _ = write!(text, " ({:#x})", encoding.nr);
    }
    if encoding.size > 0 {
        // Writing to a string cannot fail.
        let _ = write!(text, ", {}", bytes(encoding.size.into()));
    }
    if encoding.dir != Direction::None {
        let _ = write!(text, ", direction {}", encoding.dir);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_wrapped() {
        let mut facts = Facts::new(2);
        facts.add("none", "");
        facts.add_list("many", ", ", (0..30).map(|n| format!("device{n}")));
        let text = facts.into_text();
        assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
        assert!(text.starts_with("  many       device0, device1") && text.ends_with("device29\n"), "{text}");
        assert!(text.lines().nth(1).unwrap().starts_with("             device"), "{text}");
    }

    #[test]
    fn suffixes_are_not_shown() {
        assert_eq!(without_suffix("struct x~5.16[2]"), "struct x[2]");
        assert_eq!(without_suffix("struct x~time64"), "struct x");
        assert_eq!(without_suffix("char[4]"), "char[4]");
    }

    #[test]
    fn letters_are_quoted() {
        assert_eq!(
            (letter(b'V'), letter(b'\''), letter(0xb8), letter(b' ')),
            ("'V'".into(), "'\\''".into(), "0xb8".into(), "0x20".into())
        );
    }

    #[test]
    fn what_a_header_says_is_found_again() {
        let registry = Registry::builtin();
        let making = |name| making(registry, registry.find(name).unwrap(), Arch::X86_64);
        assert_eq!(making("VIDIOC_QUERYCAP").as_deref(), Some("_IOR('V', 0, struct v4l2_capability)"));
        assert_eq!(making("KVM_RUN").as_deref(), Some("_IO(0xae, 128)"));
        assert_eq!(making("TCGETS"), None);
    }
}
