//! What must hold of the tables before they are written.

use anyhow::{Result, ensure};

use ioctl_registry::Made;

use super::{
    arch::{self, ALL, COUNT},
    overlay::Overlay,
    requests::Rows,
};

/// Every size in a number is that of the argument's type, but for the requests and architectures that the overlay
/// lists with a reason.
///
/// # Errors
///
/// When another differs, or one that is listed does not.
pub fn sizes(rows: &Rows, overlay: &Overlay) -> Result<()> {
    let mut wrong = Vec::new();
    let mut excused = Vec::new();
    for row in rows.rows.iter().filter(|row| row.made != Made::Plain) {
        let mut bad = Vec::new();
        for (index, arch) in ALL.iter().enumerate() {
            let (Some(number), Some(Some(size))) = (row.number(index), row.sizes.get(index)) else {
                continue;
            };
            if arch.size_in(number) != *size {
                bad.push(index);
            }
        }
        if bad.is_empty() {
            continue;
        }
        let arches = if bad.len() == COUNT { "all".to_owned() } else { arch::list(&bad) };
        if overlay.size_exceptions().iter().any(|[name, listed, _]| *name == row.name && *listed == arches) {
            excused.push(row.name.as_str());
        } else {
            wrong.push(format!("{}\t{arches}", row.name));
        }
    }
    wrong.sort();
    let stale: Vec<&str> = overlay
        .size_exceptions()
        .iter()
        .map(|[name, ..]| name.as_str())
        .filter(|name| !excused.contains(name))
        .collect();
    ensure!(
        wrong.is_empty(),
        "requests whose number carries another size than their argument's type has:\n{}",
        wrong.join("\n")
    );
    ensure!(stale.is_empty(), "size-exceptions.tsv lists what is no exception: {}", stale.join(", "));
    Ok(())
}
