//! Tests of lookups and of the committed data.

use std::fs;

use super::*;
use crate::{DeviceKind, Edition, Encoding, Lookup, cover::Cover, expression::NumberError};

fn char_device(major: u32, minor: u32) -> Device<'static> {
    Device { kind: DeviceKind::Char, major, minor, ..Device::default() }
}

fn of_kind(kind: DeviceKind) -> Device<'static> {
    Device { kind, ..Device::default() }
}

#[track_caller]
fn assert_lookup(number: u32, device: &Device<'_>, text: &str) {
    let found = Registry::builtin().lookup(number, Arch::X86_64, device);
    assert_eq!(found.to_string(), text, "{number:#x} on {device:?}");
}

/// A registry of some lines, as the build leaves them, and what vendors add.
fn registry(requests: &str, families: &str) -> Registry {
    let texts = [requests, "", "", families].map(|text| &*text.to_owned().leak());
    let registry = Registry::from_tables(System::Linux, texts, More::default());
    assert_eq!(registry.skipped, 0);
    registry
}

#[test]
fn every_line_is_read() {
    for (table, lines) in Registry::builtin().unreadable() {
        assert_eq!(lines, 0, "{table}");
    }
}

#[test]
fn every_request_is_found_by_name_and_number() {
    let registry = Registry::builtin();
    for request in registry.requests() {
        assert_eq!(registry.find(request.name()).unwrap().name(), request.name());
        assert!(registry.rows(request.name()).iter().any(|row| std::ptr::eq(row, request)));
        for arch in Arch::ALL {
            let Some(number) = request.number(arch) else { continue };
            let lookup = registry.lookup(number, arch, &Device::default());
            let current = |other: &Request| other.name() == request.name() || other.is_current();
            let found = lookup.named().iter().any(|named| current(named));
            assert!(found, "{} on {arch}: {lookup:?}", request.name());
            if request.made() != Made::Plain {
                assert_eq!(Encoding::of(number, arch).encode(arch), number);
            }
        }
    }
}

#[test]
fn every_arguments_type_can_be_read() {
    let registry = Registry::builtin();
    for request in registry.requests() {
        let arg = request.arg();
        let Some(ty) = arg.ty() else { continue };
        let names = request.parameters().into_iter().flat_map(|parameters| parameters.names());
        let ty = names.fold(ty.to_owned(), |ty, name| ty.replace(&format!("[{name}]"), "[1]"));
        if let Err(error @ TypeError::Malformed { .. }) = registry.layout(&ty, Arch::X86_64) {
            panic!("{}: {ty}: {error}", request.name());
        }
    }
}

#[test]
fn every_type_has_a_layout() {
    let registry = Registry::builtin();
    for name in registry.type_names() {
        for arch in Arch::ALL {
            if let Ok(layout) = registry.layout(name, arch) {
                assert!(!layout.describe(true).is_empty());
                let _ = registry.decode(&layout, &[0x5a; 64]).to_string();
            }
        }
    }
}

#[test]
fn facts_are_about_sets_and_types_that_exist() {
    let registry = Registry::builtin();
    for (ty, field, facts) in registry.known_facts().fields() {
        for fact in facts {
            if let Fact::Set(set) | Fact::Bitmap(set) | Fact::Index(set) = fact {
                assert!(
                    Arch::ALL.iter().any(|arch| registry.set(set, *arch).is_some()),
                    "{ty} {field}: {set}"
                );
            }
        }
        // Facts about plain values are about a request's, perhaps with a constant: `EVIOCGBIT(EV_KEY)`.
        let ty = ty.split('(').next().unwrap_or(ty);
        let plain = ["@arg", "*", "@ret"].contains(&field) || registry.find(ty).is_some();
        assert!(plain || registry.types().names().any(|name| name == ty), "{ty} {field}");
    }
}

#[test]
fn aliases_resolve_but_name_no_number() {
    let registry = Registry::builtin();
    for (alias, place) in &registry.aliases {
        let request = registry.find(alias).unwrap();
        if request.name() == alias {
            // Where it has a number of its own, it is no alias: on an architecture whose 64-bit times have names of their own.
            let own = request.number(Arch::X86_64);
            assert!(own.is_none() || own != registry.requests[*place].number(Arch::X86_64), "{alias}");
            continue;
        }
        let targets = registry.aliases.iter().filter(|(other, _)| other == alias);
        let mut targets = targets.map(|(_, place)| registry.requests[*place].name());
        assert!(targets.any(|name| name == request.name()), "{alias}");
        assert!(registry.aliases(request).any(|other| other == alias));
        assert!(registry.matching(alias).any(|matched| matched.name() == request.name()));
    }
    assert!(registry.aliases.len() > 50);
}

#[test]
fn tables_are_sorted_and_small() {
    for path in
        ["data/requests.tsv", "overlay/requests.tsv", "data/aliases.tsv", "data/types.tsv", "data/fields.tsv"]
    {
        let text = fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let names: Vec<_> = parse::lines(&text).map(|line| line.split('\t').next()).collect();
        assert!(names.is_sorted(), "{path}");
    }
    let packed: usize = embedded_sizes().map(|(_, packed, _)| packed).sum();
    assert!(packed <= 660_000, "{packed} bytes");
    assert!(embedded_sizes().all(|(_, _, opened)| opened > 0));
}

#[test]
fn both_editions_of_the_block_table_answer() {
    let registry = Registry::builtin();
    for (edition, rows) in [(Edition::Linux2_6_31, 254), (Edition::Linux6_12, 275)] {
        assert_eq!(registry.blocks.iter().filter(|block| block.is_in(edition)).count(), rows, "{edition:?}");
    }
    for block in &registry.blocks {
        assert!(block.headers().next().is_some() || !block.comment.is_empty());
        for nr in [block.first, block.last] {
            assert!(registry.blocks(block.ty, nr).any(|found| found == block));
        }
    }
    assert!(!tables::BLOCKS.text().contains('@'), "the table names no addresses");
}

#[test]
fn every_family_line_and_glob_covers_a_request() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/overlay/families.tsv");
    let families = fs::read_to_string(path).unwrap();
    let registry = Registry::builtin();
    for (place, line) in parse::lines(&families).enumerate() {
        let cover = Cover::parse(line).unwrap();
        let covered: Vec<_> = registry.requests().filter(|request| request.rule == Some(place)).collect();
        for request in &covered {
            assert!(cover.covers(request.header(), request.name()));
        }
        for glob in &cover.headers {
            assert!(covered.iter().any(|request| glob_matches(glob, request.header())), "{glob} of {line}");
        }
        for glob in &cover.names {
            assert!(covered.iter().any(|request| glob_matches(glob, request.name())), "{glob} of {line}");
        }
    }
}

#[test]
fn every_request_has_a_family() {
    let registry = Registry::builtin();
    let lost: Vec<_> = registry.family(NO_FAMILY).map(|request| (request.header(), request.name())).collect();
    assert!(lost.is_empty(), "{lost:?}");
    assert!(registry.families().count() > 60);
    let all = registry.families().map(|family| registry.family(family).count()).sum::<usize>();
    assert_eq!(all, registry.requests.len());
}

#[test]
fn terminal_requests_reach_every_descriptor() {
    for device in [
        char_device(136, 3),
        char_device(4, 64),
        char_device(1, 3),
        of_kind(DeviceKind::Fifo),
        of_kind(DeviceKind::Regular),
        of_kind(DeviceKind::Directory),
        of_kind(DeviceKind::Socket),
    ] {
        assert_lookup(0x5401, &device, "TCGETS");
        assert_lookup(0x5402, &device, "TCSETS");
    }
    assert_lookup(0x5402, &char_device(14, 1), "SNDCTL_TMR_START");
    assert_lookup(0x5402, &Device::default(), "SNDCTL_TMR_START or TCSETS");
    let handled = Device { handler: Some("tty_ioctl"), ..char_device(240, 0) };
    assert_lookup(0x5402, &handled, "TCSETS");
}

#[test]
fn devices_decide_between_requests_of_one_number() {
    let magic = |magic| Device { magic: Some(magic), ..of_kind(DeviceKind::Regular) };
    assert_lookup(0x0001, &of_kind(DeviceKind::Regular), "FIBMAP");
    assert_lookup(0x0001, &Device { major: 8, ..of_kind(DeviceKind::Block) }, "SCSI_IOCTL_SEND_COMMAND");
    assert_lookup(0x5501, &char_device(10, 223), "UI_DEV_CREATE");
    assert_lookup(0x8004_587d, &magic(0xef53), "EXT4_IOC_SHUTDOWN");
    assert_lookup(0x8004_587d, &magic(0xf2f5_2010), "F2FS_IOC_SHUTDOWN");
    assert_lookup(0x8004_587d, &magic(0x5846_5342), "XFS_IOC_GOINGDOWN");
    assert_lookup(0x8004_587d, &magic(0x6969), "FS_IOC_SHUTDOWN");
    assert_lookup(0x5603, &char_device(4, 1), "VT_GETSTATE");
    assert_lookup(0x7004, &Device { handler: Some("rtc_dev_ioctl"), ..char_device(250, 0) }, "RTC_UIE_OFF");
    let vcpu = Device { anon: Some("kvm-vcpu:0"), ..of_kind(DeviceKind::AnonInode) };
    assert_lookup(0x4010_aeab, &vcpu, "KVM_GET_ONE_REG");
    assert_lookup(0x8004_5500, &char_device(116, 0), "SNDRV_CTL_IOCTL_PVERSION");
    assert_lookup(0x0301, &of_kind(DeviceKind::Block), "HDIO_GETGEO");
}

#[test]
fn nothing_is_dropped_when_everything_is_contradicted() {
    assert_lookup(0x5603, &of_kind(DeviceKind::Socket), "VBG_IOCTL_VMMDEV_REQUEST_BIG or VT_GETSTATE");
}

#[test]
fn numbers_without_a_name_fall_back_to_blocks_and_parts() {
    let registry = Registry::builtin();
    let Lookup::Block(encoding, blocks) = registry.lookup(0xf614, Arch::X86_64, &Device::default()) else {
        panic!()
    };
    assert_eq!(encoding.to_string(), "_IOC(_IOC_NONE, 0xf6, 0x14, 0)");
    assert!(blocks[0].comment.contains("LTTng"));
    assert!(matches!(registry.lookup(0xdead_5eff, Arch::X86_64, &Device::default()), Lookup::Unknown(_)));
}

const ROWS: &str = "\
A\t_IOR\t0x80045a01\tread\tu32\tx.h\t5.16-\tmacro\t0\t
A\t_IOR\t0x80085a01\tread\tu64\tx.h\t5.16-6.1\tmacro\t0\t
B\t_IOW\t0x40045a01\twrite\tu32\tx.h\t5.16-\tmacro\t1\t
C\t_IOC\t\tread\tchar[len]\tx.h\t\t\t0\tlen;0x5a;0x07;len;
D\t-\t0x80105a07\tread\tu32\tx.h\t5.16-\tmacro\t1\t
OLD\t_IOR\t0x80045a01\tread\tu32\tx.h\t5.16-5.16\tmacro\t0\t
PAST\t_IO\t0x5a09\tnone\tvoid\tx.h\t5.16-6.1\tmacro\t0\t";
const RULES: &str = "a\tchar:5\nb\tchar:6";

#[test]
fn older_rows_give_way_to_todays() {
    let registry = registry(ROWS, RULES);
    let look = |number, device: &Device<'_>| format!("{:#}", registry.lookup(number, Arch::X86_64, device));
    assert_eq!(look(0x8004_5a01, &Device::default()), "A");
    assert_eq!(look(0x8008_5a01, &Device::default()), "A");
    assert_eq!(look(0x5a09, &Device::default()), "PAST");
    assert_eq!(registry.rows("A").len(), 2);
    assert!(registry.find("A").unwrap().is_current());
    assert_eq!(registry.conflicts(Arch::X86_64).map(|(number, _)| number).collect::<Vec<_>>(), [0x8004_5a01]);
}

#[test]
fn other_sizes_are_marked() {
    let registry = registry(ROWS, RULES);
    let look = |number, device: &Device<'_>| format!("{:#}", registry.lookup(number, Arch::X86_64, device));
    let none = &Device::default();
    assert_eq!(look(0x8010_5a01, none), "_IOC(_IOC_READ, 0x5a, 0x1, 0x10) /* resized A */");
    assert_eq!(look(0x4010_5a01, none), "_IOC(_IOC_WRITE, 0x5a, 0x1, 0x10) /* resized B */");
    assert_eq!(look(0xc010_5a01, none), "_IOC(_IOC_READ|_IOC_WRITE, 0x5a, 0x1, 0x10) /* resized A or B */");
    assert_eq!(
        look(0xc010_5a01, &char_device(6, 0)),
        "_IOC(_IOC_READ|_IOC_WRITE, 0x5a, 0x1, 0x10) /* resized B */"
    );
    let mips = registry.lookup(0x4010_5a01, Arch::Mips, none);
    assert_eq!(format!("{mips:#}"), "_IOC(_IOC_READ, 0x5a, 0x1, 0x10) /* resized A */");
}

#[test]
fn parameters_are_found_unless_a_request_has_the_number() {
    let registry = registry(ROWS, RULES);
    let look = |number, device: &Device<'_>| registry.lookup(number, Arch::X86_64, device).to_string();
    assert_eq!(look(0x8040_5a07, &Device::default()), "C(64)");
    assert_eq!(look(0x8010_5a07, &Device::default()), "D");
    assert_eq!(look(0x8010_5a07, &char_device(5, 0)), "C(16)", "the device fits it better");
    let axis = Registry::builtin().lookup(0x8018_4540, Arch::X86_64, &Device::default());
    assert_eq!(axis.to_string(), "EVIOCGABS(ABS_X)");
    assert_eq!(
        Registry::builtin().number("EVIOCGABS", Arch::X86_64),
        Err(NumberError::Parameters("EVIOCGABS".into(), "EVIOCGABS(abs)".into()))
    );
}

#[test]
fn no_number_makes_it_panic() {
    let registry = Registry::builtin();
    let devices = [Device::default(), char_device(10, 232), of_kind(DeviceKind::AnonInode)];
    for step in 0..20_000_u32 {
        let number = step.wrapping_mul(0x9e37_79b9);
        for (device, arch) in devices.iter().zip(Arch::ALL.into_iter().cycle().skip(step as usize % 11)) {
            let _ = registry.lookup(number, arch, device).to_string();
        }
    }
}

#[test]
fn malformed_lines_are_counted() {
    let good = "A\t-\t0x1\t?\t\tlinux/a.h\t\t\t\t\n";
    let bad = "B\t-\tx\t?\t\tlinux/a.h\t\t\t\t\nC\t-\t0x1ffffffff\t?\t\th\t\t\t\t\nD\n";
    let registry = Registry::from_tables(
        System::Linux,
        [
            format!("{good}{bad}").leak(),
            "E\tA\th\nF\tmissing\th\n",
            "0x1\t0x2\n0x100\t0x00\t0x00\t6.12\t\tx\n",
            "a\tnowhere:1\n",
        ],
        More::default(),
    );
    assert_eq!(registry.skipped, 7);
    assert_eq!(registry.find("E").unwrap().number(Arch::Arm), Some(1));
    assert_eq!(registry.requests().count(), 1);
}

#[test]
fn globs_select_names_and_aliases_once() {
    let registry = Registry::builtin();
    assert_eq!(registry.matching("*").count(), registry.requests.len());
    assert_eq!(registry.matching("TIOCINQ").map(Request::name).collect::<Vec<_>>(), ["FIONREAD"]);
    assert!(registry.matching("VIDIOC_*").count() > 80);
    assert_eq!(registry.matching("[").count(), 0);
}
