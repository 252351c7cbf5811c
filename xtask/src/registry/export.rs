//! Makes user-space headers of a kernel's source tree, as `make headers_install` does, without running its makefiles.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::files_below;

/// Words of the kernel and what its user-space headers have instead; without `__KERNEL__` nothing else of it is seen.
const ANNOTATIONS: [(&str, &str); 6] = [
    ("__user", ""),
    ("__force", ""),
    ("__iomem", ""),
    ("__attribute_const__", ""),
    ("__must_check", ""),
    ("__packed", "__attribute__((packed))"),
];

/// Headers that only annotate, so that user space does without them.
const ANNOTATING: [&str; 2] = ["<linux/compiler.h>", "<linux/compiler_types.h>"];

/// Copies the headers below `roots` into `target`; of two with one name, the first stays.
///
/// # Errors
///
/// When a file cannot be read or written.
pub fn copy(roots: &[PathBuf], target: &Path) -> Result<()> {
    for root in roots {
        for path in files_below(root, "h")? {
            let copy = target.join(path.strip_prefix(root)?);
            if copy.exists() {
                continue;
            }
            let text = fs::read(&path).with_context(|| path.display().to_string())?;
            fs::create_dir_all(copy.parent().unwrap_or(target))?;
            fs::write(&copy, exported(&String::from_utf8_lossy(&text)))?;
        }
    }
    Ok(())
}

/// A header without annotations, line by line, so that line numbers stay.
fn exported(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    for line in text.lines() {
        let annotating =
            line.starts_with("#include") && ANNOTATING.iter().any(|header| line.contains(header));
        if !annotating {
            push_without_annotations(&mut result, line);
        }
        result.push('\n');
    }
    result
}

fn push_without_annotations(result: &mut String, line: &str) {
    let is_word = |symbol: char| symbol.is_ascii_alphanumeric() || symbol == '_';
    for piece in line.split_inclusive(|symbol| !is_word(symbol)) {
        let word = piece.trim_end_matches(|symbol| !is_word(symbol));
        match ANNOTATIONS.iter().find(|(annotation, _)| *annotation == word) {
            Some((_, instead)) => {
                result.push_str(instead);
                result.push_str(piece.strip_prefix(word).unwrap_or_default());
            }
            None => result.push_str(piece),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::exported;

    #[test]
    fn annotations_go_and_lines_stay() {
        let text = "#include <linux/compiler.h>\n#include <linux/types.h>\nstruct a { void __user *p; int __user_x; } __packed;\n";
        let plain =
            "\n#include <linux/types.h>\nstruct a { void  *p; int __user_x; } __attribute__((packed));\n";
        assert_eq!(exported(text), plain);
    }
}
