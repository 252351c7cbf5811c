//! Buffers of Windows' control codes, as drivers and programs fill them.

#![expect(clippy::unwrap_used, reason = "tests")]

use ioctl_registry::{
    Arch, Named, Registry, Value,
    vendor::Mistake,
    windows::{Buffer, Buffers, Side},
};
use proptest::prelude::*;

/// Bytes of a buffer, put together.
#[derive(Default)]
struct Image(Vec<u8>);

impl Image {
    fn u8s(mut self, bytes: &[u8]) -> Self {
        self.0.extend(bytes);
        self
    }

    fn u16s(self, words: &[u16]) -> Self {
        words.iter().fold(self, |image, word| image.u8s(&word.to_le_bytes()))
    }

    fn u32s(self, words: &[u32]) -> Self {
        words.iter().fold(self, |image, word| image.u8s(&word.to_le_bytes()))
    }

    fn u64s(self, words: &[u64]) -> Self {
        words.iter().fold(self, |image, word| image.u8s(&word.to_le_bytes()))
    }

    fn wide(self, text: &str) -> Self {
        self.u16s(&text.encode_utf16().collect::<Vec<_>>())
    }

    /// Zeros up to a size.
    fn to(mut self, size: usize) -> Self {
        assert!(self.0.len() <= size, "{}", self.0.len());
        self.0.resize(size, 0);
        self
    }
}

fn buffer(bytes: &[u8]) -> Buffer<'_> {
    Buffer { bytes, size: bytes.len() as u64 }
}

#[track_caller]
fn decoded(name: &str, arch: Arch, side: Side, buffers: &Buffers<'_>) -> Value {
    let registry = Registry::builtin();
    let request = registry.windows().find(name).unwrap();
    registry.control_buffer(Some(&Named::plain(request)), arch, side, buffers).unwrap()
}

#[track_caller]
fn input(name: &str, arch: Arch, image: &Image) -> String {
    let buffers = Buffers { input: buffer(&image.0), ..Buffers::default() };
    decoded(name, arch, Side::Input, &buffers).to_string()
}

#[track_caller]
fn output(name: &str, arch: Arch, image: &Image) -> String {
    let buffers = Buffers { output: buffer(&image.0), ..Buffers::default() };
    decoded(name, arch, Side::Output, &buffers).to_string()
}

fn image() -> Image {
    Image::default()
}

/// The same on both.
#[track_caller]
fn output_of_both(name: &str, image: &Image) -> String {
    let [wide, narrow] = Arch::WINDOWS.map(|arch| output(name, arch, image));
    assert_eq!(wide, narrow);
    wide
}

/// {ebd0a0a2-b9e5-4433-87c0-68b6b72699c7}, the type of partitions with data.
const BASIC_DATA: [u8; 16] =
    [0xa2, 0xa0, 0xd0, 0xeb, 0xe5, 0xb9, 0x33, 0x44, 0x87, 0xc0, 0x68, 0xb6, 0xb7, 0x26, 0x99, 0xc7];

#[test]
fn every_code_is_found_by_its_number() {
    for request in Registry::builtin().windows().requests() {
        let number = request.number(Arch::Win64).expect("a code");
        let meanings = Registry::builtin().meanings(number, Arch::Win64);
        assert!(meanings.iter().any(|named| named.name() == request.name()), "{}", request.name());
    }
}

#[test]
fn disks_have_a_geometry() {
    let geometry = image().u64s(&[1044]).u32s(&[12, 255, 63, 512]);
    let text = "{Cylinders=1044, MediaType=FixedMedia, TracksPerCylinder=255, SectorsPerTrack=63, BytesPerSector=512}";
    assert_eq!(output_of_both("IOCTL_DISK_GET_DRIVE_GEOMETRY", &geometry), text);
    let several = image().u8s(&geometry.0).u8s(&geometry.0);
    assert_eq!(output_of_both("IOCTL_DISK_GET_MEDIA_TYPES", &several), format!("[{text}, {text}]"));
    let short = Image(geometry.0[..13].to_vec());
    assert_eq!(
        output_of_both("IOCTL_DISK_GET_DRIVE_GEOMETRY", &short),
        "{Cylinders=1044, MediaType=FixedMedia, ...}"
    );
    assert_eq!(output_of_both("IOCTL_DISK_GET_DRIVE_GEOMETRY", &image().u8s(&[1, 2])), r#""\x01\x02""#);
}

#[test]
fn layouts_have_as_many_partitions_as_they_say() {
    let partition = |number: u32| {
        let name = format!("Basic data {number}");
        let gpt = image()
            .u8s(&BASIC_DATA)
            .u8s(&[number as u8; 16])
            .u64s(&[0x8000_0000_0000_0000])
            .wide(&name)
            .to(112);
        image().u32s(&[1, 0]).u64s(&[1 << 20, 1 << 30]).u32s(&[number, 0]).u8s(&gpt.0).to(144)
    };
    let layout = image()
        .u32s(&[1, 2])
        .u8s(&[0x11; 16])
        .u64s(&[17408, 64 << 30])
        .u32s(&[128])
        .to(48)
        .u8s(&partition(1).0)
        .u8s(&partition(2).0);
    let text = output_of_both("IOCTL_DISK_GET_DRIVE_LAYOUT_EX", &layout);
    assert_eq!(
        text,
        "{PartitionStyle=PARTITION_STYLE_GPT, PartitionCount=2, Gpt={DiskId={11111111-1111-1111-1111-111111111111}, \
         StartingUsableOffset=17408, UsableLength=68719476736, MaxPartitionCount=128}, \
         PartitionEntry=[{PartitionStyle=PARTITION_STYLE_GPT, StartingOffset=1048576, PartitionLength=1073741824, \
         PartitionNumber=1, RewritePartition=false, IsServicePartition=false, \
         Gpt={PartitionType={ebd0a0a2-b9e5-4433-87c0-68b6b72699c7}, PartitionId={01010101-0101-0101-0101-010101010101}, \
         Attributes=GPT_BASIC_DATA_ATTRIBUTE_NO_DRIVE_LETTER, Name=\"Basic data 1\"}}, \
         {PartitionStyle=PARTITION_STYLE_GPT, StartingOffset=1048576, PartitionLength=1073741824, PartitionNumber=2, \
         RewritePartition=false, IsServicePartition=false, \
         Gpt={PartitionType={ebd0a0a2-b9e5-4433-87c0-68b6b72699c7}, PartitionId={02020202-0202-0202-0202-020202020202}, \
         Attributes=GPT_BASIC_DATA_ATTRIBUTE_NO_DRIVE_LETTER, Name=\"Basic data 2\"}}]}"
    );
    let entry = image()
        .u32s(&[0, 0])
        .u64s(&[1 << 20, 1 << 30])
        .u32s(&[1, 0])
        .u8s(&[7, 1, 1, 0])
        .u32s(&[2048])
        .to(144);
    let layout = image().u32s(&[0, 1, 0xdead_beef]).to(48).u8s(&entry.0);
    let text = output_of_both("IOCTL_DISK_GET_DRIVE_LAYOUT_EX", &layout);
    assert_eq!(
        text,
        "{PartitionStyle=PARTITION_STYLE_MBR, PartitionCount=1, Mbr={Signature=0xdeadbeef}, \
         PartitionEntry=[{PartitionStyle=PARTITION_STYLE_MBR, StartingOffset=1048576, PartitionLength=1073741824, \
         PartitionNumber=1, RewritePartition=false, IsServicePartition=false, Mbr={PartitionType=PARTITION_IFS, \
         BootIndicator=true, RecognizedPartition=true, HiddenSectors=2048, \
         PartitionId={00000000-0000-0000-0000-000000000000}}}]}"
    );
}

#[test]
fn a_query_says_what_its_answer_is() {
    let query = |property: u32| image().u32s(&[property, 0]).u8s(&[0]).to(12);
    let answer = |property: u32, answer: &Image| {
        let query = query(property);
        let buffers = Buffers { input: buffer(&query.0), output: buffer(&answer.0) };
        decoded("IOCTL_STORAGE_QUERY_PROPERTY", Arch::Win64, Side::Output, &buffers).to_string()
    };
    assert_eq!(
        input("IOCTL_STORAGE_QUERY_PROPERTY", Arch::Win64, &query(0)),
        r#"{PropertyId=StorageDeviceProperty, QueryType=PropertyStandardQuery, AdditionalParameters="\x00"}"#
    );
    let device = image()
        .u32s(&[40, 72])
        .u8s(&[0, 0, 0, 1])
        .u32s(&[40, 49, 0, 66, 11, 0])
        .to(40)
        .u8s(b"QEMU    \0QEMU HARDDISK   \0QM001\0");
    assert_eq!(
        answer(0, &device),
        "{Version=40, Size=72, DeviceType=DIRECT_ACCESS_DEVICE, DeviceTypeModifier=0, RemovableMedia=false, \
         CommandQueueing=true, VendorIdOffset=\"QEMU    \", ProductIdOffset=\"QEMU HARDDISK   \", \
         ProductRevisionOffset=0, SerialNumberOffset=\"QM001\", BusType=BusTypeSata, RawPropertiesLength=0, \
         RawDeviceProperties=\"\"}"
    );
    let adapter =
        image().u32s(&[32, 32, 0x20000, 0x21, 0]).u8s(&[0, 0, 1, 0, 11, 0]).u16s(&[2, 0]).u8s(&[0, 0]);
    assert_eq!(
        answer(1, &adapter),
        "{Version=32, Size=32, MaximumTransferLength=131072, MaximumPhysicalPages=33, AlignmentMask=0, \
         AdapterUsesPio=false, AdapterScansDown=false, CommandQueueing=true, AcceleratedTransfer=false, \
         BusType=BusTypeSata, BusMajorVersion=2, BusMinorVersion=0, SrbType=SRB_TYPE_SCSI_REQUEST_BLOCK, AddressType=0}"
    );
    let seek = image().u32s(&[12, 12]).u8s(&[1]).to(12);
    assert_eq!(answer(7, &seek), "{Version=12, Size=12, IncursSeekPenalty=true}");
    assert_eq!(answer(99, &seek), r#"{Version=0xc, Size=12, rest="\x01\x00\x00\x00"}"#);
}

#[test]
fn reparse_points_have_names() {
    let (target, shown) = (r"\??\C:\Users", r"C:\Users");
    let bytes = |text: &str| text.len() as u16 * 2;
    let names = |flags: Option<u32>| {
        let places = [0, bytes(target), bytes(target) + 2, bytes(shown)];
        let names = image().u16s(&places);
        let names = flags.map_or(image().u16s(&places), |flags| names.u32s(&[flags]));
        names.wide(target).u16s(&[0]).wide(shown).u16s(&[0])
    };
    let point = |tag: u32, names: &Image| image().u32s(&[tag]).u16s(&[names.0.len() as u16, 0]).u8s(&names.0);
    let mount = point(0xa000_0003, &names(None));
    assert_eq!(
        output_of_both("FSCTL_GET_REPARSE_POINT", &mount),
        r#"{ReparseTag=IO_REPARSE_TAG_MOUNT_POINT, ReparseDataLength=52, MountPointReparseBuffer={SubstituteNameOffset="\\??\\C:\\Users", SubstituteNameLength=24, PrintNameOffset="C:\\Users", PrintNameLength=16, PathBuffer="\\"}}"#
    );
    let link = point(0xa000_000c, &names(Some(1)));
    assert_eq!(
        output_of_both("FSCTL_GET_REPARSE_POINT", &link),
        r#"{ReparseTag=IO_REPARSE_TAG_SYMLINK, ReparseDataLength=56, SymbolicLinkReparseBuffer={SubstituteNameOffset="\\??\\C:\\Users", SubstituteNameLength=24, PrintNameOffset="C:\\Users", PrintNameLength=16, Flags=SYMLINK_FLAG_RELATIVE, PathBuffer="\\"}}"#
    );
    let other = point(0x8000_0014, &image().u8s(&[1, 2, 3]));
    assert_eq!(
        output_of_both("FSCTL_GET_REPARSE_POINT", &other),
        r#"{ReparseTag=IO_REPARSE_TAG_NFS, ReparseDataLength=3, GenericReparseBuffer={DataBuffer="\x01\x02\x03"}}"#
    );
}

#[test]
fn volumes_have_names() {
    let name = r"\Device\HarddiskVolume1";
    let device = image().u16s(&[46]).wide(name);
    assert_eq!(
        output_of_both("IOCTL_MOUNTDEV_QUERY_DEVICE_NAME", &device),
        r#"{NameLength=46, Name="\\Device\\HarddiskVolume1"}"#
    );
    // Half of a pair of surrogates, and a name that goes on behind what was captured.
    let broken = image().u16s(&[46, 0xd800, 0x41]);
    assert_eq!(
        output_of_both("IOCTL_MOUNTDEV_QUERY_DEVICE_NAME", &broken),
        r#"{NameLength=46, Name="\357\277\275A"...}"#
    );
    let extents = image().u32s(&[2, 0]);
    let extents =
        [0, 1].into_iter().fold(extents, |image, disk| image.u32s(&[disk, 0]).u64s(&[1 << 20, 1 << 30]));
    assert_eq!(
        output_of_both("IOCTL_VOLUME_GET_VOLUME_DISK_EXTENTS", &extents),
        "{NumberOfDiskExtents=2, Extents=[{DiskNumber=0, StartingOffset=1048576, ExtentLength=1073741824}, \
         {DiskNumber=1, StartingOffset=1048576, ExtentLength=1073741824}]}"
    );
    let points = image().u32s(&[100, 1]).u32s(&[32, 28, 60, 4, 64]).to(8 + 20);
    let points = Image(points.0).u16s(&[46, 0]).wide(r"\DosDevices\C:").u8s(&[1, 2, 3, 4]).wide(name);
    assert_eq!(
        output_of_both("IOCTL_MOUNTMGR_QUERY_POINTS", &points),
        r#"{Size=100, NumberOfMountPoints=1, MountPoints=[{SymbolicLinkNameOffset="\\DosDevices\\C:", SymbolicLinkNameLength=28, UniqueIdOffset="\x01\x02\x03\x04", UniqueIdLength=4, DeviceNameOffset="\\Device\\HarddiskVolume1", DeviceNameLength=46}]}"#
    );
}

#[test]
fn commands_of_scsi_are_taken_apart() {
    let head = image().u16s(&[56]).u8s(&[0, 0, 0, 0, 10, 8, 1]).to(12).u32s(&[16, 30]);
    let cdb = [0x28, 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
    let tail = |image: Image| image.u8s(&[0x70, 0, 2, 0, 0, 0, 0, 0]).u8s(b"sixteen bytes...");
    let wide = tail(Image(head.0.clone()).to(24).u64s(&[64]).u32s(&[56]).u8s(&cdb).to(56));
    let narrow = tail(head.u32s(&[52, 44]).u8s(&cdb));
    for (arch, image) in [(Arch::Win64, &wide), (Arch::Win32, &narrow)] {
        assert_eq!(
            output("IOCTL_SCSI_PASS_THROUGH", arch, image),
            "{Length=56, ScsiStatus=SCSISTAT_GOOD, PathId=0, TargetId=0, Lun=0, CdbLength=10, SenseInfoLength=8, \
             DataIn=SCSI_IOCTL_DATA_IN, DataTransferLength=16, TimeOutValue=30, \
             DataBufferOffset=\"\\x73\\x69\\x78\\x74\\x65\\x65\\x6e\\x20\\x62\\x79\\x74\\x65\\x73\\x2e\\x2e\\x2e\", \
             SenseInfoOffset=\"\\x70\\x00\\x02\\x00\\x00\\x00\\x00\\x00\", \
             Cdb={OperationCode=SCSIOP_READ, Flags=0, LogicalBlock=2048, Group=0, Length=1, Control=0}}"
        );
    }
}

#[test]
fn human_interface_devices() {
    let information = image().u32s(&[65]).u8s(&[0, 0]).u16s(&[0x46d, 0xc52b, 0x1201]);
    assert_eq!(
        output_of_both("IOCTL_HID_GET_COLLECTION_INFORMATION", &information),
        "{DescriptorSize=65, Polled=false, VendorID=0x46d, ProductID=0xc52b, VersionNumber=0x1201}"
    );
    assert_eq!(
        output_of_both("IOCTL_HID_GET_FEATURE", &image().u8s(&[2, 1, 0, 255])),
        r#""\x02\x01\x00\xff""#
    );
    assert_eq!(output_of_both("IOCTL_HID_GET_PRODUCT_STRING", &image().wide("Maus\0")), r#""Maus""#);
}

#[test]
fn serial_ports() {
    let arch = Arch::Win32;
    let cases = [
        ("IOCTL_SERIAL_SET_BAUD_RATE", image().u32s(&[115_200]), "{BaudRate=115200}"),
        (
            "IOCTL_SERIAL_SET_LINE_CONTROL",
            image().u8s(&[2, 2, 7]),
            "{StopBits=STOP_BITS_2, Parity=EVEN_PARITY, WordLength=7}",
        ),
        (
            "IOCTL_SERIAL_SET_TIMEOUTS",
            image().u32s(&[u32::MAX, 0, 0, 10, 100]),
            "{ReadIntervalTimeout=4294967295, ReadTotalTimeoutMultiplier=0, ReadTotalTimeoutConstant=0, \
             WriteTotalTimeoutMultiplier=10, WriteTotalTimeoutConstant=100}",
        ),
        (
            "IOCTL_SERIAL_SET_HANDFLOW",
            image().u32s(&[9, 0x80, 2048, 512]),
            "{ControlHandShake=SERIAL_DTR_CONTROL|SERIAL_CTS_HANDSHAKE, FlowReplace=SERIAL_RTS_HANDSHAKE, XonLimit=2048, \
             XoffLimit=512}",
        ),
        (
            "IOCTL_SERIAL_SET_CHARS",
            image().u8s(&[26, 0, 0, b'$', 17, 19]),
            r"{EofChar='\x1a', ErrorChar='\x00', BreakChar='\x00', EventChar='$', XonChar='\x11', XoffChar='\x13'}",
        ),
        ("IOCTL_SERIAL_SET_WAIT_MASK", image().u32s(&[0x101]), "SERIAL_EV_RXCHAR|SERIAL_EV_RING"),
    ];
    for (name, image, text) in cases {
        assert_eq!(input(name, arch, &image), text, "{name}");
    }
    let properties = image()
        .u16s(&[64, 2])
        .u32s(&[1, 0, 0, 4096, 0x1000_0000, 1, 3, 3, 0x1000_0800])
        .u16s(&[8, 0x101])
        .u32s(&[0, 4096, 0, 0])
        .u16s(&[0, 0]);
    assert_eq!(
        output_of_both("IOCTL_SERIAL_GET_PROPERTIES", &properties),
        "{PacketLength=64, PacketVersion=2, ServiceMask=1, MaxTxQueue=0, MaxRxQueue=4096, MaxBaud=SERIAL_BAUD_USER, \
         ProvSubType=SERIAL_SP_RS232, ProvCapabilities=SERIAL_PCF_DTRDSR|SERIAL_PCF_RTSCTS, \
         SettableParams=SERIAL_SP_PARITY|SERIAL_SP_BAUD, SettableBaud=SERIAL_BAUD_9600|SERIAL_BAUD_USER, \
         SettableData=SERIAL_DATABITS_8, SettableStopParity=SERIAL_STOPBITS_10|SERIAL_PARITY_NONE, CurrentTxQueue=0, \
         CurrentRxQueue=4096, ProvSpec1=0, ProvSpec2=0, ProvChar=\"\"}"
    );
}

#[test]
fn what_is_not_known_is_bytes() {
    let registry = Registry::builtin();
    let bytes = [1, 2, 3];
    let buffers = Buffers { input: Buffer { bytes: &bytes, size: 9 }, ..Buffers::default() };
    let value = registry.control_buffer(None, Arch::Win64, Side::Input, &buffers).unwrap();
    assert_eq!(value, Value::Bytes { bytes: bytes.to_vec(), cut: true });
    assert_eq!(registry.control_buffer(None, Arch::Win64, Side::Output, &buffers), None);
}

#[test]
fn what_was_not_captured_is_told() {
    let of = |name: &str, bytes: &[u8], size| {
        let buffers = Buffers { output: Buffer { bytes, size }, ..Buffers::default() };
        decoded(name, Arch::Win64, Side::Output, &buffers).to_string()
    };
    let number = image().u32s(&[7, 0, 1]);
    let known = "{DeviceType=FILE_DEVICE_DISK, DeviceNumber=0, PartitionNumber=1";
    assert_eq!(of("IOCTL_STORAGE_GET_DEVICE_NUMBER", &number.0, 12), format!("{known}}}"));
    assert_eq!(of("IOCTL_STORAGE_GET_DEVICE_NUMBER", &number.0, 13), format!("{known}, ...}}"));
    assert_eq!(of("IOCTL_HID_GET_PRODUCT_STRING", &image().wide("Ma").0, 8), r#""Ma"..."#);
    assert_eq!(of("IOCTL_HID_GET_FEATURE", &[1], 2), r#""\x01"..."#);
}

/// Every fact is about a field that there is, of a set or a type that there is.
#[test]
fn facts_are_about_what_there_is() {
    let registry = Registry::builtin().windows();
    let table = include_str!("../overlay/windows-fields.tsv");
    let mut wrong = Vec::new();
    for line in table.lines().filter(|line| !line.starts_with('#')) {
        let mut columns = line.split('\t').chain(std::iter::repeat(""));
        let [name, path, fact, detail] = std::array::from_fn(|_| columns.next().unwrap());
        let has =
            |path: &str| registry.layout(name, Arch::Win64).is_ok_and(|layout| layout.place(path).is_some());
        let about = has(path) || (registry.find(name).is_some() && matches!(path, "@in" | "@out"));
        let fits = match fact {
            "set" => registry.set(detail, Arch::Win64).is_some(),
            "offset" => {
                let (ty, base) =
                    detail.split_once(" from ").map_or((detail, None), |(ty, base)| (ty, Some(base)));
                registry.layout(ty, Arch::Win64).is_ok() && base.is_none_or(has)
            }
            "count" | "bytes" | "tail" => has(detail),
            _ => detail.is_empty(),
        };
        if !about || !fits {
            wrong.push(line);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Every type that a code names is known on both.
#[test]
fn buffers_have_layouts() {
    let registry = Registry::builtin().windows();
    for request in registry.requests() {
        let control = request.control().unwrap();
        for ty in [&control.input, &control.output].into_iter().filter(|ty| !matches!(&***ty, "" | "-")) {
            for arch in Arch::WINDOWS {
                assert!(registry.layout(ty, arch).is_ok(), "{}: {ty} on {arch}", request.name());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn any_bytes_are_decoded(bytes in proptest::collection::vec(any::<u8>(), 0..300), size: u64) {
        let registry = Registry::builtin();
        let buffers = Buffers { input: Buffer { bytes: &bytes, size }, output: buffer(&bytes) };
        for request in registry.windows().requests().map(Named::plain) {
            for (arch, side) in [(Arch::Win64, Side::Input), (Arch::Win32, Side::Output)] {
                let value = registry.control_buffer(Some(&request), arch, side, &buffers);
                prop_assert!(value.is_none_or(|value| !value.to_string().is_empty()));
            }
        }
    }
}

const ACME: &str = r#"[vendor]
name = "acme"
source = "acme.h"
os = "windows"

[types]
"ACME_STATUS" = "struct{ULONG State;HANDLE Owner;WCHAR Name[4];}"

[fields]
"ACME_STATUS.State" = "set ACME_STATE"

[sets."ACME_STATE"]
kind = "enum"
constants = "ACME_IDLE=0,ACME_BUSY=1"

[[request]]
name = "IOCTL_ACME_GET_STATUS"
code = "CTL_CODE(0x8000, 0x801, METHOD_BUFFERED, FILE_ANY_ACCESS)"
input = "void"
output = "ACME_STATUS"

[[request]]
name = "IOCTL_ACME_RESET"
number = 0x80002008
"#;

#[test]
fn vendors_have_codes_too() {
    let linux = "[vendor]\nname = \"other\"\n\n[[request]]\nname = \"OTHER\"\nnumber = 0x4601\n";
    let (registry, mistakes) = Registry::with_vendor_texts([("a.toml", ACME), ("b.toml", linux)]);
    assert_eq!(mistakes, []);
    assert!(registry.find("OTHER").is_some() && registry.windows().find("OTHER").is_none());
    let lookup = registry.lookup(0x8000_2004, Arch::Win32, &ioctl_registry::Device::default());
    let [named] = lookup.named() else { panic!("{lookup}") };
    assert_eq!((named.name(), named.family()), ("IOCTL_ACME_GET_STATUS", "acme"));
    let status = image().u32s(&[1, 0x44]).wide("abc").u16s(&[0]);
    let buffers = Buffers { output: buffer(&status.0), ..Buffers::default() };
    let value = registry.control_buffer(Some(named), Arch::Win32, Side::Output, &buffers).unwrap();
    assert_eq!(value.to_string(), r#"{State=ACME_BUSY, Owner=0x44, Name="abc"}"#);
    assert_eq!(registry.windows().requests().count(), Registry::builtin().windows().requests().count() + 2);
    let file = ioctl_registry::vendor::VendorFile::parse("a.toml", ACME).unwrap();
    assert_eq!(file.render(), ACME);
}

#[test]
fn mistakes_of_vendors_are_told() {
    let text = "\
[vendor]
name = \"a\"
os = \"windows\"
[fields]
\"ACME.State\" = \"set NONE_SUCH\"
[[request]]
name = \"A\"
code = \"CTL_CODE(0x8000, 0x801, METHOD_SIDEWAYS, FILE_ANY_ACCESS)\"
[[request]]
name = \"B\"
number = 1
output = \"NOBODY\"
";
    let told = |text: &str| {
        let (_, mistakes) = Registry::with_vendor_texts([("a.toml", text)]);
        mistakes.iter().map(Mistake::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        told(text),
        [
            "a.toml:5: no set is named `NONE_SUCH`; define it as [sets.NONE_SUCH]",
            "a.toml:6: `A`: `METHOD_SIDEWAYS` is no method; correct `code`",
            "a.toml:9: `B`: no type is named `NOBODY`; correct `output`, or define the type under [types]",
        ]
    );
    assert_eq!(
        told("[vendor]\nname = \"a\"\nos = \"windows\"\n[[request]]\nname = \"A\"\nioc = \"x\"\n"),
        [
            "a.toml:4: `number` or `code` is missing; add `number = 0x…` or `code = \"CTL_CODE(0x8000, 0x801, \
             METHOD_BUFFERED, FILE_ANY_ACCESS)\"`",
            "a.toml:6: unknown key `ioc`; known here are `name`, `number`, `code`, `input`, `output`",
        ]
    );
    assert_eq!(
        told("[vendor]\nname = \"a\"\nos = \"dos\"\n"),
        ["a.toml:3: `dos` is no system; write linux or windows"]
    );
}
