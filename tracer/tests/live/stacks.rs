//! Stacks on the live kernel.

use std::process::Stdio;

use crate::trace::{have_root, ioctl_trace, run, stderr};

/// The program is gone long before anybody could look at its memory map.
#[test]
fn programs_that_end_at_once_have_named_stacks() {
    if !have_root() {
        return;
    }
    let mut command = ioctl_trace(["-k", "--", "stty", "size"]);
    command.stdin(Stdio::null());
    let text = stderr(&run(command));
    let mut lines = text.lines().skip_while(|line| !line.contains("TCGETS"));
    lines.next().unwrap_or_else(|| panic!("a call: {text}"));
    let frame = lines.next().unwrap_or_default();
    assert!(
        frame.starts_with(" > /") && frame.contains("/libc.so.6(") && frame.contains("tcgetattr+0x"),
        "{text}"
    );
}
