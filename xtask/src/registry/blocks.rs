//! Parses the kernel's ioctl-number document, the table of assigned blocks, in both editions that the registry knows:
//! plain text with one row a line, and reStructuredText with rows that continue on further lines.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::PathBuf};

use anyhow::{Context, Result, bail, ensure};

/// Where the comment column starts in the reStructuredText edition, and the column of include files.
const RST_COMMENT: usize = 70;
const RST_INCLUDE: usize = 13;

/// A row of the document.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    ty: u8,
    first: u8,
    last: u8,
    headers: String,
    comment: String,
}

/// What tells rows apart between editions: comments change their wording, headers rarely.
type Key = (u8, u8, u8, String);

/// `blocks.tsv` of the documents.
pub fn render(files: &[PathBuf]) -> Result<String> {
    let mut merged: BTreeMap<Key, (Vec<&str>, String)> = BTreeMap::new();
    let mut documents = Vec::new();
    for file in files {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let (edition, rows) = parse(&text).with_context(|| file.display().to_string())?;
        eprintln!("registry: {}: edition {edition}, {} rows", file.display(), rows.len());
        documents.push((edition, rows));
    }
    documents.sort();
    for (edition, rows) in documents {
        for row in rows {
            let what = if row.headers.is_empty() { row.comment.clone() } else { row.headers.clone() };
            let key = (row.ty, row.first, row.last, what);
            let (editions, comment) = merged.entry(key).or_default();
            ensure!(!editions.contains(&edition), "edition {edition} lists the same block twice: {row:?}");
            editions.push(edition);
            *comment = row.comment;
        }
    }
    let mut text = "# type\tfirst nr\tlast nr\teditions\theaders\tcomment\n# Assigned blocks of the kernel's ioctl-number \
                    document. Written by `cargo xtask registry --block-table FILE`. Do not edit.\n"
        .to_owned();
    for ((ty, first, last, what), (editions, comment)) in &merged {
        let headers = if what == comment { "" } else { what };
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{ty:#04x}\t{first:#04x}\t{last:#04x}\t{}\t{headers}\t{comment}",
            editions.join(",")
        );
    }
    Ok(text)
}

/// The edition of a document and its rows.
fn parse(text: &str) -> Result<(&'static str, Vec<Row>)> {
    // The later edition still calls itself "up to 2.6.31"; it is told by a subsystem that came after.
    let edition = match (text.contains("linux/iommufd.h"), text.contains("2.6.31")) {
        (true, _) => "6.12",
        (false, true) => "2.6.31",
        (false, false) => bail!("not an ioctl-number document"),
    };
    let columns = text.lines().any(|line| line.starts_with("====  ====="));
    let table = text.lines().skip_while(|line| !line.starts_with("Code")).skip(1);
    let mut rows: Vec<Row> = Vec::new();
    for line in table {
        if line.starts_with("====") || line.contains("(hex)") || line.trim().is_empty() {
            continue;
        }
        let (code, include, comment) = if columns { split_columns(line) } else { split_words(line) };
        match code {
            Some((ty, first, last)) => {
                rows.push(Row { ty, first, last, headers: String::new(), comment: String::new() });
            }
            None if columns && line.starts_with(' ') => {}
            None => bail!("no row of the table: `{line}`"),
        }
        let row = rows.last_mut().context("the table starts with a continuation line")?;
        let (headers, rest) = leading_headers(&include);
        append(&mut row.headers, &headers.join(","), ",");
        append(&mut row.comment, &rest, " ");
        append(&mut row.comment, &comment, " ");
    }
    for row in &mut rows {
        row.comment = plain(&row.comment);
    }
    Ok((edition, rows))
}

/// Type, first and last number.
type Code = (u8, u8, u8);

fn split_columns(line: &str) -> (Option<Code>, String, String) {
    let column = |from: usize, to: usize| -> String { line.chars().skip(from).take(to - from).collect() };
    let code = code(column(0, 6).trim(), column(6, RST_INCLUDE).trim());
    (code, column(RST_INCLUDE, RST_COMMENT), line.chars().skip(RST_COMMENT).collect())
}

fn split_words(line: &str) -> (Option<Code>, String, String) {
    let mut words = line.splitn(3, ' ');
    let code = code(words.next().unwrap_or_default(), words.next().unwrap_or_default());
    (code, words.next().unwrap_or_default().to_owned(), String::new())
}

fn code(ty: &str, range: &str) -> Option<Code> {
    let quoted = ty.strip_prefix(['\'', '‘']).and_then(|rest| rest.strip_suffix(['\'', '’', '‘']));
    let ty = match (ty.strip_prefix("0x"), quoted) {
        (Some(digits), _) => hex(digits)?,
        (None, Some(symbol)) => u8::try_from(symbol.parse::<char>().ok()?).ok()?,
        (None, None) => return None,
    };
    let (first, last) = match range.split_once('-') {
        Some((first, last)) => (hex(first)?, hex(last)?),
        None if range == "all" => (0x00, 0xff),
        None => (hex(range)?, hex(range)?),
    };
    Some((ty, first, last))
}

fn hex(digits: &str) -> Option<u8> {
    u8::from_str_radix(digits, 16).ok()
}

/// The file names that a text starts with, and what follows them.
fn leading_headers(text: &str) -> (Vec<&str>, String) {
    let mut headers = Vec::new();
    let mut words = text.split_whitespace().peekable();
    while let Some(word) = words.peek() {
        let name = word.trim_matches([',', '`']);
        if name.ends_with(".h") || name.ends_with(".c") {
            headers.push(name);
        } else if name != "and" {
            break;
        }
        words.next();
    }
    (headers, words.collect::<Vec<_>>().join(" "))
}

fn append(text: &mut String, more: &str, separator: &str) {
    if !text.is_empty() && !more.trim().is_empty() {
        text.push_str(separator);
    }
    text.push_str(more.trim());
}

/// A comment without addresses and links, in ASCII.
fn plain(comment: &str) -> String {
    let mut depth = 0_u32;
    let mut text = String::new();
    for symbol in comment.chars() {
        match symbol {
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            '’' | '‘' if depth == 0 => text.push('\''),
            symbol if depth == 0 => text.push(symbol),
            _ => {}
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ").trim_end_matches(':').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn continuation_lines_belong_to_the_row_above() {
        let text = "====  =====  ===\nCode  Seq#    Include File\n      (hex)\n====  =====  ===\n\
            'M'   01-16  mtd/mtd-abi.h                                             conflict!\n\
            \x20     and    drivers/mtd/mtdchar.c\n\
            '\\'   all    linux/iommufd.h                                           <mailto:a <b@c>>\n";
        let (edition, rows) = parse(text).unwrap();
        assert_eq!(edition, "6.12");
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].headers, "mtd/mtd-abi.h,drivers/mtd/mtdchar.c");
        assert_eq!(rows[0].comment, "conflict!");
        assert_eq!((rows[1].ty, rows[1].first, rows[1].last), (b'\\', 0, 0xff));
        assert_eq!(rows[1].comment, "");
    }

    #[test]
    fn rows_of_words_split_behind_the_headers() {
        let text = "up to 2.6.31\nCode Seq# (hex) Include File Comments\n‘[‘ 00-3F linux/usb/tmc.h USB Test <>\n\
            0x1b all   InfiniBand Subsystem <>\n";
        let (edition, rows) = parse(text).unwrap();
        assert_eq!(edition, "2.6.31");
        assert_eq!(
            (rows[0].ty, rows[0].headers.as_str(), rows[0].comment.as_str()),
            (b'[', "linux/usb/tmc.h", "USB Test")
        );
        assert_eq!((rows[1].last, rows[1].headers.as_str()), (0xff, ""));
    }
}
