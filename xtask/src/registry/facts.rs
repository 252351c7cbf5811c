//! Matches facts that headers do not state against what they do: arguments of requests, and what fields hold. By hand come
//! `overlay/arguments.tsv`, `overlay/fields.tsv` and `overlay/subcommands.tsv`, which win; the tables in `data/facts`,
//! derived from syzkaller's descriptions, name types and fields in their own way and count only where a C type has them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use ioctl_registry::{
    definition::{Record, Type},
    glob_matches,
};

use super::{
    overlay,
    sets::{Sets, Values},
};

/// The types of the table, by name.
pub struct Types {
    by_name: BTreeMap<String, Type>,
}

impl Types {
    /// Reads rows of `types.tsv`: name, architectures, definition. Architectures differ in layout, hardly in fields.
    ///
    /// # Errors
    ///
    /// When a definition cannot be read.
    pub fn new(rows: &[[String; 3]]) -> Result<Self> {
        let mut by_name = BTreeMap::new();
        for [name, _, definition] in rows {
            let ty = Type::parse(definition).with_context(|| format!("types.tsv: {name}"))?;
            by_name.entry(name.clone()).or_insert(ty);
        }
        Ok(Self { by_name })
    }

    /// The C name of a type of the facts: those add `$…` and `_in`, `_out` or a number where they describe one type twice.
    fn c_name(&self, fact: &str) -> Option<String> {
        let plain = fact.split('$').next().unwrap_or(fact);
        let undirected = ["_in", "_out", "_inout"].iter().find_map(|suffix| plain.strip_suffix(suffix));
        let unnumbered = plain.trim_end_matches(|symbol: char| symbol.is_ascii_digit() || symbol == '_');
        [Some(plain), undirected, Some(unnumbered)].into_iter().flatten().find_map(|plain| {
            let names = [format!("struct {plain}"), format!("union {plain}"), plain.to_owned()];
            names.into_iter().find(|name| self.by_name.contains_key(name))
        })
    }

    /// Path and type of a field, looked for in aggregates without a name of their own too; none if several have it.
    fn field(&self, ty: &str, field: &str) -> Option<(String, &Type)> {
        let Type::Record(record) = self.by_name.get(ty)? else { return None };
        let mut found = Vec::new();
        search(record, field, "", &mut found);
        let direct = found.iter().position(|(path, _)| path == field);
        match direct {
            Some(place) => Some(found.swap_remove(place)),
            None if found.len() == 1 => found.pop(),
            None => None,
        }
    }

    /// Fails unless every type that an argument names is in the table.
    fn check(&self, arg: &str) -> Result<()> {
        let ty = Type::parse(arg.trim_start_matches('=')).with_context(|| format!("`{arg}` is no type"))?;
        let mut names = Vec::new();
        named(&ty, &mut names);
        match names.into_iter().find(|name| !self.by_name.contains_key(name)) {
            Some(name) => bail!("`{name}` is not among the types"),
            None => Ok(()),
        }
    }
}

fn search<'a>(record: &'a Record, field: &str, path: &str, found: &mut Vec<(String, &'a Type)>) {
    for member in &record.fields {
        let inner = if member.name.is_empty() || path.is_empty() {
            format!("{path}{}", member.name)
        } else {
            format!("{path}.{}", member.name)
        };
        if member.name == field {
            found.push((inner.clone(), &member.ty));
        }
        if let Type::Record(record) = &member.ty {
            search(record, field, &inner, found);
        }
    }
}

fn named(ty: &Type, names: &mut Vec<String>) {
    match ty {
        Type::Named(name) => names.push(name.clone()),
        Type::Array(element, _) => named(element, names),
        _ => {}
    }
}

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

/// Facts about fields: type, field, fact, detail.
pub struct Fields {
    /// The rows of `fields.tsv`.
    pub rows: BTreeMap<[String; 3], String>,
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
        values: &Values,
        sets: &mut Sets,
        problems: &mut Problems,
    ) -> Result<Self> {
        let mut fields = Self { rows: BTreeMap::new(), unmatched: BTreeMap::new() };
        for [ty, field, fact, detail] in overlay::rows::<4>(&registry.join("overlay/fields.tsv"))? {
            let sound = sound(types, sets, &ty, &field, &fact, &detail);
            problems.check(sound, || format!("overlay/fields.tsv: {ty} {field}"));
            fields.add(&ty, &field, &fact, detail);
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
            let matched = fields.place(types, &ty, &field).and_then(|(ty, field)| {
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

    /// Adds a fact unless one of that kind is known: what was added first wins.
    fn add(&mut self, ty: &str, field: &str, fact: &str, detail: String) {
        let key = [ty.to_owned(), field.to_owned(), fact.to_owned()];
        self.rows.entry(key).or_insert(detail);
    }

    fn count(&mut self, table: &'static str, matched: bool) {
        if !matched {
            *self.unmatched.entry(table).or_default() += 1;
        }
    }
}

/// Fails unless a fact by hand is about something that headers have.
fn sound(types: &Types, sets: &Sets, ty: &str, field: &str, fact: &str, detail: &str) -> Result<()> {
    ensure!(types.field(ty, field).is_some(), "no such field");
    match fact {
        "set" => ensure!(sets.has(detail), "no set {detail}"),
        "count" | "bytes" => ensure!(types.field(ty, detail).is_some(), "no field {detail}"),
        "string" => ensure!(detail.is_empty(), "`string` stands alone"),
        "pointer" => detail.split_once(' ').map_or(Ok(()), |(_, target)| types.check(target))?,
        other => bail!("no fact `{other}`"),
    }
    Ok(())
}

/// The rows of `subcommands.tsv`: request, selector, name, value, type, direction. A line without a selector holds
/// whatever the argument says.
///
/// # Errors
///
/// When a line names a constant or a type that no header has.
pub fn subcommands(
    registry: &Path,
    types: &Types,
    values: &Values,
    problems: &mut Problems,
) -> Result<Vec<Vec<String>>> {
    let mut rows = Vec::new();
    for [request, selector, name, ty, dir, header] in
        overlay::rows::<6>(&registry.join("overlay/subcommands.tsv"))?
    {
        let place = || format!("overlay/subcommands.tsv: {request} {name}");
        problems.check(check_target(&ty, types), place);
        let found = values.matching(&header, &name);
        let known = if found.is_empty() { Err(anyhow!("{header} has no such constant")) } else { Ok(()) };
        problems.check(known, place);
        for (name, value) in found {
            let value = if value < 0 { value.to_string() } else { format!("{value:#x}") };
            rows.push(vec![request.clone(), selector.clone(), name, value, spell(&ty), dir.clone()]);
        }
    }
    for [request, ty, dir] in overlay::rows::<3>(&registry.join("overlay/members.tsv"))? {
        problems.check(check_target(&ty, types), || format!("overlay/members.tsv: {request}"));
        let none = String::new();
        rows.push(vec![request, none.clone(), none.clone(), none, ty, dir]);
    }
    Ok(rows)
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
    use super::*;

    fn types() -> Types {
        let rows = [
            ["struct a", "", "struct{u32 flags;union{u32 x;struct{u8 b[2];u16 c;}s;};}"],
            ["struct b_in", "", "struct{u32 y;}"],
            ["union u", "", "union{u32 flags;}"],
        ];
        Types::new(&rows.map(|row| row.map(str::to_owned))).unwrap()
    }

    #[test]
    fn names_of_the_facts_become_c_names() {
        let types = types();
        assert_eq!(types.c_name("a_in").as_deref(), Some("struct a"));
        assert_eq!(types.c_name("a$auto").as_deref(), Some("struct a"));
        assert_eq!(types.c_name("b_in").as_deref(), Some("struct b_in"));
        assert_eq!(types.c_name("u").as_deref(), Some("union u"));
        assert_eq!(types.c_name("v"), None);
    }

    #[test]
    fn fields_are_found_in_aggregates_without_a_name() {
        let types = types();
        assert_eq!(types.field("struct a", "x").map(|(path, _)| path).as_deref(), Some("x"));
        assert_eq!(types.field("struct a", "c").map(|(path, _)| path).as_deref(), Some("s.c"));
        assert!(types.field("struct a", "z").is_none());
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
