//! Any text is a vendor file or mistakes that are told, and what is read can be written and read again.
//! `cd registry && cargo +nightly fuzz run vendor`
#![no_main]

use ioctl_registry::vendor::VendorFile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match VendorFile::parse("fuzz", text) {
        Ok(file) => assert_eq!(VendorFile::parse("fuzz", &file.render()).as_ref(), Ok(&file)),
        Err(mistakes) => assert!(!mistakes.is_empty()),
    }
});
