//! Requests that a file adds are named like any other, and can be asked for.

use std::fs;

use crate::trace::{exerciser, have_root, ioctl_trace, run, stderr};

#[test]
fn files_of_other_users_are_refused() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("folder");
    let path = dir.path().join("acme.toml");
    fs::write(&path, "[vendor]\nname = \"acme\"\n").expect("a file");
    let listed = || run(ioctl_trace(["list", "TCGETS", "--registry"]).arg(&path));
    assert!(listed().status.success());
    std::os::unix::fs::chown(&path, Some(65_534), None).expect("an owner");
    let refused = listed();
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("belongs to another user (65534)"), "{}", stderr(&refused));
}

#[test]
fn requests_of_an_imported_header_are_named() {
    if !have_root() {
        return;
    }
    let dir = tempfile::tempdir().expect("folder");
    let path = |name: &str| dir.path().join(name).display().to_string();
    fs::write(path("acme.h"), "#include <linux/types.h>\n#define ACME_PING _IOR(0xde, 0xad, __u64)\n")
        .expect("header");
    let imported = run(ioctl_trace(["registry", "import", &path("acme.h"), "-o", &path("acme.toml")]));
    assert!(imported.status.success(), "{}", stderr(&imported));
    let program = exerciser().display().to_string();
    let words = [
        "--registry",
        &path("acme.toml"),
        "-e",
        "ACME_PING",
        "-q",
        "--user",
        "root",
        "--",
        &program,
        &path("log"),
    ];
    let text = stderr(&run(ioctl_trace(words)));
    assert!(
        text.contains("</dev/null>, ACME_PING, 0x") && text.lines().all(|line| line.contains("ACME_PING")),
        "{text}"
    );
}
