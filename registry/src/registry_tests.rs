//! Tests of lookups and of the committed data.

use std::time::Instant;

use super::*;
use crate::{DeviceKind, Edition};

fn char_device(major: u32, minor: u32) -> Device<'static> {
    Device { kind: DeviceKind::Char, major, minor, ..Device::default() }
}

fn of_kind(kind: DeviceKind) -> Device<'static> {
    Device { kind, ..Device::default() }
}

#[track_caller]
fn assert_lookup(number: u32, device: &Device<'_>, text: &str) {
    assert_eq!(Registry::builtin().lookup(number, device).to_string(), text, "{number:#x} on {device:?}");
}

#[test]
fn every_line_is_read() {
    assert_eq!(Registry::builtin().skipped, 0);
}

#[test]
fn every_request_is_found_by_name_and_number() {
    let registry = Registry::builtin();
    for request in registry.requests() {
        let found = registry.find(request.name).unwrap();
        assert_eq!(found.name, request.name);
        assert!(registry.names(request.number, &Device::default()).any(|other| other == request));
        match registry.lookup(request.number, &Device::default()) {
            Lookup::Exact(found) => assert_eq!(found, request),
            Lookup::Ambiguous(found) => assert!(found.len() > 1 && found.contains(&request)),
            other => panic!("{}: {other:?}", request.name),
        }
        assert_eq!(request.encoding().encode(), request.number);
    }
    assert_eq!(registry.requests().count(), registry.requests.len());
}

#[test]
fn aliases_resolve_but_name_no_number() {
    let registry = Registry::builtin();
    for line in parse::lines(ALIASES) {
        let [alias, name, _header] = parse::columns(line).unwrap();
        let request = registry.find(alias).unwrap();
        assert_eq!(request.name, name);
        assert!(registry.aliases(request).any(|other| other == alias));
        assert!(registry.requests().all(|request| request.name != alias), "{alias} is a request too");
        assert!(registry.matching(alias).any(|matched| matched == request));
    }
}

#[test]
fn tables_are_sorted_and_small() {
    for table in [REQUESTS, MORE_REQUESTS, ALIASES] {
        let names: Vec<_> = parse::lines(table).filter_map(|line| line.split('\t').next()).collect();
        assert!(names.is_sorted());
    }
    let keys: Vec<_> = parse::lines(BLOCKS).map(|line| line.get(..14).unwrap()).collect();
    assert!(keys.is_sorted());
    let tables = [REQUESTS, MORE_REQUESTS, ALIASES, BLOCKS, FAMILIES];
    assert!(tables.map(str::len).iter().sum::<usize>() < 600_000);
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
    assert!(!BLOCKS.contains('@'), "the table names no addresses");
}

#[test]
fn every_family_line_and_glob_covers_a_request() {
    let registry = Registry::builtin();
    for (place, rule) in registry.rules.iter().enumerate() {
        let covered: Vec<_> =
            registry.requests.iter().filter(|request| request.rule == Some(place)).collect();
        for glob in rule.headers.iter() {
            assert!(covered.iter().any(|request| glob_matches(glob, request.header)), "{glob} of {rule:?}");
        }
        for glob in rule.names.iter() {
            assert!(covered.iter().any(|request| glob_matches(glob, request.name)), "{glob} of {rule:?}");
        }
    }
}

#[test]
fn every_request_has_a_family() {
    let registry = Registry::builtin();
    let lost: Vec<_> = registry.family(NO_FAMILY).map(|request| (request.header, request.name)).collect();
    assert!(lost.is_empty(), "{lost:?}");
    assert!(registry.families().count() > 60);
    assert_eq!(
        registry.families().map(|family| registry.family(family).count()).sum::<usize>(),
        registry.requests.len()
    );
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
    let Lookup::Block(encoding, blocks) = registry.lookup(0x5a14, &Device::default()) else { panic!() };
    assert_eq!(encoding.to_string(), "_IOC(_IOC_NONE, 0x5a, 0x14, 0)");
    assert_eq!(blocks[0].headers().collect::<Vec<_>>(), ["drivers/message/fusion/mptctl.h"]);
    assert!(matches!(registry.lookup(0xdead_5eff, &Device::default()), Lookup::Unknown(_)));
}

#[test]
fn no_number_makes_it_panic() {
    let registry = Registry::builtin();
    let devices = [Device::default(), char_device(10, 232), of_kind(DeviceKind::AnonInode)];
    for step in 0..200_000_u32 {
        let number = step.wrapping_mul(0x9e37_79b9);
        for device in &devices {
            let _ = registry.lookup(number, device);
        }
    }
}

#[test]
fn malformed_lines_are_skipped() {
    let registry = Registry::from_tables(
        ["A\t0x1\t\tlinux/a.h\nB\tx\t\tlinux/a.h\nC\t0x1ffffffff\t\th\n", "D\n"],
        "E\tA\th\nF\tmissing\th\n",
        "0x1\t0x2\n0x100\t0x00\t0x00\t6.12\t\tx\n",
        "a\tlinux/*\t*\tnowhere:1\n",
    );
    assert_eq!(registry.skipped, 7);
    assert_eq!(registry.find("E").unwrap().number, 1);
    assert_eq!(registry.requests().count(), 1);
}

#[test]
fn globs_select_names_and_aliases_once() {
    let registry = Registry::builtin();
    assert_eq!(registry.matching("*").count(), registry.requests.len());
    assert_eq!(registry.matching("TIOCINQ").map(|request| request.name).collect::<Vec<_>>(), ["FIONREAD"]);
    assert!(registry.matching("VIDIOC_*").count() > 80);
    assert_eq!(registry.matching("[").count(), 0);
}

/// Prints times; the bounds are generous because tests run unoptimised and beside others.
#[test]
fn opening_and_looking_up_are_quick() {
    let start = Instant::now();
    let registry = Registry::from_tables([REQUESTS, MORE_REQUESTS], ALIASES, BLOCKS, FAMILIES);
    let opening = start.elapsed();
    let start = Instant::now();
    let mut exact = 0_u32;
    for _ in 0..10_000 {
        exact += u32::from(matches!(registry.lookup(0x5401, &char_device(136, 3)), Lookup::Exact(_)));
        exact += u32::from(matches!(registry.lookup(0x8068_5600, &char_device(81, 0)), Lookup::Exact(_)));
    }
    let each = start.elapsed() / 20_000;
    println!("opening {opening:?}, lookup {each:?}");
    assert_eq!(exact, 20_000);
    assert!(opening.as_millis() < 1000 && each.as_micros() < 100);
}
