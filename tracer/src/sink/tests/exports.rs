//! Tables: what was written, read back.

use ::parquet::{
    file::reader::{FileReader, SerializedFileReader},
    record::{Field, Row, RowAccessor},
    schema::printer::print_schema,
};
use serde_json::Value;

use super::*;

fn json_lines() -> Vec<Value> {
    let text = written(|out| Jsonl::new(out, clock()));
    text.lines().map(|line| serde_json::from_str(line).expect("valid JSON")).collect()
}

#[test]
fn comma_separated_values_are_as_agreed() {
    let text = written(|out| Csv::new(out, clock()).expect("written"));
    assert!(text.chars().all(|c| c == '\n' || crate::escape::is_plain(c)), "nothing invisible");
    insta::assert_snapshot!(text);
}

#[test]
fn comma_separated_values_are_those_of_the_json_lines() {
    let text = written(|out| Csv::new(out, clock()).expect("written"));
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let columns = reader.headers().expect("columns").clone();
    let rows: Vec<_> = reader.records().map(|row| row.expect("a row")).collect();
    let lines = json_lines();
    assert_eq!(rows.len(), lines.len());
    for (row, line) in rows.iter().zip(&lines) {
        for (name, cell) in columns.iter().zip(row) {
            let known = line.pointer(&format!("/{}", name.replace('.', "/"))).unwrap_or(&Value::Null);
            match (name, known) {
                ("in" | "out", Value::Null) => assert_eq!(cell, ""),
                ("in" | "out", known) => {
                    assert_eq!(serde_json::from_str::<Value>(cell).expect("JSON"), *known);
                }
                (_, Value::Null) => assert_eq!(cell, "", "{name}"),
                (_, Value::Array(items)) => {
                    let parts = cell.split(['|', ';']).filter(|part| !part.is_empty()).count();
                    assert_eq!(parts, items.len(), "{name}");
                }
                // Escaped in each in its own way.
                (_, Value::String(text)) if !text.chars().all(crate::escape::is_plain) => {
                    assert!(cell.contains("\\033"), "{name}");
                }
                (_, Value::String(text)) => assert_eq!(cell, text, "{name}"),
                (_, other) => assert_eq!(cell, other.to_string(), "{name}"),
            }
        }
    }
}

fn parquet(script: Scripted) -> SerializedFileReader<bytes::Bytes> {
    let file = written_of(script, |out| Parquet::new(out, clock()).expect("written"));
    SerializedFileReader::new(bytes::Bytes::from(file)).expect("a Parquet file")
}

fn rows(reader: &SerializedFileReader<bytes::Bytes>) -> Vec<Row> {
    reader.get_row_iter(None).expect("rows").map(|row| row.expect("a row")).collect()
}

fn column<'r>(row: &'r Row, name: &str) -> &'r Field {
    row.get_column_iter().find(|(column, _)| *column == name).map(|(_, field)| field).expect("a column")
}

#[test]
fn parquet_is_as_agreed() {
    let reader = parquet(script());
    let mut text = Vec::new();
    print_schema(&mut text, reader.metadata().file_metadata().schema());
    let mut text = String::from_utf8(text).expect("utf-8");
    for row in rows(&reader) {
        text.push_str(&crate::escape::visible(&row.to_string()));
        text.push('\n');
    }
    insta::assert_snapshot!(text);
}

#[test]
fn parquet_has_the_values_of_the_json_lines() {
    let reader = parquet(script());
    let (rows, lines) = (rows(&reader), json_lines());
    assert_eq!(rows.len(), lines.len());
    for (row, line) in rows.iter().zip(&lines) {
        let json = |name: &str| match column(row, name) {
            Field::Null => Value::Null,
            Field::Str(text) => serde_json::from_str(text).expect("JSON"),
            other => panic!("{name}: {other}"),
        };
        assert_eq!((json("in_json"), json("out_json")), (line["in"].clone(), line["out"].clone()));
        let text = |name: &str| match column(row, name) {
            Field::Null => Value::Null,
            Field::Str(text) => Value::from(text.as_str()),
            other => panic!("{name}: {other}"),
        };
        for (name, pointer) in [
            ("comm", "/comm"),
            ("path", "/path"),
            ("device_kind", "/device/kind"),
            ("device_driver", "/device/driver"),
            ("request_name", "/request/name"),
            ("request_dir", "/request/dir"),
            ("request_family", "/request/family"),
            ("errno", "/errno"),
        ] {
            assert_eq!(text(name), line.pointer(pointer).cloned().unwrap_or_default(), "{name}");
        }
        let Field::UInt(number) = column(row, "request_number") else { panic!("not 32 bits without a sign") };
        assert_eq!(Value::from(*number), line["request"]["number"]);
        let Field::ULong(arg) = column(row, "arg") else { panic!("not 64 bits without a sign") };
        assert_eq!(line["arg"], format!("{arg:#x}"));
        let Field::Long(ts) = column(row, "ts") else { panic!("no time") };
        let seconds = WallClock::utc_second(ts / 1_000_000_000);
        assert_eq!(line["ts"], format!("{seconds}.{:09}Z", ts % 1_000_000_000));
        let Field::ListInternal(notes) = column(row, "notes") else { panic!("no list") };
        assert_eq!(notes.len(), line["notes"].as_array().expect("a list").len());
    }
    // A window's size, by its fields.
    let Field::MapInternal(out) = column(&rows[7], "out_fields") else { panic!("no map") };
    let fields: Vec<_> = out.entries().iter().map(|(key, value)| format!("{key}={value}")).collect();
    let size = ["\"ws_row\"=\"24\"", "\"ws_col\"=\"80\"", "\"ws_xpixel\"=\"0\"", "\"ws_ypixel\"=\"0\""];
    assert_eq!(fields, size);
    assert!(matches!(column(&rows[5], "compat"), Field::Bool(true)));
    assert_eq!(rows[2].get_long(27).ok(), Some(i64::MAX));
}

#[test]
fn groups_of_rows_are_bounded() {
    let tty = identity(1, libc::S_IFCHR, 136 << 20 | 3, 0x1cd1);
    let mut script = Scripted::new();
    for n in 0..40_000_u32 {
        script.call(CallRecord { tid: n, request: 0x5413, file: tty, ..CallRecord::default() });
    }
    let reader = parquet(script);
    let groups: Vec<_> = reader.metadata().row_groups().iter().map(|group| group.num_rows()).collect();
    assert_eq!(groups, [32_768, 7_232]);
    let rows = rows(&reader);
    assert!(rows.iter().zip(0..).all(|(row, n)| matches!(column(row, "tid"), Field::UInt(tid) if *tid == n)));
    // The number of the thread, and next to nothing for what rows share.
    let size: i64 = reader.metadata().row_groups().iter().map(|group| group.compressed_size()).sum();
    assert!(size < 200_000, "{size} bytes");
}

#[test]
fn a_table_without_calls_can_be_read() {
    assert!(rows(&parquet(Scripted::new())).is_empty());
    let text = written_of(Scripted::new(), |out| Csv::new(out, clock()).expect("written"));
    assert!(text.starts_with(b"ts,pid,"));
}
