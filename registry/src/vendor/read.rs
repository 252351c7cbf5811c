//! The text of a vendor file into its parts, with the line of each.

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{Mistake, VendorFile, VendorNumber, VendorRequest, VendorSet};
use crate::encoding::Direction;

/// Where the parts of a file stand.
#[derive(Debug, Default)]
pub struct Lines {
    pub vendor: usize,
    pub types: Vec<usize>,
    pub sets: Vec<usize>,
    pub fields: Vec<usize>,
    pub requests: Vec<usize>,
}

/// Mistakes of one file that are told; a file of another kind would yield one a line.
const MAX_MISTAKES: usize = 50;

/// Reads a file.
pub fn read(label: &str, text: &str) -> Result<(VendorFile, Lines), Vec<Mistake>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut reader =
        Reader { label, ends: text.match_indices('\n').map(|(at, _)| at).collect(), mistakes: Vec::new() };
    if errors.is_empty() {
        let read = reader.file(table.get_ref());
        if reader.mistakes.is_empty() {
            return Ok(read);
        }
    }
    for error in errors {
        let at = error.span().map_or(0, |span| span.start);
        reader.mistake(at, format!("{}; this is no TOML", error.message()));
    }
    reader.mistakes.sort_by_key(|mistake| mistake.line);
    reader.mistakes.truncate(MAX_MISTAKES);
    Err(reader.mistakes)
}

type Value<'t> = Spanned<DeValue<'t>>;

struct Reader<'t> {
    label: &'t str,
    /// Where lines end: looking for them each time would take the square of the file's length.
    ends: Vec<usize>,
    mistakes: Vec<Mistake>,
}

impl Reader<'_> {
    fn line(&self, at: usize) -> usize {
        1 + self.ends.partition_point(|end| *end < at)
    }

    fn mistake(&mut self, at: usize, what: String) {
        let line = self.line(at);
        self.mistakes.push(Mistake { file: self.label.to_owned(), line, what });
    }

    fn file(&mut self, table: &DeTable<'_>) -> (VendorFile, Lines) {
        self.known_keys(table, &["vendor", "types", "sets", "fields", "request"]);
        let (mut file, mut lines) = (VendorFile::default(), Lines::default());
        match table.get("vendor") {
            Some(value) => {
                lines.vendor = self.line(value.span().start);
                if let Some(vendor) = self.table(value, "[vendor]") {
                    self.vendor(vendor, value.span().start, &mut file);
                }
            }
            None => self.mistake(0, "`[vendor]` is missing; add it, with `name = \"…\"`".to_owned()),
        }
        (file.types, lines.types) = self.pairs(table.get("types"), "[types]");
        (file.sets, lines.sets) = self.sets(table.get("sets"));
        (file.fields, lines.fields) = self.pairs(table.get("fields"), "[fields]");
        let requests = table.get("request");
        let windows = file.windows;
        match requests.map(|value| (value, value.get_ref().as_array())) {
            Some((_, Some(array))) => {
                for value in array.iter() {
                    let line = self.line(value.span().start);
                    let Some(table) = self.table(value, "[[request]]") else { continue };
                    if let Some(request) = self.request(table, value.span().start, windows) {
                        file.requests.push(request);
                        lines.requests.push(line);
                    }
                }
            }
            Some((value, None)) => {
                self.mistake(
                    value.span().start,
                    "`request` is no list; write [[request]], twice in brackets".to_owned(),
                );
            }
            None => {}
        }
        (file, lines)
    }

    fn vendor(&mut self, table: &DeTable<'_>, at: usize, file: &mut VendorFile) {
        match self.string(table, "os").as_deref() {
            None | Some("linux") => {}
            Some("windows") => file.windows = true,
            Some(other) => {
                let at = table.get("os").map_or(at, |value| value.span().start);
                self.mistake(at, format!("`{other}` is no system; write linux or windows"));
            }
        }
        if file.windows {
            self.known_keys(table, &["name", "source", "os"]);
        } else {
            self.known_keys(table, &["name", "source", "os", "devices"]);
        }
        match self.string(table, "name") {
            Some(name) if is_word(&name) => file.name = name,
            Some(name) => {
                self.mistake(at, format!("`{name}` is no name; use letters, digits, `-`, `_` and `.`"))
            }
            None if table.get("name").is_some() => {}
            None => self.mistake(at, "`name` is missing; add it to [vendor]".to_owned()),
        }
        file.source = self.string(table, "source").unwrap_or_default();
        file.devices = self.strings(table, "devices");
    }

    fn request(&mut self, table: &DeTable<'_>, at: usize, windows: bool) -> Option<VendorRequest> {
        let (macro_key, example) = if windows {
            self.known_keys(table, &["name", "number", "code", "input", "output"]);
            ("code", "CTL_CODE(0x8000, 0x801, METHOD_BUFFERED, FILE_ANY_ACCESS)")
        } else {
            self.known_keys(table, &["name", "number", "ioc", "arg", "dir", "devices", "size"]);
            ("ioc", "_IOWR('F', 1, struct x)")
        };
        let name = self.string(table, "name");
        match &name {
            Some(name) if !is_word(name) => {
                self.mistake(at, format!("`{name}` is no name; use letters, digits, `-`, `_` and `.`"));
            }
            None if table.get("name").is_none() => {
                self.mistake(at, "`name` is missing; add it to this [[request]]".to_owned());
            }
            _ => {}
        }
        let number = match (table.get("number"), table.get(macro_key)) {
            (Some(value), None) => {
                let number = self.integer(value, "number").map(u32::try_from);
                if let Some(Err(_)) = number {
                    self.mistake(value.span().start, "`number` has more than 32 bits; correct it".to_owned());
                }
                number.and_then(Result::ok).map(VendorNumber::Plain)
            }
            (None, Some(_)) => self.string(table, macro_key).map(if windows {
                VendorNumber::Code
            } else {
                VendorNumber::Ioc
            }),
            (Some(value), Some(_)) => {
                let what = format!("both `number` and `{macro_key}` are given; remove one");
                self.mistake(value.span().start, what);
                None
            }
            (None, None) => {
                let what = format!(
                    "`number` or `{macro_key}` is missing; add `number = 0x…` or `{macro_key} = \"{example}\"`"
                );
                self.mistake(at, what);
                None
            }
        };
        let dir = self.string(table, "dir").and_then(|dir| {
            let found = Direction::parse(&dir);
            if found.is_none() {
                self.mistake(at, format!("`{dir}` is no direction; write none, read, write or read-write"));
            }
            found
        });
        let (arg, devices) = (self.string(table, "arg"), self.strings(table, "devices"));
        let size = table.get("size").and_then(|value| self.integer(value, "size"));
        let (input, output) = (self.string(table, "input"), self.string(table, "output"));
        Some(VendorRequest { name: name?, number: number?, arg, dir, devices, size, input, output })
    }

    fn known_keys(&mut self, table: &DeTable<'_>, known: &[&str]) {
        for (key, _) in table.iter().filter(|(key, _)| !known.contains(&key.get_ref().as_ref())) {
            let list: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
            self.mistake(
                key.span().start,
                format!("unknown key `{}`; known here are {}", key.get_ref(), list.join(", ")),
            );
        }
    }

    fn wrong(&mut self, value: &Value<'_>, name: &str, wanted: &str) {
        let found = value.get_ref().type_str();
        self.mistake(value.span().start, format!("`{name}` is of type {found}; write {wanted}"));
    }

    fn table<'v, 't>(&mut self, value: &'v Value<'t>, name: &str) -> Option<&'v DeTable<'t>> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            self.wrong(value, name, "a table");
        }
        table
    }

    fn string(&mut self, table: &DeTable<'_>, name: &str) -> Option<String> {
        let value = table.get(name)?;
        let text = value.get_ref().as_str().map(str::to_owned);
        if text.is_none() {
            self.wrong(value, name, "text in quotation marks");
        }
        text
    }

    fn strings(&mut self, table: &DeTable<'_>, name: &str) -> Vec<String> {
        let Some(value) = table.get(name) else { return Vec::new() };
        let texts = value
            .get_ref()
            .as_array()
            .and_then(|array| array.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect());
        texts.unwrap_or_else(|| {
            self.wrong(value, name, "a list of texts, such as [\"char:240\"]");
            Vec::new()
        })
    }

    fn integer(&mut self, value: &Value<'_>, name: &str) -> Option<u64> {
        let number = value.get_ref().as_integer();
        let number = number.and_then(|number| u64::from_str_radix(number.as_str(), number.radix()).ok());
        if number.is_none() {
            self.mistake(
                value.span().start,
                format!("`{name}` is no number that could be; write as 0x4601 or 17921"),
            );
        }
        number
    }

    /// The tables within `[sets]`, with the line of each.
    fn sets(&mut self, value: Option<&Value<'_>>) -> (Vec<VendorSet>, Vec<usize>) {
        let (mut sets, mut lines) = (Vec::new(), Vec::new());
        let Some(table) = value.and_then(|value| self.table(value, "sets")) else { return (sets, lines) };
        for (key, value) in table {
            let name = key.get_ref().clone().into_owned();
            let Some(set) = self.table(value, &name) else { continue };
            self.known_keys(set, &["kind", "constants"]);
            match (self.string(set, "kind"), self.string(set, "constants")) {
                (Some(kind), Some(constants)) => {
                    sets.push(VendorSet { name, kind, constants });
                    lines.push(self.line(key.span().start));
                }
                _ => self.mistake(
                    key.span().start,
                    format!("`{name}` needs both `kind` and `constants`; add them"),
                ),
            }
        }
        (sets, lines)
    }

    /// A table of texts, with the line of each.
    fn pairs(&mut self, value: Option<&Value<'_>>, name: &str) -> (Vec<(String, String)>, Vec<usize>) {
        let (mut pairs, mut lines) = (Vec::new(), Vec::new());
        let Some(table) = value.and_then(|value| self.table(value, name)) else { return (pairs, lines) };
        for (key, value) in table {
            match value.get_ref().as_str() {
                Some(text) => {
                    pairs.push((key.get_ref().clone().into_owned(), text.to_owned()));
                    lines.push(self.line(key.span().start));
                }
                None => self.wrong(value, key.get_ref(), "text in quotation marks"),
            }
        }
        (pairs, lines)
    }
}

/// Whether a name can stand in selections and on a terminal.
fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}
