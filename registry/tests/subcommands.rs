//! Every row of the tables says of an argument what its type can bear.

use std::sync::Arc;

use ioctl_registry::{Arch, Base, Layout, Registry, Subcommand};

/// Rows whose paths the type of the argument does not have, with the reason.
const EXPLAINED: [(&str, &str); 1] =
    [("FS_IOC_GET_ENCRYPTION_POLICY_EX", "its number is made of an array of nine bytes")];

/// The type that a row is about, on every architecture that has it.
fn layouts(registry: &Registry, command: &Subcommand) -> Vec<Arc<Layout>> {
    let on = |ty: &str| Arch::ALL.into_iter().filter_map(|arch| registry.layout(ty, arch).ok()).collect();
    if registry.type_names().any(|name| name == command.request) {
        return on(command.request);
    }
    let rows = registry.rows(command.request).iter();
    rows.filter_map(|request| Some(on(request.arg().ty()?))).flat_map(|layouts: Vec<_>| layouts).collect()
}

#[test]
fn selectors_and_targets_fit_the_arguments() {
    let registry = Registry::builtin();
    let names = registry.requests().map(|request| request.name()).chain(registry.type_names());
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    names.dedup();
    let (mut seen, mut wrong) = (0, Vec::new());
    for command in names.into_iter().flat_map(|name| registry.subcommands_of(name)) {
        seen += 1;
        let place = format!("{}\t{}\t{}\t{}", command.request, command.selector, command.name, command.arg);
        let (Some(selector), Some(target)) = (command.selector(), command.target()) else {
            wrong.push(format!("cannot be read: {place}"));
            continue;
        };
        let mut paths = vec![target.path.first().cloned().unwrap_or_default()];
        if let Base::Field(path) = selector.base {
            paths.extend(path.first().cloned());
        }
        let layouts = layouts(registry, command);
        for path in paths.iter().filter(|path| !path.is_empty()) {
            let fits = layouts.iter().any(|layout| layout.place(path).is_some());
            if !fits && !EXPLAINED.iter().any(|(request, _)| *request == command.request) {
                wrong.push(format!("no {path}: {place}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen > 2000, "{seen}");
}
