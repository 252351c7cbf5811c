//! A header with everything that makes importing hard. These tests need a C compiler, as importing does.

use std::fs;

use ioctl_registry::{Arch, Registry};

use super::*;

const HEADER: &str = r"
#ifndef ACME_H
#define ACME_H
#include <linux/types.h>
#include <linux/ioctl.h>
#define ACME_MAGIC 0xec
enum acme_mode { ACME_FAST, ACME_SLOW = 7, ACME_ODD = -1 };
struct winsize { __u32 other; };
typedef struct { __u8 id[16]; } acme_id;
struct acme_node;
struct acme_job {
    __u32 flags;
    enum acme_mode mode;
    char name[32];
    acme_id id;
    union { __u64 addr; __u32 fd; };
    struct acme_job *next;
    struct acme_node *hidden;
    __u32 low : 3, high : 29;
    struct { __u16 a; __u8 b; } __attribute__((packed)) pair[2];
    __be32 net;
    size_t len;
    __u64 tail[];
};
#define ACME_SUBMIT _IOWR(ACME_MAGIC, 0x2a, struct acme_job)
#define ACME_SUBMIT_OLD ACME_SUBMIT
#define ACME_ID _IOR(ACME_MAGIC, 1, acme_id)
#define ACME_WIN _IOW(ACME_MAGIC, 2, struct winsize)
#define ACME_RESET _IO(ACME_MAGIC, 3)
#define ACME_BIG _IOC(_IOC_READ, 'a', 4, 64)
#define ACME_NAME(len) _IOC(_IOC_READ, 'a', 5, len)
#define ACME_BROKEN _IOR(ACME_MAGIC, 9, struct nobody)
#define ACME_LIST _IOR(ACME_MAGIC, 10, __u32[8])
#define ACME_PLAIN 0x4711
#define ACME_LIMIT 0x4712
enum { ACME_ENUM = _IOW(ACME_MAGIC, 11, int) };
#endif
";

fn import_text(header: &str, order: Order) -> Result<Imported, String> {
    let dir = tempfile::tempdir().expect("folder");
    let path = dir.path().join("acme.h");
    fs::write(&path, header).expect("header");
    let scratch = format!("{}/", dir.path().canonicalize().expect("path").display());
    import(&Order { headers: vec![path], ..order }).map_err(|error| error.to_string().replace(&scratch, ""))
}

#[test]
fn requests_and_types_of_a_header() {
    let order = Order { devices: vec!["char:240".into()], also: vec!["ACME_PL*".into()], ..Order::default() };
    let imported = import_text(HEADER, order).unwrap();
    insta::assert_snapshot!(imported.file.render());
    let (registry, mistakes) = Registry::with_vendor_texts([("acme", &*imported.file.render())]);
    assert_eq!(mistakes, []);
    let number = |arch| registry.find("ACME_SUBMIT").and_then(|request| request.number(arch));
    assert_eq!((number(Arch::X86_64), number(Arch::Arm)), (Some(0xc068_ec2a), Some(0xc060_ec2a)));
    let left_out: Vec<_> = imported.left_out.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(left_out, ["ACME_NAME", "ACME_BROKEN", "ACME_SUBMIT_OLD"]);
}

#[test]
fn names_of_other_architectures_are_taken_too() {
    let header = "#include <linux/types.h>\n#include <linux/ioctl.h>\nstruct kvm_s390_mem_op { __u8 other; };\n\
                  #define ACME_MEM_OP _IOR(0xec, 1, struct kvm_s390_mem_op)\n";
    let text = import_text(header, Order::default()).expect("a file").file.render();
    assert!(text.contains("struct kvm_s390_mem_op~acme"), "{text}");
}

#[test]
fn mistakes_name_a_remedy() {
    let error = |text| import_text(text, Order::default()).unwrap_err();
    assert_eq!(
        error("#include \"gone.h\"\n"),
        "`acme.h` does not compile: acme.h:1:10: fatal error: gone.h: No such file or directory; pass -I DIR for the \
         folder that has it"
    );
    assert!(
        error("struct x { foo_t a; };")
            .ends_with("pass --before HEADER for the header that defines it, or -D MACRO")
    );
    assert!(error("int x;").starts_with("`acme.h` defines no request: "));
    let devices = Order { devices: vec!["chair".into()], ..Order::default() };
    assert!(
        import_text("#include <linux/ioctl.h>\n#define A _IO('x', 1)\n", devices)
            .unwrap_err()
            .contains("`chair` is no device")
    );
    let missing = import(&Order { headers: vec!["/no/such.h".into()], ..Order::default() }).unwrap_err();
    assert!(missing.to_string().starts_with("cannot read `/no/such.h`: No such file"));
    let device = import(&Order { headers: vec!["/dev/zero".into()], ..Order::default() }).unwrap_err();
    assert_eq!(device.to_string(), "cannot read `/dev/zero`: it is no regular file");
}
