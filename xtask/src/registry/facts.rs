//! Matches facts that headers do not state against what they do: arguments of requests, and what fields hold. By hand come
//! `overlay/arguments.tsv`, `overlay/fields.tsv` and `overlay/subcommands.tsv`, which win; the tables in `data/facts`,
//! derived from syzkaller's descriptions, name types and fields in their own way and count only where a C type has them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::{Result, anyhow, bail, ensure};
use ioctl_registry::{Fact, definition::Type, glob_matches};

use super::{
    known_types::Types,
    overlay,
    sets::{Sets, Values},
};

/// What is wrong with tables by hand, all of it at once.
#[derive(Default)]
pub struct Problems(Vec<String>);

impl Problems {
    /// Notes an error.
    pub fn check(&mut self, result: Result<()>, place: impl FnOnce() -> String) {
        if let Err(error) = result {
            self.0.push(format!("{}: {error:#}", place()));
        }
    }

    /// Fails if there are any.
    ///
    /// # Errors
    ///
    /// With all of them.
    pub fn report(self) -> Result<()> {
        ensure!(self.0.is_empty(), "{}", self.0.join("\n"));
        Ok(())
    }
}

/// Direction, argument and where both come from.
pub type Argument = (String, String, &'static str);

/// What is known of arguments beside the headers.
pub struct Arguments {
    /// Header, globs of names, direction, argument.
    by_hand: Vec<[String; 5]>,
    used: BTreeSet<usize>,
    facts: BTreeMap<String, Vec<[String; 4]>>,
}

impl Arguments {
    /// Reads `overlay/arguments.tsv`, `overlay/corrections.tsv` and `facts/command_args.tsv`.
    ///
    /// # Errors
    ///
    /// When a table cannot be read, or an argument is no type.
    pub fn read(registry: &Path, types: &Types, problems: &mut Problems) -> Result<Self> {
        let mut by_hand: Vec<[String; 5]> = overlay::rows(&registry.join("overlay/arguments.tsv"))?;
        by_hand.extend(overlay::rows(&registry.join("overlay/corrections.tsv"))?);
        for [header, names, dir, arg, _] in &by_hand {
            let place = || format!("overlay/arguments.tsv or corrections.tsv: {header} {names}");
            let known = ["none", "read", "write", "read-write", "?"].contains(&dir.as_str());
            let direction = if known { Ok(()) } else { Err(anyhow!("no direction `{dir}`")) };
            problems.check(direction, place);
            if !arg.is_empty() && arg != "void" {
                problems.check(types.check(arg), place);
            }
        }
        let mut facts: BTreeMap<String, Vec<[String; 4]>> = BTreeMap::new();
        for row in overlay::rows::<4>(&registry.join("data/facts/command_args.tsv"))? {
            facts.entry(row[0].clone()).or_default().push(row);
        }
        Ok(Self { by_hand, used: BTreeSet::new(), facts })
    }

    /// What is known by hand of a request; an empty argument leaves what its macro says.
    pub fn by_hand(&mut self, header: &str, name: &str) -> Option<Argument> {
        let fits = |[of, names, ..]: &[String; 5]| {
            of == header && names.split(' ').any(|glob| glob_matches(glob, name))
        };
        let place = self.by_hand.iter().position(fits)?;
        self.used.insert(place);
        let [_, _, dir, arg, _] = self.by_hand.get(place)?;
        Some((dir.clone(), spell(arg), if arg.is_empty() { "" } else { "overlay" }))
    }

    /// What the facts say of a request, if all that they say is the same.
    pub fn said_by_facts(&self, name: &str, types: &Types) -> Option<Argument> {
        let mut said: Vec<Option<(&str, String)>> = Vec::new();
        for [_, _, kind, ty] in self.facts.get(name)? {
            let one = match kind.as_str() {
                "none" => Some(("none", "void".to_owned())),
                "value" => Some(("none", "=ulong".to_owned())),
                "ptr-in" => pointee(ty, types).map(|ty| ("write", ty)),
                "ptr-out" => pointee(ty, types).map(|ty| ("read", ty)),
                "ptr-inout" => pointee(ty, types).map(|ty| ("read-write", ty)),
                _ => None,
            };
            if !said.contains(&one) {
                said.push(one);
            }
        }
        match said.as_slice() {
            [Some((dir, arg))] => Some(((*dir).to_owned(), arg.clone(), "facts")),
            _ => None,
        }
    }

    /// Notes lines that select no request.
    pub fn check_used(&self, problems: &mut Problems) {
        let unused = self.by_hand.iter().enumerate().filter(|(place, _)| !self.used.contains(place));
        for (_, [header, names, ..]) in unused {
            let place = || format!("overlay/arguments.tsv or corrections.tsv: {header} {names}");
            problems.check(Err(anyhow!("no such request")), place);
        }
    }
}

/// C's own names of scalars as the tables spell them.
fn spell(arg: &str) -> String {
    let (value, arg) = match arg.strip_prefix('=') {
        Some(arg) => ("=", arg),
        None => ("", arg),
    };
    let split = arg.find('[').unwrap_or(arg.len());
    let (base, dimensions) = arg.split_at(split);
    let base = match base.trim() {
        "int" => "s32",
        "unsigned int" | "unsigned" => "u32",
        "short" => "s16",
        "unsigned short" => "u16",
        "unsigned char" => "u8",
        "signed char" => "s8",
        "unsigned long" | "size_t" => "ulong",
        "long long" => "s64",
        "unsigned long long" => "u64",
        other => other,
    };
    format!("{value}{base}{dimensions}")
}

/// A type that the facts point to, as the tables spell it.
fn pointee(fact: &str, types: &Types) -> Option<String> {
    let fact = fact.split(", opt").next().unwrap_or(fact).trim();
    if let Some(element) = fact.strip_prefix("array[").and_then(|rest| rest.strip_suffix(']')) {
        let element = element.split(", ").next().unwrap_or(element);
        return pointee(element, types).map(|element| format!("{element}[]"));
    }
    let scalar = match fact.split('[').next().unwrap_or(fact) {
        "int8" => "u8",
        "int16" => "u16",
        "int32" | "bool32" => "u32",
        "int64" => "u64",
        "intptr" | "boolptr" => "ulong",
        _ => return types.c_name(fact),
    };
    Some(scalar.to_owned())
}

/// The arguments of every request, by name: several where a name has several numbers.
pub type Requests = BTreeMap<String, Vec<String>>;

/// Reads the columns of name and argument of tables of requests.
pub fn requests(tables: [(&str, usize); 2]) -> Requests {
    let mut requests = Requests::new();
    for (table, column) in tables {
        for line in table.lines().filter(|line| !line.starts_with('#')) {
            let columns: Vec<&str> = line.split('\t').collect();
            let arg = columns.get(column).copied().unwrap_or_default();
            let name = columns.first().copied().unwrap_or_default();
            requests.entry(name.to_owned()).or_default().push(arg.to_owned());
        }
    }
    requests
}

/// Facts about fields: type, field, fact, detail.
pub struct Fields {
    /// The rows of `fields.tsv`.
    pub rows: BTreeSet<[String; 4]>,
    /// What is known by hand: type, field, what kind of fact.
    by_hand: BTreeSet<[String; 3]>,
    /// What is measured by hand: type, field.
    measured: BTreeSet<[String; 2]>,
    /// Sets that facts by hand name.
    sets: Vec<[String; 3]>,
    /// Facts whose type or field no header has, by table.
    pub unmatched: BTreeMap<&'static str, usize>,
}

impl Fields {
    /// Merges what is known by hand with the tables of facts; adds the sets of constants that these need.
    ///
    /// # Errors
    ///
    /// When a table cannot be read, or something by hand names what no header has.
    pub fn read(
        registry: &Path,
        types: &Types,
        requests: &Requests,
        values: &Values,
        sets: &mut Sets,
        problems: &mut Problems,
    ) -> Result<Self> {
        let mut fields = Self {
            rows: BTreeSet::new(),
            by_hand: BTreeSet::new(),
            measured: BTreeSet::new(),
            sets: Vec::new(),
            unmatched: BTreeMap::new(),
        };
        for [ty, field, fact, detail] in overlay::rows::<4>(&registry.join("overlay/fields.tsv"))? {
            let plain = fact.strip_prefix('-').unwrap_or(&fact);
            let place = || format!("overlay/fields.tsv: {ty} {field}");
            if plain.len() < fact.len() {
                let known = types.knows(&ty) || requests.contains_key(&ty);
                problems.check(if known { Ok(()) } else { Err(anyhow!("no such type")) }, place);
            } else {
                problems.check(sound(types, requests, &ty, &field, &fact, &detail), place);
            }
            fields.add_by_hand(ty, field, fact, detail);
        }
        let facts = registry.join("data/facts");
        for [ty, field, form] in overlay::rows::<3>(&facts.join("field_strings.tsv"))? {
            let text = form.starts_with("string");
            let matched = fields.place(types, &ty, &field).filter(|_| text);
            fields.count("strings", matched.is_some());
            if let Some((ty, field)) = matched {
                fields.add(&ty, &field, "string", String::new());
            }
        }
        for [ty, field, unit, measured] in overlay::rows::<4>(&facts.join("field_lengths.tsv"))? {
            let fact = match unit.as_str() {
                "len" => "count",
                "bytesize" => "bytes",
                _ => continue,
            };
            let matched = fields.place(types, &ty, &field).and_then(|(ty, field)| {
                let (measured, _) = types.field(&ty, &measured)?;
                Some((ty, field, measured))
            });
            fields.count("lengths", matched.is_some());
            if let Some((ty, field, measured)) = matched {
                fields.add(&ty, &field, fact, measured);
            }
        }
        for [ty, field, direction, target] in overlay::rows::<4>(&facts.join("field_pointers.tsv"))? {
            let direction = match direction.as_str() {
                "in" => "write",
                "out" => "read",
                _ => "read-write",
            };
            let matched = fields.place(types, &ty, &field).zip(pointee(&target, types));
            fields.count("pointers", matched.is_some());
            if let Some(((ty, field), target)) = matched {
                fields.add(&ty, &field, "pointer", format!("{direction} {target}"));
            }
        }
        for [ty, field, constants] in overlay::rows::<3>(&facts.join("field_flags.tsv"))? {
            let place = fields.place(types, &ty, &field);
            let known = |(ty, field): &(String, String)| {
                fields.by_hand.contains(&[ty.clone(), field.clone(), "set".to_owned()])
            };
            if place.as_ref().is_some_and(known) {
                continue;
            }
            let matched = place.and_then(|(ty, field)| {
                let set = sets.of_facts(values, &ty, &field, &constants)?;
                Some((ty, field, set))
            });
            fields.count("flags", matched.is_some());
            if let Some((ty, field, set)) = matched {
                fields.add(&ty, &field, "set", set);
            }
        }
        Ok(fields)
    }

    /// Type and path of a fact's field. A field whose C type is an enum says itself what it holds.
    fn place(&self, types: &Types, ty: &str, field: &str) -> Option<(String, String)> {
        let ty = types.c_name(ty)?;
        let (path, found) = types.field(&ty, field)?;
        let is_enum = matches!(found, Type::Enum(..))
            || matches!(found, Type::Named(name) if name.starts_with("enum "));
        (!is_enum).then_some((ty, path))
    }

    /// Adds what is known by hand. A field may be measured by several, and have several facts of different kinds.
    /// `-FACT` is none: it keeps others of its kind away.
    fn add_by_hand(&mut self, ty: String, field: String, fact: String, detail: String) {
        let none = fact.strip_prefix('-');
        self.by_hand.insert([ty.clone(), field.clone(), kind(none.unwrap_or(&fact)).to_owned()]);
        if none.is_some() {
            return;
        }
        match kind(&fact) {
            "length" => {
                self.measured.insert([ty.clone(), detail.clone()]);
            }
            "set" | "bitmap" | "index" => self.sets.push([ty.clone(), field.clone(), detail.clone()]),
            _ => {}
        }
        self.rows.insert([ty, field, fact, detail]);
    }

    /// Adds a fact unless one of its kind is known: what is known by hand wins, else what was added first. What is
    /// measured by hand nothing else measures.
    fn add(&mut self, ty: &str, field: &str, fact: &str, detail: String) {
        let [ty, field, fact] = [ty, field, fact].map(str::to_owned);
        let first = [ty.clone(), field.clone(), fact.clone(), String::new()];
        let mut known = self.rows.range(first..).take_while(|[of, at, ..]| *of == ty && *at == field);
        let measured = kind(&fact) == "length" && self.measured.contains(&[ty.clone(), detail.clone()]);
        let by_hand = self.by_hand.contains(&[ty.clone(), field.clone(), kind(&fact).to_owned()]);
        if !by_hand && !measured && !known.any(|[_, _, other, _]| *other == fact) {
            self.rows.insert([ty, field, fact, detail]);
        }
    }

    /// Notes sets that facts by hand name and that do not exist.
    pub fn check_sets(&self, sets: &Sets, problems: &mut Problems) {
        for [ty, field, set] in self.sets.iter().filter(|[_, _, set]| !sets.has(set)) {
            problems.check(Err(anyhow!("no set {set}")), || format!("overlay/fields.tsv: {ty} {field}"));
        }
    }

    fn count(&mut self, table: &'static str, matched: bool) {
        if !matched {
            *self.unmatched.entry(table).or_default() += 1;
        }
    }
}

/// What facts of a kind exclude each other.
fn kind(fact: &str) -> &str {
    match fact.split('*').next().unwrap_or(fact) {
        "count" | "bytes" | "tail" | "ioc" => "length",
        "pointer" | "string" => "address",
        other => other,
    }
}

/// Fails unless a fact by hand is about something that headers have.
fn sound(types: &Types, requests: &Requests, ty: &str, field: &str, fact: &str, detail: &str) -> Result<()> {
    let Some(read) = Fact::parse(fact, detail.to_owned().into()) else { bail!("no fact `{fact} {detail}`") };
    // A fact may be about a macro with a constant: `EVIOCGBIT(EV_KEY)`.
    let ty = ty.split('(').next().unwrap_or(ty);
    let bases: Vec<Type> = match requests.get(ty) {
        Some(args) => args.iter().filter_map(|arg| Type::parse(arg.trim_start_matches('=')).ok()).collect(),
        None => vec![Type::Named(ty.to_owned())],
    };
    let has = |path: &str| bases.iter().any(|base| types.has(base, path));
    if requests.contains_key(ty) && ["@arg", "*", "@ret"].contains(&field) {
        let fits = !matches!(
            read,
            Fact::Count(..)
                | Fact::Bytes(..)
                | Fact::Tail(_)
                | Fact::Start(_)
                | Fact::Ioc(_)
                | Fact::Next
                | Fact::NextFromFirst
                | Fact::Verbose
                | Fact::Reserved
        );
        // A result may be the number of bytes that were filled.
        let filled = field == "@ret" && matches!(&read, Fact::Bytes(whole, 1) if *whole == "*");
        ensure!(fits || filled, "`{fact}` is for fields alone");
        if filled {
            return Ok(());
        }
    } else {
        ensure!(has(field), "no such field");
    }
    match read {
        Fact::Count(path, _)
        | Fact::Bytes(path, _)
        | Fact::Tail(path)
        | Fact::Start(path)
        | Fact::Ioc(path) => ensure!(has(&path), "no field {path}"),
        Fact::After(other) => {
            let sibling =
                field.rsplit_once('.').map_or_else(|| other.to_string(), |(of, _)| format!("{of}.{other}"));
            ensure!(has(&sibling), "no field {other}");
        }
        Fact::Pointer(Some(_), target) | Fact::Of(target) => types.check(&target)?,
        _ => {}
    }
    Ok(())
}

/// A value that has no name.
fn parse_number(text: &str) -> Option<i128> {
    text.parse().ok()
}

/// The rows of `subcommands.tsv`: request or type, selector, name, value, type, direction. A line without a selector holds
/// whatever the argument says.
///
/// # Errors
///
/// When a line names a constant or a type that no header has.
pub fn subcommands(
    registry: &Path,
    types: &Types,
    requests: &Requests,
    values: &Values,
    problems: &mut Problems,
) -> Result<Vec<Vec<String>>> {
    let table = overlay::rows(&registry.join("overlay/subcommands.tsv"))?;
    let mut rows = selected(table, types, |name| requests.contains_key(name), values, problems);
    for [request, ty, dir] in overlay::rows::<3>(&registry.join("overlay/members.tsv"))? {
        problems.check(check_target(&ty, types), || format!("overlay/members.tsv: {request}"));
        let none = String::new();
        rows.push(vec![request, none.clone(), none.clone(), none, ty, dir]);
    }
    Ok(rows)
}

/// What values select: rows of `subcommands.tsv` from those by hand.
pub fn selected(
    table: Vec<[String; 6]>,
    types: &Types,
    is_request: impl Fn(&str) -> bool,
    values: &Values,
    problems: &mut Problems,
) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for [request, selector, name, ty, dir, header] in table {
        let place = || format!("sub-commands by hand: {request} {name}");
        let about = is_request(&request) || types.knows(&request);
        problems.check(if about { Ok(()) } else { Err(anyhow!("no such request or type")) }, place);
        problems.check(check_target(&ty, types), place);
        if name == "*" {
            rows.push(vec![request, selector, String::new(), name, spell(&ty), dir]);
            continue;
        }
        let found = match parse_number(&name) {
            Some(value) => vec![(String::new(), value)],
            None => values.matching(&header, &name),
        };
        let known = if found.is_empty() { Err(anyhow!("{header} has no such constant")) } else { Ok(()) };
        problems.check(known, place);
        for (name, value) in found {
            let value = if value < 0 { value.to_string() } else { format!("{value:#x}") };
            rows.push(vec![request.clone(), selector.clone(), name, value, spell(&ty), dir.clone()]);
        }
    }
    rows
}

/// The type that a sub-command selects, behind a member or a pointer if it says so: `T`, `.member`, `.member->T`,
/// `.member=T`, `[1]->T`.
pub fn target(text: &str) -> &str {
    let behind = text.rsplit_once("->").or_else(|| text.rsplit_once('='));
    match behind {
        Some((_, ty)) if ty.starts_with('.') => "",
        Some((_, ty)) => ty,
        None if text.starts_with('.') => "",
        None => text,
    }
}

/// Fails unless the type exists that a sub-command selects.
fn check_target(text: &str, types: &Types) -> Result<()> {
    let ty = target(text);
    if ty.is_empty() || ty == "void" { Ok(()) } else { types.check(ty) }
}

/// Names of plain values, as facts about fields of a request: `@arg` the argument by value, `*` the number that it points
/// to, `@ret` the result.
///
/// # Errors
///
/// When a line selects no constant.
pub fn value_sets(
    registry: &Path,
    values: &Values,
    sets: &mut Sets,
    fields: &mut Fields,
    problems: &mut Problems,
) -> Result<()> {
    for [request, field, kind, globs, header] in overlay::rows::<5>(&registry.join("overlay/value-sets.tsv"))?
    {
        let found = sets.by_globs(values, &format!("{request}.{field}"), kind == "flags", &header, &globs);
        let found = found.map(|set| fields.add(&request, &field, "set", set));
        problems.check(found, || format!("overlay/value-sets.tsv: {request} {field}"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{super::known_types::tests::types, *};

    #[test]
    fn facts_by_hand_are_of_something() {
        let types = types();
        let requests = Requests::from([("GET".to_owned(), vec!["struct a[2]".to_owned()])]);
        let sound = |ty, field, fact, detail| {
            sound(&types, &requests, ty, field, fact, detail).map_err(|e| e.to_string())
        };
        assert_eq!(sound("struct a", "s.c", "hex", ""), Ok(()));
        assert_eq!(sound("GET", "flags", "count*2", "s.b"), Ok(()));
        assert_eq!(sound("GET", "@ret", "fd", ""), Ok(()));
        assert_eq!(sound("struct a", "z", "hex", ""), Err("no such field".to_owned()));
        assert_eq!(sound("GET", "@ret", "count", "flags"), Err("`count` is for fields alone".to_owned()));
        assert_eq!(
            sound("struct a", "x", "pointer", "read struct z"),
            Err("`struct z` is not among the types".to_owned())
        );
        assert_eq!(sound("struct a", "x", "hexa", ""), Err("no fact `hexa `".to_owned()));
    }

    #[test]
    fn numbers_need_no_name() {
        assert_eq!([parse_number("0"), parse_number("-1"), parse_number("A_0")], [Some(0), Some(-1), None]);
    }

    #[test]
    fn facts_by_hand_win() {
        let (rows, by_hand, measured) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let mut fields = Fields { rows, by_hand, measured, sets: Vec::new(), unmatched: BTreeMap::new() };
        let by_hand = [
            ("n", "count", "a"),
            ("n", "count", "b"),
            ("p", "pointer", ""),
            ("f", "hex", ""),
            ("s", "-set", ""),
        ];
        for (field, fact, detail) in by_hand {
            fields.add_by_hand("T".into(), field.into(), fact.into(), detail.into());
        }
        for (field, fact, detail) in [
            ("n", "bytes", "c"),
            ("m", "count", "a"),
            ("p", "string", ""),
            ("f", "set", "F"),
            ("f", "set", "G"),
            ("s", "set", "F"),
        ] {
            fields.add("T", field, fact, detail.to_owned());
        }
        let rows: Vec<String> = fields.rows.iter().map(|[_, rest @ ..]| rest.join(" ")).collect();
        assert_eq!(rows, ["f hex ", "f set F", "n count a", "n count b", "p pointer "]);
    }

    #[test]
    fn pointees_become_types() {
        let types = types();
        assert_eq!(pointee("array[int8, 1:64]", &types).as_deref(), Some("u8[]"));
        assert_eq!(pointee("a$auto, opt", &types).as_deref(), Some("struct a"));
        assert_eq!(pointee("unknown", &types), None);
        assert_eq!(spell("unsigned int[4]"), "u32[4]");
        assert_eq!(spell("=int"), "=s32");
        assert_eq!(spell("struct a"), "struct a");
    }
}
