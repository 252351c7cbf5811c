//! The selectors and targets of `subcommands.tsv`, taken apart.

use crate::{facts::Subcommand, parse};

/// Where the value lies that says which sub-command is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    /// Where to look.
    pub base: Base,
    /// The bits that count; all of them if `None`.
    pub mask: Option<u64>,
    /// The type of what lies there, where the selector says it: `[0]=int`.
    pub ty: Option<String>,
}

/// Where a selector looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// The argument itself: `@arg`.
    Argument,
    /// The family of the socket that the request is sent to: `@domain`.
    Domain,
    /// Nowhere: it holds whenever the call has returned, `@answer`.
    Answer,
    /// Nowhere: it holds always.
    Always,
    /// A field of the argument. The first path is from the argument, as [`crate::Layout::place`] reads it; each further one is
    /// from what the pointer before it points to. Where the type of that is not known, `[N]` is one of several `ulong`
    /// and a name stands for the `u32` at its beginning.
    Field(Vec<String>),
}

/// What a sub-command says of the argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Of which part: paths as those of [`Base::Field`]. One that is empty is the whole.
    pub path: Vec<String>,
    /// What it says.
    pub what: What,
}

/// What a sub-command says of a part of the argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Nothing but its name.
    Nothing,
    /// It is the member in use of the union that has it.
    Member,
    /// It is the address of this type; of several where the type ends in `[]`.
    Pointee(String),
    /// Its bytes, and as many behind it as the type has, are of this type.
    Bytes(String),
}

impl Selector {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let always = |base| Some(Self { base, mask: None, ty: None });
        match text {
            "" => return always(Base::Always),
            "@arg" => return always(Base::Argument),
            "@domain" => return always(Base::Domain),
            "@answer" => return always(Base::Answer),
            _ => {}
        }
        let (text, ty) = match text.split_once('=') {
            Some((text, ty)) => (text, Some(ty.to_owned())),
            None => (text, None),
        };
        let (text, mask) = match text.split_once('&') {
            Some((text, mask)) => (text, Some(u64::try_from(parse::integer(mask)?).ok()?)),
            None => (text, None),
        };
        if text.starts_with('@') {
            return None;
        }
        Some(Self { base: Base::Field(paths(text)?), mask, ty })
    }
}

impl Target {
    /// A target's text; `T` alone is what the selector's last pointer points to.
    pub(crate) fn parse(text: &str, selector: &Selector) -> Option<Self> {
        let one = |path: Vec<String>, what| Some(Self { path, what });
        if text.is_empty() || text == "void" {
            return one(vec![String::new()], What::Nothing);
        }
        if let Some(path) = text.strip_prefix('.').filter(|path| !path.is_empty()) {
            if let Some((path, ty)) = path.rsplit_once("->") {
                return match ty.strip_prefix('.') {
                    Some(member) => one(paths(&format!("{path}->{member}"))?, What::Member),
                    None => one(paths(path)?, What::Pointee(some(ty)?)),
                };
            }
            return match path.split_once('=') {
                Some((path, ty)) => {
                    let paths = if path.is_empty() { vec![String::new()] } else { paths(path)? };
                    one(paths, What::Bytes(some(ty)?))
                }
                None => one(paths(path)?, What::Member),
            };
        }
        if let Some((path, ty)) = text.split_once('=') {
            let paths = if path.is_empty() { vec![String::new()] } else { paths(path)? };
            return one(paths, What::Bytes(some(ty)?));
        }
        let behind = match &selector.base {
            Base::Field(paths) => paths.split_last().map(|(_, before)| before).unwrap_or_default(),
            _ => &[],
        };
        match behind {
            [] => one(vec![String::new()], What::Bytes(text.to_owned())),
            behind => one(behind.to_vec(), What::Pointee(text.to_owned())),
        }
    }
}

impl Subcommand {
    /// The selector, taken apart.
    ///
    /// ```
    /// use ioctl_registry::{Base, Registry, What};
    ///
    /// let registry = Registry::builtin();
    /// let command = registry.subcommands_of("SIOCETHTOOL").find(|command| command.name == "ETHTOOL_GDRVINFO").unwrap();
    /// let selector = command.selector().unwrap();
    /// assert_eq!(selector.base, Base::Field(vec!["ifr_ifru.ifru_data".into(), "cmd".into()]));
    /// let target = command.target().unwrap();
    /// assert_eq!(target.path, ["ifr_ifru.ifru_data"]);
    /// assert_eq!(target.what, What::Pointee("struct ethtool_drvinfo".into()));
    /// ```
    #[must_use]
    pub fn selector(&self) -> Option<Selector> {
        Selector::parse(self.selector)
    }

    /// What it says of the argument, taken apart.
    #[must_use]
    pub fn target(&self) -> Option<Target> {
        Target::parse(self.arg, &self.selector()?)
    }
}

/// Paths that `->` separates; none of them may be empty.
fn paths(text: &str) -> Option<Vec<String>> {
    text.split("->").map(some).collect()
}

fn some(text: &str) -> Option<String> {
    Some(text).filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(selector: &str, text: &str) -> Target {
        Target::parse(text, &Selector::parse(selector).unwrap()).unwrap()
    }

    #[test]
    fn selectors_have_their_parts() {
        let masked = Selector::parse("flags&0xffff").unwrap();
        assert_eq!((masked.base, masked.mask), (Base::Field(vec!["flags".into()]), Some(0xffff)));
        assert_eq!(Selector::parse("flags&8").unwrap().mask, Some(8));
        let typed = Selector::parse("[0]=int").unwrap();
        assert_eq!((typed.base, typed.ty.as_deref()), (Base::Field(vec!["[0]".into()]), Some("int")));
        assert_eq!(Selector::parse("@answer").unwrap().base, Base::Answer);
        assert_eq!(Selector::parse("").unwrap().base, Base::Always);
        assert!(Selector::parse("@what").is_none() && Selector::parse("a->").is_none());
    }

    #[test]
    fn targets_have_their_parts() {
        let of = |path: &[&str], what| Target { path: path.iter().map(|&path| path.into()).collect(), what };
        assert_eq!(target("type", ".fmt.pix"), of(&["fmt.pix"], What::Member));
        assert_eq!(target("op", ".data->struct a[]"), of(&["data"], What::Pointee("struct a[]".into())));
        assert_eq!(target("size", ".data->.block"), of(&["data", "block"], What::Member));
        assert_eq!(target("a->q", ".a->p->u32[]"), of(&["a", "p"], What::Pointee("u32[]".into())));
        assert_eq!(target("a->[0]", "ulong[4]"), of(&["a"], What::Pointee("ulong[4]".into())));
        assert_eq!(target("[0]", ".[1]=char"), of(&["[1]"], What::Bytes("char".into())));
        assert_eq!(target("[0]", "[1]=char"), of(&["[1]"], What::Bytes("char".into())));
        assert_eq!(target("f", "=struct b"), of(&[""], What::Bytes("struct b".into())));
        assert_eq!(target("@answer", ".=char[9]"), of(&[""], What::Bytes("char[9]".into())));
        assert_eq!(target("@domain", "struct b"), of(&[""], What::Bytes("struct b".into())));
        assert_eq!(target("x", "").what, What::Nothing);
    }
}
