//! A table with one row a call in the columns of Apache Parquet, for DuckDB, Polars, pandas and their like.
//!
//! Rows are gathered until there are enough for a group of them and then written, so that memory is bounded; the list of
//! groups at the file's end, without which no reader opens it, is written when tracing ends. Columns are named after the
//! keys of the JSON lines. Text is as the traced program has it, with what is no UTF-8 replaced.

use std::{io, sync::Arc};

use ::parquet::{
    basic::{Compression, ZstdLevel},
    data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int32Type, Int64Type},
    errors::{ParquetError, Result},
    file::{
        properties::{EnabledStatistics, WriterProperties},
        writer::{SerializedFileWriter, SerializedRowGroupWriter},
    },
    schema::{
        parser::parse_message_type,
        types::{ColumnDescriptor, SchemaDescriptor},
    },
};
use ioctl_registry::Value;

use super::{
    Sink,
    facts::{ControlFacts, Facts, device_facts, request_facts, write_json},
    fields::fields,
    out::Output,
};
use crate::{clock::WallClock, decode::Decoder, event::Event, json::Decoded};

/// The columns. Their leaves are those of [`Columns`], in this order.
const SCHEMA: &str = "
message call {
    required int64 ts (TIMESTAMP(NANOS, true));
    required int32 pid (INTEGER(32, false));
    required int32 tid (INTEGER(32, false));
    required binary comm (STRING);
    required int32 uid (INTEGER(32, false));
    optional binary cgroup (STRING);
    required int32 fd (INTEGER(32, true));
    optional binary path (STRING);
    optional binary device_kind (STRING);
    optional int32 device_major (INTEGER(32, false));
    optional int32 device_minor (INTEGER(32, false));
    optional binary device_driver (STRING);
    optional binary device_module (STRING);
    optional binary device_handler (STRING);
    required int32 request_number (INTEGER(32, false));
    optional binary request_name (STRING);
    required group request_names (LIST) { repeated group list { required binary element (STRING); } }
    required binary request_dir (STRING);
    optional int32 request_type (INTEGER(8, false));
    optional int32 request_nr (INTEGER(8, false));
    optional int32 request_size (INTEGER(16, false));
    optional binary request_family (STRING);
    optional int64 arg (INTEGER(64, false));
    optional binary in_json (STRING);
    optional binary out_json (STRING);
    required group in_fields (MAP) {
        repeated group key_value { required binary key (STRING); required binary value (STRING); }
    }
    required group out_fields (MAP) {
        repeated group key_value { required binary key (STRING); required binary value (STRING); }
    }
    optional int64 ret (INTEGER(64, true));
    optional binary errno (STRING);
    required int64 dur_ns (INTEGER(64, false));
    required boolean compat;
    required group notes (LIST) { repeated group list { required binary element (STRING); } }
    optional binary os (STRING);
    optional int64 handle (INTEGER(64, false));
    optional binary request_code (STRING);
    optional int32 in_len (INTEGER(32, false));
    optional int32 out_len (INTEGER(32, false));
    optional binary status (STRING);
    optional int64 information (INTEGER(64, false));
    optional int64 parent (TIMESTAMP(NANOS, true));
    optional int32 ns_pid (INTEGER(32, false));
    optional int32 ns_tid (INTEGER(32, false));
}";

/// Rows of a group. Readers take groups as the unit of parallel work; more of them make a longer list.
const GROUP_ROWS: usize = 32 * 1024;
/// Bytes of text that end a group before it has all its rows.
const GROUP_BYTES: usize = 3 << 20;
const ZSTD_LEVEL: i32 = 3;

/// Writes Parquet.
pub struct Parquet<W: Output> {
    writer: SerializedFileWriter<W>,
    clock: WallClock,
    columns: Columns,
    rows: usize,
    finished: bool,
    json: Vec<u8>,
}

impl<W: Output> Parquet<W> {
    /// Columns to `out`.
    ///
    /// # Errors
    /// When the beginning of the file cannot be written.
    pub fn new(out: W, clock: WallClock) -> io::Result<Self> {
        let make = || -> Result<Self> {
            let schema = Arc::new(parse_message_type(SCHEMA)?);
            let columns = Columns::new(&SchemaDescriptor::new(Arc::clone(&schema)))?;
            let properties = WriterProperties::builder()
                .set_created_by(concat!("ioctl-trace ", env!("CARGO_PKG_VERSION")).to_owned())
                .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
                .set_statistics_enabled(EnabledStatistics::Chunk)
                // It would be kept in memory to the end, for every group.
                .set_offset_index_disabled(true)
                .build();
            let writer = SerializedFileWriter::new(out, schema, Arc::new(properties))?;
            Ok(Self { writer, clock, columns, rows: 0, finished: false, json: Vec::new() })
        };
        make().map_err(failed)
    }

    fn row(&mut self, event: &Event, decoder: &mut Decoder) -> io::Result<()> {
        let call = &event.call;
        let facts = Facts::of(event, decoder);
        let columns = &mut self.columns;
        columns.ts.add(Some(nanoseconds(self.clock.epoch(call.start_ns))));
        columns.pid.add(Some(call.pid.cast_signed()));
        columns.tid.add(Some(call.tid.cast_signed()));
        columns.comm.text(Some(call.comm.as_bytes()));
        columns.uid.add(Some(call.uid.cast_signed()));
        columns.cgroup.text(facts.cgroup.as_deref().map(str::as_bytes));
        columns.fd.add(Some(call.fd));
        columns.path.text(facts.path);
        let device = device_facts(event, decoder);
        let device = device.as_ref();
        columns.device_kind.text(device.map(|device| device.kind.as_bytes()));
        columns.device_major.add(device.and_then(|device| device.major).map(u32::cast_signed));
        columns.device_minor.add(device.and_then(|device| device.minor).map(u32::cast_signed));
        columns.device_driver.text(device.and_then(|device| device.driver).map(str::as_bytes));
        columns.device_module.text(device.and_then(|device| device.module).map(str::as_bytes));
        columns.device_handler.text(device.and_then(|device| device.handler).map(str::as_bytes));
        let request = request_facts(event);
        columns.request_number.add(Some(request.number.cast_signed()));
        columns.request_name.text(request.name.map(str::as_bytes));
        columns.request_names.texts(request.names.iter().map(|name| name.as_bytes()));
        columns.request_dir.text(Some(request.dir.as_bytes()));
        columns.request_type.add(request.r#type.map(i32::from));
        columns.request_nr.add(request.nr.map(i32::from));
        columns.request_size.add(request.size.map(i32::from));
        columns.request_family.text(request.family.map(str::as_bytes));
        columns.arg.add(call.shown_arg().map(u64::cast_signed));
        json(&mut columns.in_json, &mut self.json, facts.before.as_ref())?;
        json(&mut columns.out_json, &mut self.json, facts.after.as_ref())?;
        map(&mut columns.in_keys, &mut columns.in_values, facts.before.as_ref());
        map(&mut columns.out_keys, &mut columns.out_values, facts.after.as_ref());
        columns.ret.add(call.outcome.value());
        columns.errno.text(facts.errno.as_deref().map(str::as_bytes));
        columns.dur_ns.add(Some(call.duration_ns.cast_signed()));
        columns.compat.add(Some(call.compat));
        columns.notes.texts(facts.notes.iter().map(|note| note.as_bytes()));
        let control = ControlFacts::of(event);
        let control = control.as_ref();
        columns.os.text(control.map(|control| control.os.as_bytes()));
        columns.handle.add(control.map(|control| control.handle.0.cast_signed()));
        columns.request_code.text(request.code.as_ref().map(|code| code.code.as_bytes()));
        columns.in_len.add(control.map(|control| control.in_len.cast_signed()));
        columns.out_len.add(control.map(|control| control.out_len.cast_signed()));
        columns.status.text(control.and_then(|control| control.status.as_deref()).map(str::as_bytes));
        columns.information.add(control.and_then(|control| control.information).map(u64::cast_signed));
        columns.parent.add(call.parent_ns.map(|time_ns| nanoseconds(self.clock.epoch(time_ns))));
        columns.ns_pid.add(facts.ns_ids.map(|ids| ids.pid.cast_signed()));
        columns.ns_tid.add(facts.ns_ids.map(|ids| ids.tid.cast_signed()));
        self.rows += 1;
        Ok(())
    }

    fn write_group(&mut self) -> Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        self.rows = 0;
        let mut group = self.writer.next_row_group()?;
        self.columns.write(&mut group)?;
        group.close()?;
        Ok(())
    }
}

impl<W: Output> Sink for Parquet<W> {
    fn event(&mut self, event: &Event, decoder: &mut Decoder) -> io::Result<()> {
        self.row(event, decoder)?;
        if self.rows >= GROUP_ROWS || self.columns.bytes() >= GROUP_BYTES {
            self.write_group().map_err(failed)?;
        }
        Ok(())
    }

    /// Nothing of the file can be read before its end is written.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.finished, true) {
            return Ok(());
        }
        self.write_group().and_then(|()| self.writer.finish()).map_err(failed)?;
        self.writer.inner_mut().end()
    }
}

/// Seconds since the epoch and nanoseconds of the next, as the latter.
fn nanoseconds((second, nanos): (i64, u32)) -> i64 {
    second.saturating_mul(1_000_000_000).saturating_add(nanos.into())
}

/// The output's own error if it was that.
fn failed(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(error) => match error.downcast::<io::Error>() {
            Ok(error) => *error,
            Err(error) => io::Error::other(error),
        },
        error => io::Error::other(error),
    }
}

fn json(column: &mut Column<ByteArrayType>, buffer: &mut Vec<u8>, value: Option<&Value>) -> io::Result<()> {
    buffer.clear();
    if let Some(value) = value {
        write_json(buffer, &Decoded(value.clone()))?;
    }
    column.text(value.map(|_| buffer.as_slice()));
    Ok(())
}

fn map(keys: &mut Column<ByteArrayType>, values: &mut Column<ByteArrayType>, value: Option<&Value>) {
    let fields = value.map(fields).unwrap_or_default();
    keys.texts(fields.iter().map(|(key, _)| key.as_bytes()));
    values.texts(fields.iter().map(|(_, value)| value.as_bytes()));
}

/// The values of a column that wait to be written.
struct Column<D: DataType> {
    values: Vec<D::T>,
    /// For each row, or for each place of a list, whether there is a value; empty if there always is one.
    defined: Vec<i16>,
    /// For each place of a list whether it is another of the same row; empty if it is no list.
    repeated: Vec<i16>,
    shape: Shape,
    bytes: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Required,
    Optional,
    List,
}

impl<D: DataType> Column<D> {
    /// # Errors
    /// When the schema has it in another way than the code that fills it.
    fn new(descriptor: Option<&Arc<ColumnDescriptor>>) -> Result<Self> {
        let of_type = descriptor.filter(|descriptor| descriptor.physical_type() == D::get_physical_type());
        let shape = match of_type.map(|column| (column.max_def_level(), column.max_rep_level())) {
            Some((0, 0)) => Shape::Required,
            Some((1, 0)) => Shape::Optional,
            Some((1, 1)) => Shape::List,
            _ => return Err(ParquetError::General("a column is not as the schema says".to_owned())),
        };
        Ok(Self { values: Vec::new(), defined: Vec::new(), repeated: Vec::new(), shape, bytes: 0 })
    }

    fn add(&mut self, value: Option<D::T>) {
        if self.shape == Shape::Optional {
            self.defined.push(value.is_some().into());
        }
        self.values.extend(value);
    }

    fn write<W: io::Write + Send>(&mut self, group: &mut SerializedRowGroupWriter<'_, W>) -> Result<()> {
        let Some(mut column) = group.next_column()? else {
            return Err(ParquetError::General("a column is not in the schema".to_owned()));
        };
        let defined = (self.shape != Shape::Required).then_some(self.defined.as_slice());
        let repeated = (self.shape == Shape::List).then_some(self.repeated.as_slice());
        column.typed::<D>().write_batch(&self.values, defined, repeated)?;
        self.values.clear();
        self.defined.clear();
        self.repeated.clear();
        self.bytes = 0;
        column.close()
    }
}

impl Column<ByteArrayType> {
    fn text(&mut self, text: Option<&[u8]>) {
        let value = text.map(|text| self.shared(text));
        self.add(value);
    }

    fn texts<'t>(&mut self, texts: impl Iterator<Item = &'t [u8]>) {
        let begin = self.defined.len();
        for text in texts {
            let value = self.shared(text);
            self.values.push(value);
            self.bytes += size_of::<ByteArray>();
            self.repeated.push((self.defined.len() > begin).into());
            self.defined.push(1);
        }
        if self.defined.len() == begin {
            self.repeated.push(0);
            self.defined.push(0);
        }
    }

    /// Most rows have what the row before has: that is kept once.
    fn shared(&mut self, text: &[u8]) -> ByteArray {
        let text = String::from_utf8_lossy(text);
        if let Some(last) = self.values.last()
            && last.data() == text.as_bytes()
        {
            return last.clone();
        }
        self.bytes += text.len();
        text.into_owned().into_bytes().into()
    }
}

/// Makes the struct of columns, and what is done to each of them, from one list.
macro_rules! columns {
    ($($name:ident: $type:ty,)*) => {
        struct Columns {
            $($name: Column<$type>,)*
        }

        impl Columns {
            fn new(schema: &SchemaDescriptor) -> Result<Self> {
                let mut leaves = schema.columns().iter();
                let columns = Self { $($name: Column::new(leaves.next())?,)* };
                match leaves.next() {
                    None => Ok(columns),
                    Some(_) => Err(ParquetError::General("the schema has more columns".to_owned())),
                }
            }

            fn write<W: io::Write + Send>(&mut self, group: &mut SerializedRowGroupWriter<'_, W>) -> Result<()> {
                $(self.$name.write(group)?;)*
                Ok(())
            }

            /// Bytes of what waits, beside the part that every row has.
            fn bytes(&self) -> usize {
                0 $(+ self.$name.bytes)*
            }
        }
    };
}

columns! {
    ts: Int64Type,
    pid: Int32Type,
    tid: Int32Type,
    comm: ByteArrayType,
    uid: Int32Type,
    cgroup: ByteArrayType,
    fd: Int32Type,
    path: ByteArrayType,
    device_kind: ByteArrayType,
    device_major: Int32Type,
    device_minor: Int32Type,
    device_driver: ByteArrayType,
    device_module: ByteArrayType,
    device_handler: ByteArrayType,
    request_number: Int32Type,
    request_name: ByteArrayType,
    request_names: ByteArrayType,
    request_dir: ByteArrayType,
    request_type: Int32Type,
    request_nr: Int32Type,
    request_size: Int32Type,
    request_family: ByteArrayType,
    arg: Int64Type,
    in_json: ByteArrayType,
    out_json: ByteArrayType,
    in_keys: ByteArrayType,
    in_values: ByteArrayType,
    out_keys: ByteArrayType,
    out_values: ByteArrayType,
    ret: Int64Type,
    errno: ByteArrayType,
    dur_ns: Int64Type,
    compat: BoolType,
    notes: ByteArrayType,
    os: ByteArrayType,
    handle: Int64Type,
    request_code: ByteArrayType,
    in_len: Int32Type,
    out_len: Int32Type,
    status: ByteArrayType,
    information: Int64Type,
    parent: Int64Type,
    ns_pid: Int32Type,
    ns_tid: Int32Type,
}
