//! A tree into nodes that can be evaluated: names are looked up, and everything is made sure to fit.

use std::{collections::HashSet, ops::Range, rc::Rc};

use ioctl_registry::{Registry, Request};
use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use nix::unistd::User;
use regex::bytes::{Regex, RegexBuilder};

use super::{
    Node, Subject, Test,
    check::{Check, Constants, Number, Relation, Wanted},
    error::Mistake,
    names::Names,
    path::{Step, steps},
    syntax::{self, Operand, Operator, Spanned, Tree},
    token,
};
use crate::{
    errno,
    field::{Cost, FieldId, Kind},
    suggest::did_you_mean,
};

/// Regular expressions in one expression, and bytes of each when compiled.
const MAX_REGEXES: usize = 64;
const MAX_REGEX_SIZE: usize = 1 << 18;
/// Bytes of a thread's name, without the NUL that ends it.
const MAX_COMM: usize = ioctl_trace_ebpf::COMM_LEN - 1;
/// Error numbers are below this.
const ERRNOS: i32 = 4_096;

pub(super) struct Compiler {
    registry: &'static Registry,
    names: Rc<Names>,
    regexes: usize,
}

impl Compiler {
    pub fn new(registry: &'static Registry) -> Self {
        Self { registry, names: Rc::new(Names::new(registry)), regexes: 0 }
    }

    pub fn node(&mut self, tree: &Tree) -> Result<Node, Mistake> {
        Ok(match tree {
            Tree::All(parts) => Node::All(self.nodes(parts)?),
            Tree::Any(parts) => Node::Any(self.nodes(parts)?),
            Tree::Not(inner) => Node::Not(Box::new(self.node(inner)?)),
            Tree::Constant(value) => Node::Constant(*value),
            Tree::Test(test) => Node::Test(Box::new(self.test(test)?)),
        })
    }

    /// Cheap ones first: they decide without what the others cost.
    fn nodes(&mut self, parts: &[Tree]) -> Result<Vec<Node>, Mistake> {
        let mut nodes = parts.iter().map(|part| self.node(part)).collect::<Result<Vec<_>, _>>()?;
        nodes.sort_by_key(Node::cost);
        Ok(nodes)
    }

    fn test(&mut self, test: &syntax::Test) -> Result<Test, Mistake> {
        let field = &test.field;
        if let Some(id) = FieldId::find(&field.value)
            && id != FieldId::Argument
        {
            let kind = id.definition().kind;
            if kind == Kind::Request {
                return self.request(test);
            }
            if kind != Kind::Value {
                let check = self.check(test, id)?;
                return Ok(Test { subject: Subject::Field(id), check });
            }
        }
        let (id, path) = self.part(field)?;
        let check = self.argument_check(test)?;
        Ok(Test { subject: Subject::Part(id, path), check })
    }

    /// The part of an argument that a name such as `arg.fmt.pix.width` means.
    fn part(&self, field: &Spanned<String>) -> Result<(FieldId, Vec<Step>), Mistake> {
        let name = field.value.as_str();
        let end = name.find(['.', '[']).unwrap_or(name.len());
        let (root, path) = name.split_at(end);
        let id = match root {
            "arg" => FieldId::Argument,
            "in" => FieldId::In,
            "out" => FieldId::Out,
            "result" => FieldId::Result,
            _ => {
                let known = FieldId::ALL.iter().flat_map(|id| id.names());
                let mut close = did_you_mean(name, known);
                if close.is_empty() {
                    close = if self.names.member(root).is_ok() {
                        format!("; of the argument that is `arg.{name}`")
                    } else {
                        "; `ioctl-trace fields` lists them".to_owned()
                    };
                }
                return Err(Mistake::new(&field.span, format!("there is no field `{name}`{close}")));
            }
        };
        let path = steps(path)
            .ok_or_else(|| Mistake::new(&field.span, "this is no path, such as arg.msgs[0].len"))?;
        let mut at = field.span.start + end;
        for step in &path {
            let length = match step {
                Step::Name(name) => 1 + name.len(),
                Step::Index(_) | Step::Any => field
                    .value
                    .get(at - field.span.start..)
                    .and_then(|rest| rest.find(']'))
                    .map_or(1, |end| end + 1),
            };
            if let Step::Name(name) = step {
                self.names.member(name).map_err(|message| Mistake::new(&(at + 1..at + length), message))?;
            }
            at += length;
        }
        Ok((id, path))
    }

    /// What is asked of a field of the call itself.
    fn check(&mut self, test: &syntax::Test, id: FieldId) -> Result<Check, Mistake> {
        let kind = id.definition().kind;
        let Some(operator) = &test.operator else { return Ok(Check::Exists) };
        let is_text = matches!(kind, Kind::Text | Kind::Texts | Kind::Word(_));
        let ordered = !is_text && kind != Kind::Truth;
        let fits = match operator.value {
            Operator::Exists | Operator::Equal | Operator::NotEqual | Operator::In | Operator::NotIn => true,
            Operator::Less | Operator::LessEqual | Operator::Greater | Operator::GreaterEqual => ordered,
            Operator::Glob | Operator::Regex => is_text || kind == Kind::Errno,
            Operator::Has => is_text || matches!(kind, Kind::Integer | Kind::Size | Kind::Address),
        };
        if !fits {
            let suited = match kind {
                Kind::Truth => "stands alone, or goes with == and !=",
                Kind::Errno => "goes with ==, !=, in, < and >, ~ and =~",
                _ if is_text => "goes with ==, !=, in, has, ~ (glob) and =~ (regular expression)",
                Kind::Duration | Kind::Time => "goes with ==, !=, in, < and >",
                _ => "goes with ==, !=, in, has, < and >",
            };
            let message = format!("`{}` holds a {} and {suited}", test.field.value, kind.as_str());
            return Err(Mistake::new(&operator.span, message));
        }
        let name = test.field.value.clone();
        let exact =
            matches!(operator.value, Operator::Equal | Operator::NotEqual | Operator::In | Operator::NotIn);
        if id == FieldId::Family && exact {
            let registry = self.registry;
            return self.build(test, operator.value, &mut |operand| family(&name, registry, operand));
        }
        self.build(test, operator.value, &mut |operand| wanted(&name, id, kind, operand))
    }

    /// What is asked of a part of an argument.
    fn argument_check(&mut self, test: &syntax::Test) -> Result<Check, Mistake> {
        let Some(operator) = &test.operator else { return Ok(Check::Exists) };
        let names = Rc::clone(&self.names);
        self.build(test, operator.value, &mut |operand| argument_wanted(&names, operand))
    }

    fn build(
        &mut self,
        test: &syntax::Test,
        operator: Operator,
        wanted: &mut dyn FnMut(&Spanned<Operand>) -> Result<Wanted, Mistake>,
    ) -> Result<Check, Mistake> {
        let Some(first) = test.operands.first() else { return Ok(Check::Exists) };
        let mut all = || test.operands.iter().map(&mut *wanted).collect::<Result<Vec<_>, _>>();
        let relation = match operator {
            Operator::Exists => return Ok(Check::Exists),
            Operator::Equal | Operator::In => return Ok(Check::Is(all()?)),
            Operator::NotEqual | Operator::NotIn => return Ok(Check::IsNot(all()?)),
            Operator::Glob => return pattern(first).map(Check::Glob),
            Operator::Regex => return self.regex(first).map(Check::Regex),
            Operator::Has => return wanted(first).map(Check::Has),
            Operator::Less => Relation::Less,
            Operator::LessEqual => Relation::LessEqual,
            Operator::Greater => Relation::Greater,
            Operator::GreaterEqual => Relation::GreaterEqual,
        };
        match wanted(first)? {
            Wanted::Number(number) => Ok(Check::Order(relation, number)),
            _ => Err(Mistake::new(&first.span, "only numbers are smaller or greater than others")),
        }
    }

    fn regex(&mut self, operand: &Spanned<Operand>) -> Result<Regex, Mistake> {
        let text = pattern(operand)?;
        self.regexes += 1;
        if self.regexes > MAX_REGEXES {
            return Err(Mistake::new(&operand.span, format!("more than {MAX_REGEXES} regular expressions")));
        }
        RegexBuilder::new(&text).size_limit(MAX_REGEX_SIZE).build().map_err(|error| {
            let message = match error {
                regex::Error::CompiledTooBig(_) => "this regular expression is too large".to_owned(),
                // The last line of the error says what is wrong; those before draw the place.
                error => {
                    let text = error.to_string();
                    let last = text.lines().last().unwrap_or_default();
                    format!("this is no regular expression: {}", last.trim_start_matches("error: "))
                }
            };
            Mistake::new(&operand.span, message)
        })
    }

    /// A test of the request becomes a set of names and numbers.
    fn request(&mut self, test: &syntax::Test) -> Result<Test, Mistake> {
        let (mut names, mut numbers) = (HashSet::new(), HashSet::new());
        let registry = self.registry;
        let operator = test.operator.as_ref();
        let mut negated = false;
        match operator.map(|operator| operator.value) {
            None | Some(Operator::Exists) => {
                return Ok(Test { subject: Subject::Field(FieldId::Request), check: Check::Exists });
            }
            Some(Operator::Equal | Operator::In) => {}
            Some(Operator::NotEqual | Operator::NotIn) => negated = true,
            Some(Operator::Glob) => {
                let operand = test.operands.first();
                let text = operand.map(pattern).transpose()?.unwrap_or_default();
                let found = registry.of_all().into_iter().flat_map(|registry| registry.matching(&text));
                names.extend(found.map(Request::name));
            }
            Some(Operator::Regex) => {
                let operand = test.operands.first();
                if let Some(regex) = operand.map(|operand| self.regex(operand)).transpose()? {
                    let found = registry.of_all().into_iter().flat_map(Registry::requests).map(Request::name);
                    names.extend(found.filter(|name| regex.is_match(name.as_bytes())));
                }
            }
            Some(_) => {
                let span = operator.map_or(&test.field.span, |operator| &operator.span);
                let message = "a request goes with ==, !=, in, ~ (glob) and =~ (regular expression)";
                return Err(Mistake::new(span, message));
            }
        }
        let by_pattern = matches!(operator.map(|it| it.value), Some(Operator::Glob | Operator::Regex));
        for operand in &test.operands {
            let mistake = |message: String| Mistake::new(&operand.span, message);
            match &operand.value {
                _ if by_pattern && names.is_empty() => {
                    return Err(mistake("no ioctl request matches this".to_owned()));
                }
                _ if by_pattern => {}
                Operand::Number(token::Number::Integer(number)) => {
                    let number = u32::try_from(*number);
                    numbers.insert(number.map_err(|_| mistake("a request's number has 32 bits".to_owned()))?);
                }
                Operand::Word(name) => names.extend([named(name, registry).map_err(mistake)?]),
                Operand::Text(name) => {
                    names.extend([named(&String::from_utf8_lossy(name), registry).map_err(mistake)?]);
                }
                _ => return Err(mistake("a request is a name or a number".to_owned())),
            }
        }
        Ok(Test { subject: Subject::Requests { names, numbers, negated }, check: Check::Exists })
    }
}

/// The name of a request, of which this may be an alias.
fn named(name: &str, registry: &'static Registry) -> Result<&'static str, String> {
    if let Some(request) = registry.of_all().into_iter().find_map(|registry| registry.find(name)) {
        return Ok(request.name());
    }
    let known = registry.of_all().into_iter().flat_map(Registry::requests).map(Request::name);
    let close = did_you_mean(name, known);
    let close = if close.is_empty() && name.contains(['*', '?', '[']) {
        "; patterns stand behind `~`".to_owned()
    } else {
        close
    };
    Err(format!("no ioctl request is named `{name}`{close}"))
}

/// The text of a pattern.
fn pattern(operand: &Spanned<Operand>) -> Result<String, Mistake> {
    match &operand.value {
        Operand::Text(bytes) => String::from_utf8(bytes.clone())
            .map_err(|_| Mistake::new(&operand.span, "a pattern is text in UTF-8")),
        Operand::Word(word) => Ok(word.clone()),
        Operand::Number(_) | Operand::Bits(..) => {
            Err(Mistake::new(&operand.span, "a pattern is expected here: text in quotes"))
        }
    }
}

/// What a field of the call itself is compared with.
fn wanted(name: &str, id: FieldId, kind: Kind, operand: &Spanned<Operand>) -> Result<Wanted, Mistake> {
    let mistake = |message: String| Err(Mistake::new(&operand.span, message));
    let number = |number| Ok(Wanted::Number(Number::Integer(number)));
    match (kind, &operand.value) {
        (Kind::Text | Kind::Texts | Kind::Word(_), Operand::Word(word)) => {
            text(name, id, kind, word.as_bytes(), &operand.span)
        }
        (Kind::Text | Kind::Texts | Kind::Word(_), Operand::Text(bytes)) => {
            text(name, id, kind, bytes, &operand.span)
        }
        (Kind::Text | Kind::Texts | Kind::Word(_), _) => {
            mistake(format!("`{name}` holds text: put this in quotes"))
        }
        (Kind::Duration, Operand::Number(token::Number::Duration(ns))) => number(*ns),
        // Its own name has the unit.
        (Kind::Duration, Operand::Number(token::Number::Integer(ns)))
            if *ns == 0 || name.ends_with("_ns") =>
        {
            number(*ns)
        }
        (Kind::Duration, Operand::Number(token::Number::Integer(ns))) => {
            mistake(format!("`{name}` is a duration, which needs a unit: {ns}ns, {ns}us, {ns}ms or {ns}s"))
        }
        (Kind::Time, Operand::Number(token::Number::Integer(seconds))) => {
            number(seconds.saturating_mul(1_000_000_000))
        }
        (Kind::Time, Operand::Number(token::Number::Float(seconds))) => number((seconds * 1e9) as i128),
        (Kind::Time, Operand::Text(text)) => match time(&String::from_utf8_lossy(text)) {
            Some(ns) => number(ns),
            None => mistake(
                "this is no time, such as '2026-11-20T23:40:01Z', or '2026-11-20 23:40' here".to_owned(),
            ),
        },
        (Kind::Time | Kind::Duration, _) => {
            mistake(format!("`{name}` is a {}, and this is none", kind.as_str()))
        }
        (Kind::Truth, Operand::Word(word)) if word == "true" || word == "false" => {
            number((word == "true").into())
        }
        (Kind::Truth, Operand::Number(token::Number::Integer(value @ (0 | 1)))) => number(*value),
        (Kind::Truth, _) => mistake(format!("`{name}` is true or false")),
        (_, Operand::Number(token::Number::Integer(value))) => number(*value),
        (_, Operand::Number(token::Number::Float(value))) => Ok(Wanted::Number(Number::Float(*value))),
        (_, Operand::Number(token::Number::Duration(_))) => {
            mistake(format!("`{name}` is no duration; the time that a call took is `dur`"))
        }
        (Kind::Errno, Operand::Word(word)) => errno_of(word).map(Wanted::Number).or_else(mistake),
        (Kind::Errno, Operand::Text(word)) => {
            errno_of(&String::from_utf8_lossy(word)).map(Wanted::Number).or_else(mistake)
        }
        (_, Operand::Bits(names, bits)) if names.is_empty() => number((*bits).into()),
        (_, Operand::Text(text)) if id == FieldId::Type && text.len() == 1 => {
            number(text.first().copied().unwrap_or_default().into())
        }
        (_, Operand::Word(user)) if id == FieldId::Uid => uid(user).map(Wanted::Number).or_else(mistake),
        (_, Operand::Text(user)) if id == FieldId::Uid => {
            uid(&String::from_utf8_lossy(user)).map(Wanted::Number).or_else(mistake)
        }
        // As `ret == ENOTTY` would be: the number is negative there, and the name is not.
        (_, Operand::Word(word)) if id == FieldId::Ret && errno_of(word).is_ok() => {
            mistake(format!("`ret` is a number: errors by name are `errno == {word}`"))
        }
        (_, Operand::Word(_) | Operand::Text(_) | Operand::Bits(..)) => {
            mistake(format!("`{name}` is a number, and this is none"))
        }
    }
}

/// A family that there is.
fn family(name: &str, registry: &Registry, operand: &Spanned<Operand>) -> Result<Wanted, Mistake> {
    let wanted = wanted(name, FieldId::Family, Kind::Texts, operand)?;
    if let Wanted::Text(text) = &wanted {
        let text = String::from_utf8_lossy(text);
        if registry.of_all().into_iter().all(|registry| registry.families().all(|known| known != text)) {
            let mut close = did_you_mean(&text, registry.families());
            if close.is_empty() {
                close = "; `ioctl-trace list --families` shows all".to_owned();
            }
            return Err(Mistake::new(&operand.span, format!("no family is named `{text}`{close}")));
        }
    }
    Ok(wanted)
}

fn text(name: &str, id: FieldId, kind: Kind, bytes: &[u8], span: &Range<usize>) -> Result<Wanted, Mistake> {
    if let Kind::Word(words) = kind
        && !words.iter().any(|word| word.as_bytes() == bytes)
    {
        let message = format!("`{name}` is one of {}", words.join(", "));
        return Err(Mistake::new(span, message));
    }
    if id == FieldId::Comm && bytes.len() > MAX_COMM {
        let short = String::from_utf8_lossy(bytes.get(..MAX_COMM).unwrap_or_default()).into_owned();
        let message = format!("the kernel keeps {MAX_COMM} bytes of a name: `{short}`");
        return Err(Mistake::new(span, message));
    }
    Ok(Wanted::Text(bytes.to_vec()))
}

fn errno_of(name: &str) -> Result<Number, String> {
    if let Some(number) = (1..ERRNOS).find(|number| errno::name(*number) == name) {
        return Ok(Number::Integer(number.into()));
    }
    // Two names of one number.
    match name {
        "EWOULDBLOCK" => return errno_of("EAGAIN"),
        "ENOTSUP" => return errno_of("EOPNOTSUPP"),
        "EDEADLOCK" => return errno_of("EDEADLK"),
        _ => {}
    }
    let known: Vec<_> = (1..ERRNOS).map(errno::name).filter(|name| name.starts_with('E')).collect();
    let close = did_you_mean(name, known.iter().map(|name| &**name));
    Err(format!("no error is named `{name}`{close}"))
}

fn uid(name: &str) -> Result<Number, String> {
    match User::from_name(name) {
        Ok(Some(user)) => Ok(Number::Integer(user.uid.as_raw().into())),
        _ => Err(format!("there is no user `{name}`")),
    }
}

/// Nanoseconds since the beginning of 1970, of a time with its distance from UTC or of one here.
fn time(text: &str) -> Option<i128> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time.as_nanosecond());
    }
    let time: DateTime = text.parse().ok()?;
    time.to_zoned(TimeZone::system()).ok().map(|time| time.timestamp().as_nanosecond())
}

/// What a part of an argument is compared with.
fn argument_wanted(names: &Names, operand: &Spanned<Operand>) -> Result<Wanted, Mistake> {
    let constant =
        |name: &str, span: &Range<usize>| names.constant(name).map_err(|message| Mistake::new(span, message));
    Ok(match &operand.value {
        Operand::Number(token::Number::Integer(number)) => Wanted::Number(Number::Integer(*number)),
        Operand::Number(token::Number::Float(number)) => Wanted::Number(Number::Float(*number)),
        Operand::Number(token::Number::Duration(_)) => {
            let message = "the unit of an argument's field is not known: give a number as it stands there";
            return Err(Mistake::new(&operand.span, message));
        }
        Operand::Text(text) => Wanted::Text(text.clone()),
        Operand::Word(word) if word == "true" || word == "false" => {
            Wanted::Number(Number::Integer((word == "true").into()))
        }
        Operand::Word(word) => {
            Wanted::Constants(Constants { names: vec![constant(word, &operand.span)?], bits: 0 })
        }
        Operand::Bits(names, bits) => {
            let names = names.iter().map(|name| constant(&name.value, &name.span));
            Wanted::Constants(Constants { names: names.collect::<Result<_, _>>()?, bits: *bits })
        }
    })
}

impl Node {
    /// What it takes to answer; a slow comparison counts a little more than a quick one.
    fn cost(&self) -> (Cost, bool) {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                parts.iter().map(Self::cost).max().unwrap_or((Cost::None, false))
            }
            Self::Not(inner) => inner.cost(),
            Self::Constant(_) => (Cost::None, false),
            Self::Test(test) => (test.field().definition().cost, test.check.is_slow()),
        }
    }
}
