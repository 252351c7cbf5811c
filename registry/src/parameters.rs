//! Requests whose number depends on a parameter, such as `EVIOCGBIT(ev, len)`.

use crate::{
    arch::Arch,
    encoding::{Direction, Encoding},
    parse,
    request::{Made, Text},
};

/// The parameters of a request's number.
///
/// ```
/// use ioctl_registry::{Arch, Registry};
///
/// let request = Registry::builtin().find("EVIOCGBIT").unwrap();
/// let parameters = request.parameters().unwrap();
/// assert_eq!(parameters.names().collect::<Vec<_>>(), ["ev", "len"]);
/// assert_eq!(parameters.encode(&[1, 96], Arch::X86_64), Some(0x8060_4521));
/// assert_eq!(parameters.encode(&[99, 96], Arch::X86_64), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameters {
    names: Vec<(Text, Option<Text>)>,
    dir: Direction,
    ty: u8,
    nr: Nr,
    size: Size,
}

/// The number within the type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nr {
    Fixed(u8),
    /// A parameter, by its place, is added to a base.
    Plus {
        base: u8,
        place: usize,
        first: u8,
        last: u8,
    },
}

/// The size of the argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Size {
    Fixed(u16),
    /// A parameter, by its place, times so many bytes.
    Times {
        bytes: u16,
        place: usize,
    },
}

impl Parameters {
    /// `parameters;type;nr;size;sets`, as the build joins the columns of `parametrised.tsv`.
    pub(crate) fn parse(text: &'static str, made: Made, dir: Option<Direction>) -> Option<Self> {
        let mut columns = text.split(';');
        let mut next = || columns.next();
        let (names, ty, nr, size, sets) = (next()?, next()?, next()?, next()?, next()?);
        let set_of = |name: &str| {
            let mut sets = sets.split(',').filter_map(|set| set.split_once('='));
            sets.find(|(parameter, _)| *parameter == name).map(|(_, set)| set.into())
        };
        let names: Vec<(Text, Option<Text>)> =
            names.split(',').map(|name| (name.into(), set_of(name))).collect();
        let place = |name: &str| names.iter().position(|(other, _)| other == name);
        let nr = match nr.split_once('+') {
            None => Nr::Fixed(parse::hex_byte(nr)?),
            Some((base, rest)) => {
                let (name, range) = rest.split_once(':')?;
                let (first, last) = range.split_once("..")?;
                let byte = |text| parse::integer(text).and_then(|value| u8::try_from(value).ok());
                let (base, first, last) = (parse::hex_byte(base)?, byte(first)?, byte(last)?);
                base.checked_add(last)?;
                Nr::Plus { base, place: place(name)?, first, last }
            }
        };
        let size = match (size.parse(), size.split_once('*')) {
            (Ok(size), _) => Size::Fixed(size),
            (_, Some((bytes, name))) => {
                Size::Times { bytes: bytes.parse().ok().filter(|bytes| *bytes > 0)?, place: place(name)? }
            }
            (_, None) => Size::Times { bytes: 1, place: place(size)? },
        };
        // A parameter that the number does not hold cannot be told from it.
        let held = |wanted: usize| {
            matches!(nr, Nr::Plus { place, .. } if place == wanted)
                || matches!(size, Size::Times { place, .. } if place == wanted)
        };
        if !(0..names.len()).all(held) {
            return None;
        }
        Some(Self { dir: made.direction().or(dir)?, ty: parse::hex_byte(ty)?, nr, size, names })
    }

    /// The parameters' names in the macro's order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|(name, _)| &**name)
    }

    /// The set of constants that a parameter takes its values from, by the parameter's place.
    #[must_use]
    pub fn set(&self, place: usize) -> Option<&str> {
        self.names.get(place)?.1.as_deref()
    }

    /// The driver's letter or code.
    #[must_use]
    pub const fn ty(&self) -> u8 {
        self.ty
    }

    /// The direction that the number states.
    #[must_use]
    pub const fn dir(&self) -> Direction {
        self.dir
    }

    /// The number for some values, in the macro's order; `None` if they are too many, too few or out of range.
    #[must_use]
    pub fn encode(&self, values: &[u32], arch: Arch) -> Option<u32> {
        if values.len() != self.names.len() {
            return None;
        }
        let nr = match self.nr {
            Nr::Fixed(nr) => nr,
            Nr::Plus { base, place, first, last } => {
                let value = u8::try_from(*values.get(place)?).ok()?;
                base.checked_add(value).filter(|_| (first..=last).contains(&value))?
            }
        };
        let size = match self.size {
            Size::Fixed(size) => size,
            Size::Times { bytes, place } => {
                u16::try_from(u32::from(bytes).checked_mul(*values.get(place)?)?).ok()?
            }
        };
        let parts = Encoding::new(self.dir, self.ty, nr, size);
        let number = parts.encode(arch);
        // Bits of the size that have no room were dropped.
        (Encoding::of(number, arch) == parts).then_some(number)
    }

    /// The values that make a number, if any do.
    #[must_use]
    pub fn decode(&self, parts: Encoding) -> Option<Vec<u32>> {
        let values = self.held(parts)?;
        Some(values.into_iter().take(self.names.len()).collect())
    }

    /// The values that a number holds: two at most, one in its nr and one in its size.
    pub(crate) fn held(&self, parts: Encoding) -> Option<[u32; 2]> {
        if parts.ty != self.ty || parts.dir != self.dir {
            return None;
        }
        let nr = match self.nr {
            Nr::Fixed(nr) if nr == parts.nr => None,
            Nr::Fixed(_) => return None,
            Nr::Plus { base, place, first, last } => {
                let value = parts.nr.checked_sub(base).filter(|value| (first..=last).contains(value))?;
                Some((place, u32::from(value)))
            }
        };
        let size = match self.size {
            Size::Fixed(size) if size == parts.size => None,
            Size::Times { bytes, place } if parts.size.is_multiple_of(bytes) => {
                Some((place, u32::from(parts.size / bytes)))
            }
            _ => return None,
        };
        let mut values = [0; 2];
        for (place, value) in nr.into_iter().chain(size) {
            *values.get_mut(place)? = value;
        }
        Some(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_values_agree() {
        let spi = Parameters::parse("n;0x6b;0x00;32*n;", Made::Iow, None).unwrap();
        for arch in Arch::ALL {
            let number = spi.encode(&[2], arch).unwrap();
            assert_eq!(spi.decode(Encoding::of(number, arch)), Some(vec![2]));
        }
        assert_eq!(spi.encode(&[2], Arch::X86_64), Some(0x4040_6b00));
        assert_eq!(spi.encode(&[u32::MAX], Arch::X86_64), None);
        assert_eq!(spi.encode(&[511], Arch::X86_64), Some(0x7fe0_6b00));
        assert_eq!(spi.encode(&[511], Arch::Mips), None);
        assert_eq!(spi.decode(Encoding::of(0x4021_6b00, Arch::X86_64)), None);
        let bits =
            Parameters::parse("ev,len;0x45;0x20+ev:0..0x1f;len;ev=EV", Made::Ioc, Some(Direction::Read))
                .unwrap();
        assert_eq!(bits.decode(Encoding::of(0x8060_4521, Arch::X86_64)), Some(vec![1, 96]));
        assert_eq!((bits.set(0), bits.set(1)), (Some("EV"), None));
    }

    #[test]
    fn malformed_parameters_are_none() {
        for text in [
            "n;0x6b;0x00;32;",
            "n;0x6b;0x00;0*n;",
            "n;0x6b;0xff+n:0..1;4;",
            "n;x;0x00;n;",
            "n;0x6b;0x0+m:0..1;n;",
            "",
        ] {
            assert_eq!(Parameters::parse(text, Made::Iow, None), None, "{text}");
        }
    }
}
