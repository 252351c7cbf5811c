//! The text of type definitions and type expressions, taken apart. What it measures on an architecture, a
//! [`Layout`](crate::Layout) says.

use super::{
    TypeError,
    scalar::{Scalar, WORDS},
};

/// A type as its text has it, not yet laid out for an architecture.
#[derive(Debug, Clone, PartialEq)]
pub enum Type {
    /// A number, a truth value or a byte of text.
    Scalar(Scalar),
    /// A type to look up: `struct x`, `union x`, `enum x` or the name of a typedef.
    Named(String),
    /// A pointer, with the text of what it points to.
    Pointer(String),
    /// An array; without a length it is as long as there is data.
    Array(Box<Self>, Option<u64>),
    /// A struct or a union.
    Record(Record),
    /// One of several named numbers: what holds it, names and values.
    Enum(Scalar, Vec<(String, i128)>),
    /// Only declared.
    Opaque,
}

/// A struct or a union.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// All fields share the same bytes.
    pub is_union: bool,
    /// Every field directly behind the one before.
    pub packed: bool,
    /// The size, where it is not what the rule says.
    pub size: Option<u64>,
    /// In the order of the text.
    pub fields: Vec<Field>,
}

/// A member.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Empty for an anonymous member or padding.
    pub name: String,
    /// What it holds.
    pub ty: Type,
    /// Width in bits.
    pub bits: Option<u64>,
    /// Offset in bits, where it is not what the rule says.
    pub at: Option<u64>,
}

/// Types within types, and brackets behind one.
const MAX_DEPTH: u32 = 32;

impl Type {
    /// Reads the definition of a type: an aggregate, an enumeration, `opaque`, or any type for a typedef.
    ///
    /// ```
    /// use ioctl_registry::definition::Type;
    ///
    /// let Type::Record(record) = Type::parse("struct{u32 type;u8 data[8];}").unwrap() else { panic!() };
    /// assert_eq!(record.fields[1].name, "data");
    /// ```
    ///
    /// # Errors
    ///
    /// When the text is no definition.
    pub fn parse(text: &str) -> Result<Self, TypeError> {
        if text == "opaque" {
            return Ok(Self::Opaque);
        }
        let mut parser = Parser { text, at: 0, depth: 0 };
        let base = parser.base()?;
        let ty = parser.stars(base)?;
        let ty = parser.dimensions(ty)?;
        parser.spaces();
        if parser.at == text.len() { Ok(ty) } else { parser.expected("the end of the type") }
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: u32,
}

/// A base type and where its text begins.
struct Base {
    ty: Option<Type>,
    start: usize,
}

impl<'t> Parser<'t> {
    fn expected<T>(&self, what: &'static str) -> Result<T, TypeError> {
        Err(TypeError::Malformed { text: excerpt(self.rest()), expected: what })
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn spaces(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// Whether the next character is this one, which is then taken.
    fn take(&mut self, wanted: char) -> bool {
        self.spaces();
        let found = self.rest().starts_with(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn need(&mut self, wanted: char, what: &'static str) -> Result<(), TypeError> {
        if self.take(wanted) { Ok(()) } else { self.expected(what) }
    }

    /// The next word without taking it; empty if there is none.
    fn peek(&mut self) -> &'t str {
        self.spaces();
        let rest = self.rest();
        // A name of the tables may carry `~SUFFIX`.
        let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '~' | '$' | '.');
        let end = rest.find(|c| !inside(c)).unwrap_or(rest.len());
        let word = rest.get(..end).unwrap_or_default();
        if word.starts_with(|first: char| first.is_ascii_digit()) { "" } else { word }
    }

    fn word(&mut self) -> &'t str {
        let word = self.peek();
        self.at += word.len();
        word
    }

    /// `12`, `0xc` or, where allowed, `-12`.
    fn number(&mut self) -> Result<i128, TypeError> {
        self.spaces();
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(rest.len());
        match rest.get(..end).and_then(crate::parse::integer) {
            Some(value) => {
                self.at += end;
                Ok(value)
            }
            None => self.expected("a number"),
        }
    }

    fn unsigned(&mut self) -> Result<u64, TypeError> {
        let start = self.at;
        let value = self.number()?;
        u64::try_from(value).or_else(|_| {
            self.at = start;
            self.expected("a number that is not negative")
        })
    }

    /// A type without its `*` and brackets.
    fn base(&mut self) -> Result<Base, TypeError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(TypeError::TooDeep);
        }
        while matches!(self.peek(), "const" | "volatile") {
            self.word();
        }
        let start = self.at;
        let word = self.peek();
        let ty = match word {
            "" => return self.expected("a type"),
            "struct" | "union" => {
                self.word();
                Some(self.record(word == "union", start)?)
            }
            "enum" => {
                self.word();
                Some(self.enumeration(start)?)
            }
            // It has no size, and stands behind pointers alone.
            "void" => {
                self.word();
                None
            }
            word if WORDS.contains(&word) => {
                let mut words = Vec::new();
                while WORDS.contains(&self.peek()) {
                    words.push(self.word());
                }
                let Some(scalar) = Scalar::of_words(&words) else { return self.expected("a type of C") };
                Some(Type::Scalar(scalar))
            }
            name => {
                self.word();
                Some(Scalar::named(name).map_or_else(|| Type::Named(name.to_owned()), Type::Scalar))
            }
        };
        self.depth -= 1;
        Ok(Base { ty, start })
    }

    /// The `*` behind a type.
    fn stars(&mut self, base: Base) -> Result<Type, TypeError> {
        let mut ty = base.ty;
        loop {
            let pointee = self.text.get(base.start..self.at).unwrap_or_default().trim_end();
            if !self.take('*') {
                break;
            }
            ty = Some(Type::Pointer(pointee.to_owned()));
        }
        match ty {
            Some(ty) => Ok(ty),
            None => self.expected("`*` behind `void`"),
        }
    }

    /// The brackets behind a type or a name.
    fn dimensions(&mut self, element: Type) -> Result<Type, TypeError> {
        let mut lengths = Vec::new();
        while self.take('[') {
            if lengths.len() >= MAX_DEPTH as usize {
                return Err(TypeError::TooDeep);
            }
            lengths.push(if self.take(']') {
                None
            } else {
                let length = self.unsigned()?;
                self.need(']', "`]`")?;
                // Before C99, an array of none stood for one as long as there is data.
                Some(length).filter(|length| *length > 0)
            });
        }
        Ok(lengths.into_iter().rev().fold(element, |ty, length| Type::Array(Box::new(ty), length)))
    }

    /// What follows `struct` or `union`.
    fn record(&mut self, is_union: bool, start: usize) -> Result<Type, TypeError> {
        let mut record = Record { is_union, packed: false, size: None, fields: Vec::new() };
        loop {
            match self.peek() {
                "" => break,
                "packed" if !record.packed => {
                    self.word();
                    record.packed = true;
                }
                "size" if record.size.is_none() && self.rest().starts_with("size=") => {
                    self.word();
                    self.need('=', "`=`")?;
                    record.size = Some(self.unsigned()?);
                }
                _ => {
                    self.word();
                    return Ok(Type::Named(tag(self.text.get(start..self.at))));
                }
            }
        }
        // A structure may be called `packed`.
        if record.packed && record.size.is_none() && !self.take('{') {
            return Ok(Type::Named(tag(self.text.get(start..self.at))));
        } else if !(record.packed && record.size.is_none()) {
            self.need('{', "a name or `{`")?;
        }
        while !self.take('}') {
            let field = self.field()?;
            record.fields.push(field);
        }
        Ok(Type::Record(record))
    }

    fn field(&mut self) -> Result<Field, TypeError> {
        let base = self.base()?;
        let ty = self.stars(base)?;
        let name = self.word().to_owned();
        let ty = self.dimensions(ty)?;
        let bits = if self.take(':') { Some(self.unsigned()?) } else { None };
        let at = if self.take('@') {
            let byte = self.unsigned()?;
            let bit = if self.rest().starts_with('.') {
                self.at += 1;
                self.unsigned()?
            } else {
                0
            };
            let Some(at) = byte.checked_mul(8).and_then(|at| at.checked_add(bit)) else {
                return Err(TypeError::TooBig);
            };
            Some(at)
        } else {
            None
        };
        self.need(';', "`;` behind a field")?;
        Ok(Field { name, ty, bits, at })
    }

    /// What follows `enum`: a name, or a scalar and the values.
    fn enumeration(&mut self, start: usize) -> Result<Type, TypeError> {
        let name = self.word();
        if name.is_empty() {
            return self.expected("a name");
        }
        if !self.take('{') {
            return Ok(Type::Named(tag(self.text.get(start..self.at))));
        }
        let Some(scalar) = Scalar::named(name) else { return self.expected("an integer type before `{`") };
        let mut constants = Vec::new();
        while !self.take('}') {
            let name = self.word();
            if name.is_empty() {
                return self.expected("a constant");
            }
            self.need('=', "`=` behind a constant")?;
            constants.push((name.to_owned(), self.number()?));
            if !self.take(',') {
                self.need('}', "`,` or `}`")?;
                break;
            }
        }
        Ok(Type::Enum(scalar, constants))
    }
}

/// `struct x`, with one blank between the words.
fn tag(text: Option<&str>) -> String {
    text.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The beginning of a text, for messages.
fn excerpt(text: &str) -> String {
    const LENGTH: usize = 24;
    match text.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: &str) -> Record {
        match Type::parse(text) {
            Ok(Type::Record(record)) => record,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn records_have_fields_of_every_kind() {
        let text = "struct packed size=40{u32 type;union{struct v4l2_pix_format pix;u8 raw[200];}fmt;char*name[4];u32 a:3@4.2;u64:0;struct x*next;void*p;__be32 addr@24;u8 tail[][2];}";
        let record = record(text);
        assert!(record.packed && !record.is_union);
        assert_eq!(record.size, Some(40));
        let names: Vec<_> = record.fields.iter().map(|field| field.name.as_str()).collect();
        assert_eq!(names, ["type", "fmt", "name", "a", "", "next", "p", "addr", "tail"]);
        assert_eq!(record.fields[2].ty, Type::Array(Box::new(Type::Pointer("char".into())), Some(4)));
        assert_eq!((record.fields[3].bits, record.fields[3].at), (Some(3), Some(34)));
        assert_eq!(record.fields[5].ty, Type::Pointer("struct x".into()));
        let Type::Array(inner, None) = &record.fields[8].ty else { panic!() };
        assert!(matches!(**inner, Type::Array(_, Some(2))));
    }

    #[test]
    fn people_write_types_as_in_c() {
        let same = |a: &str, b: &str| assert_eq!(Type::parse(a), Type::parse(b), "{a}");
        same("unsigned int", "u32");
        same("  struct   x [ 4 ]", "struct x[4]");
        same("const char *", "char*");
        same("unsigned long long", "u64");
        assert_eq!(Type::parse("struct packed"), Ok(Type::Named("struct packed".into())));
        assert_eq!(Type::parse("struct foo~5.16"), Ok(Type::Named("struct foo~5.16".into())));
        assert_eq!(Type::parse("char**"), Ok(Type::Pointer("char*".into())));
    }

    #[test]
    fn enumerations_have_values() {
        let Ok(Type::Enum(scalar, constants)) = Type::parse("enum s32{A=-1,B=0x10,C=3}") else { panic!() };
        assert_eq!(scalar.name(), "s32");
        assert_eq!(constants, [("A".into(), -1), ("B".into(), 16), ("C".into(), 3)]);
        assert_eq!(Type::parse("enum v4l2_buf_type"), Ok(Type::Named("enum v4l2_buf_type".into())));
    }

    #[test]
    fn mistakes_say_what_was_expected() {
        let error = |text: &str| Type::parse(text).unwrap_err().to_string();
        assert_eq!(error("struct{u32 a}"), "expected `;` behind a field, found `}`");
        assert_eq!(error(""), "expected a type, found the end");
        assert_eq!(error("void"), "expected `*` behind `void`, found the end");
        assert_eq!(error("u32[-1]"), "expected a number that is not negative, found `-1]`");
        assert_eq!(error("u32 x"), "expected the end of the type, found `x`");
        assert_eq!(error(&"struct{".repeat(99)), "types within types go too deep, more than 32 levels");
    }
}
