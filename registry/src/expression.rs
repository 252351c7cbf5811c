//! Request numbers as people write them: `0x5401`, `TCGETS`, `_IOWR('V', 2, struct v4l2_fmtdesc)`.

use crate::{
    arch::Arch,
    encoding::{Direction, Encoding, parse_number},
    registry::Registry,
    request::Made,
    types::TypeError,
};

/// Why a text is no request number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NumberError {
    /// There is nothing.
    #[error("a request number is missing")]
    Empty,
    /// It begins like a number, but is none of 32 bits.
    #[error("`{0}` is no number of 32 bits; write 21505 or 0x5401")]
    Number(String),
    /// No request and no macro has this name.
    #[error("no ioctl request is named `{0}`")]
    Name(String),
    /// The request has no number on that architecture.
    #[error("`{0}` does not exist on {1}")]
    NotHere(String, Arch),
    /// The request's number depends on values that are not given.
    #[error("`{0}` takes parameters; write {1}")]
    Parameters(String, String),
    /// A parenthesis or a quotation mark is missing, or there is text behind the last one.
    #[error("`{0}` is no macro call; write it as _IOWR('V', 2, struct v4l2_fmtdesc)")]
    Syntax(String),
    /// Too many or too few arguments.
    #[error("`{name}` takes {wanted} arguments, not {given}")]
    Arguments {
        /// The macro.
        name: String,
        /// How many it takes.
        wanted: usize,
        /// How many there are.
        given: usize,
    },
    /// An argument is not what should be there.
    #[error("`{text}` is no {what}")]
    Argument {
        /// The argument.
        text: String,
        /// What should be there.
        what: &'static str,
    },
    /// The size of a type is not known.
    #[error(transparent)]
    Type(#[from] TypeError),
    /// The size does not fit the number.
    #[error("a size of {0} bytes does not fit a request number of {1}")]
    Size(u64, Arch),
}

impl Registry {
    /// The number that a text stands for on an architecture: a number, a name, a request with its parameters' values, or
    /// one of `_IO`, `_IOR`, `_IOW`, `_IOWR` and `_IOC` with numbers, characters and types.
    ///
    /// ```
    /// use ioctl_registry::{Arch, Registry};
    ///
    /// let number = |text| Registry::builtin().number(text, Arch::X86_64);
    /// assert_eq!(number("21505"), Ok(0x5401));
    /// assert_eq!(number("TIOCINQ"), Ok(0x541b));
    /// assert_eq!(number("_IOR('V', 0, struct winsize)"), Ok(0x8008_5600));
    /// assert_eq!(number("_IOC(_IOC_READ|_IOC_WRITE, 0xde, 0xad, 0x8)"), Ok(0xc008_dead));
    /// assert_eq!(number("EVIOCGBIT(EV_KEY, 96)"), Ok(0x8060_4521));
    /// assert_eq!(number("_IOR('V', 0)").unwrap_err().to_string(), "`_IOR` takes 3 arguments, not 2");
    /// ```
    ///
    /// # Errors
    /// Says what of the text is not understood.
    pub fn number(&self, text: &str, arch: Arch) -> Result<u32, NumberError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(NumberError::Empty);
        }
        if text.starts_with(|first: char| first.is_ascii_digit() || first == '-' || first == '+') {
            return parse_number(text).ok_or_else(|| NumberError::Number(text.to_owned()));
        }
        let Some((name, rest)) = text.split_once('(') else { return self.named_number(text, arch) };
        let name = name.trim_end();
        let syntax = || NumberError::Syntax(text.to_owned());
        let arguments = arguments(rest.strip_suffix(')').ok_or_else(syntax)?).ok_or_else(syntax)?;
        match Made::parse(name) {
            Some(made) if made != Made::Plain => self.made(made, &arguments, arch),
            _ => self.with_values(name, &arguments, arch),
        }
    }

    fn named_number(&self, name: &str, arch: Arch) -> Result<u32, NumberError> {
        let rows = self.rows(name);
        let Some(first) = rows.first() else { return Err(NumberError::Name(name.to_owned())) };
        if let Some(parameters) = first.parameters() {
            let names: Vec<_> = parameters.names().collect();
            return Err(NumberError::Parameters(name.to_owned(), format!("{name}({})", names.join(", "))));
        }
        // A name may be an alias only where it has no number of its own.
        let number = rows.iter().chain(self.of_alias(name)).find_map(|row| row.number(arch));
        number.ok_or_else(|| NumberError::NotHere(name.to_owned(), arch))
    }

    /// A request with parameters.
    fn with_values(&self, name: &str, arguments: &[&str], arch: Arch) -> Result<u32, NumberError> {
        let Some(request) = self.find(name) else { return Err(NumberError::Name(name.to_owned())) };
        let wanted = request.parameters().map_or(0, |parameters| parameters.names().count());
        let (Some(parameters), true) = (request.parameters(), wanted == arguments.len()) else {
            return Err(NumberError::Arguments { name: name.to_owned(), wanted, given: arguments.len() });
        };
        let mut values = Vec::with_capacity(wanted);
        for (place, text) in arguments.iter().enumerate() {
            let constant = || {
                let value = parameters.set(place).and_then(|set| self.set(set, arch))?.value(text)?;
                u32::try_from(value).ok()
            };
            let value = parse_number(text).or_else(constant);
            values.push(value.ok_or_else(|| argument(text, "value of this parameter"))?);
        }
        parameters.encode(&values, arch).ok_or_else(|| argument(&arguments.join(", "), "value in range"))
    }

    fn made(&self, made: Made, arguments: &[&str], arch: Arch) -> Result<u32, NumberError> {
        let wrong = |wanted| {
            let name = made.as_str().to_owned();
            NumberError::Arguments { name, wanted, given: arguments.len() }
        };
        let (base, rest) = match (made.direction(), arguments) {
            (Some(dir), rest) => (Encoding::new(dir, 0, 0, 0), rest),
            (None, [dir, rest @ ..]) => (direction(dir, arch)?, rest),
            (None, []) => return Err(wrong(4)),
        };
        let (ty, nr, size) = match (made, rest) {
            (Made::Io, [ty, nr]) => (ty, nr, 0),
            (Made::Io, _) => return Err(wrong(2)),
            (_, [ty, nr, size]) => (ty, nr, self.size(size, arch)?),
            (Made::Ioc, _) => return Err(wrong(4)),
            _ => return Err(wrong(3)),
        };
        let ty = byte(ty)
            .ok_or_else(|| argument(ty, "type of a request: a character in '' or a number below 256"))?;
        let nr = byte(nr).ok_or_else(|| argument(nr, "number of a request, below 256"))?;
        let parts = Encoding { ty, nr, size: u16::try_from(size).unwrap_or(u16::MAX), ..base };
        let number = parts.encode(arch);
        if u64::from(Encoding::of(number, arch).size) == size {
            Ok(number)
        } else {
            Err(NumberError::Size(size, arch))
        }
    }

    /// A number of bytes, `sizeof(TYPE)` or a type.
    fn size(&self, text: &str, arch: Arch) -> Result<u64, NumberError> {
        if let Some(bytes) = parse_number(text) {
            return Ok(bytes.into());
        }
        let inner = text.strip_prefix("sizeof").map(str::trim_start);
        let inner = inner.and_then(|text| text.strip_prefix('(')?.strip_suffix(')'));
        Ok(self.layout(inner.unwrap_or(text), arch)?.size)
    }
}

fn argument(text: &str, what: &'static str) -> NumberError {
    NumberError::Argument { text: text.to_owned(), what }
}

/// What stands between commas that are in no quotation marks and no parentheses; `0x10 /* EV_??? */` is `0x10`.
fn arguments(text: &str) -> Option<Vec<&str>> {
    let (mut found, mut start, mut depth, mut quoted) = (Vec::new(), 0, 0_u32, false);
    let mut previous = ' ';
    for (at, c) in text.char_indices() {
        match c {
            '\'' if previous != '\\' => quoted = !quoted,
            _ if quoted => {}
            '(' => depth += 1,
            ')' => depth = depth.checked_sub(1)?,
            ',' if depth == 0 => {
                found.push(uncommented(text.get(start..at)?));
                start = at + 1;
            }
            _ => {}
        }
        previous = if previous == '\\' { ' ' } else { c };
    }
    if quoted || depth > 0 {
        return None;
    }
    found.push(uncommented(text.get(start..)?));
    Some(found)
}

/// An argument without the comment behind it, by which values without a name are shown.
fn uncommented(text: &str) -> &str {
    let text = text.trim();
    let comment = text.strip_suffix("*/").and_then(|text| text.rsplit_once("/*"));
    comment.map_or(text, |(value, _)| value.trim_end())
}

/// `0x56`, `86` or `'V'`.
fn byte(text: &str) -> Option<u8> {
    if let Some(quoted) = text.strip_prefix('\'') {
        let inner = quoted.strip_suffix('\'')?;
        return match inner.strip_prefix('\\').unwrap_or(inner).as_bytes() {
            [byte] if inner.len() == 1 || matches!(byte, b'\\' | b'\'') => Some(*byte),
            _ => None,
        };
    }
    parse_number(text)?.try_into().ok()
}

/// `_IOC_READ|_IOC_WRITE`, or the bits as the architecture has them.
fn direction(text: &str, arch: Arch) -> Result<Encoding, NumberError> {
    let wrong = || argument(text, "direction: _IOC_NONE, _IOC_READ, _IOC_WRITE or _IOC_READ|_IOC_WRITE");
    if let Some(bits) = parse_number(text) {
        let parts = Encoding::of_direction(bits, arch).ok_or_else(wrong)?;
        return Ok(parts);
    }
    let (mut read, mut write) = (false, false);
    for word in text.split('|').map(str::trim) {
        match word {
            "_IOC_NONE" | "0" => {}
            "_IOC_READ" => read = true,
            "_IOC_WRITE" => write = true,
            _ => return Err(wrong()),
        }
    }
    Ok(Encoding::new(Direction::from_bits(write, read), 0, 0, 0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(text: &str) -> Result<u32, String> {
        Registry::builtin().number(text, Arch::X86_64).map_err(|error| error.to_string())
    }

    #[test]
    fn macros_are_evaluated() {
        for (text, expected) in [
            ("_IO('T', 1)", 0x5401),
            ("_IOWR('V', 2, 208)", 0xc0d0_5602),
            ("_IOC(3,'a',1,sizeof(int))", 0xc004_6101),
            (" _IOC( _IOC_NONE , 0x54 , 0x1 , 0 ) ", 0x5401),
            ("_IOW(',', 2, unsigned long)", 0x4008_2c02),
            ("_IOR('\\'', 2, char[256])", 0x8100_2702),
            ("EVIOCGBIT(0x10 /* EV_??? */, 5718)", 0x9656_4530),
        ] {
            assert_eq!(number(text), Ok(expected), "{text}");
        }
        let mips = |text| Registry::builtin().number(text, Arch::Mips);
        assert_eq!(mips("_IO('T', 1)"), Ok(0x2000_5401));
        assert_eq!(mips("_IOW(',', 2, unsigned long)"), Ok(0x8004_2c02));
        assert_eq!(mips("_IOC(4,',', 2, 4)"), Ok(0x8004_2c02));
        assert_eq!(mips("_IOC(0,'T', 1, 0)"), Ok(0x5401));
    }

    #[test]
    fn each_mistake_is_told() {
        for (text, message) in [
            ("", "a request number is missing"),
            ("0x123456789", "`0x123456789` is no number of 32 bits; write 21505 or 0x5401"),
            ("-1", "`-1` is no number of 32 bits; write 21505 or 0x5401"),
            ("TCGOTS", "no ioctl request is named `TCGOTS`"),
            ("_IO('T', 1", "`_IO('T', 1` is no macro call; write it as _IOWR('V', 2, struct v4l2_fmtdesc)"),
            ("_IO('T')", "`_IO` takes 2 arguments, not 1"),
            ("_IO('TT', 1)", "`'TT'` is no type of a request: a character in '' or a number below 256"),
            ("_IO('T', 256)", "`256` is no number of a request, below 256"),
            ("_IOR('T', 2, 16384)", "a size of 16384 bytes does not fit a request number of x86_64"),
            ("_IOR('T', 2, struct nobody)", "no type is named `struct nobody`"),
            (
                "_IOC(_IOC_BOTH, 1, 2, 3)",
                "`_IOC_BOTH` is no direction: _IOC_NONE, _IOC_READ, _IOC_WRITE or _IOC_READ|_IOC_WRITE",
            ),
            ("EVIOCGBIT", "`EVIOCGBIT` takes parameters; write EVIOCGBIT(ev, len)"),
            ("EVIOCGBIT(1)", "`EVIOCGBIT` takes 2 arguments, not 1"),
            ("EVIOCGBIT(99, 1)", "`99, 1` is no value in range"),
            ("TCGETS(1)", "`TCGETS` takes 0 arguments, not 1"),
        ] {
            assert_eq!(number(text), Err(message.to_owned()), "{text}");
        }
    }

    proptest! {
        /// What a number is shown as is read as that number.
        #[test]
        fn shown_numbers_are_read_back(number: u32) {
            for arch in Arch::ALL {
                let shown = Encoding::of(number, arch);
                // A size without a direction is not what sparc64's macros make.
                let text = shown.to_string();
                if !text.contains("_IOC_NONE|") {
                    prop_assert_eq!(Registry::builtin().number(&text, arch), Ok(number), "{} on {}", text, arch);
                }
            }
        }

        #[test]
        fn no_text_panics(text in r"(_IO[RWC]*)?\(?[ -~]{0,24}\)?") {
            let _ = Registry::builtin().number(&text, Arch::Sparc64);
        }
    }
}
