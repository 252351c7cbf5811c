//! A vendor file's text.

use std::fmt::Write as _;

use super::{VendorFile, VendorNumber};

impl VendorFile {
    /// The text that [`VendorFile::parse`] reads as this.
    ///
    /// ```
    /// use ioctl_registry::vendor::VendorFile;
    ///
    /// let file = VendorFile { name: "acme".into(), ..VendorFile::default() };
    /// assert_eq!(file.render(), "[vendor]\nname = \"acme\"\n");
    /// ```
    #[must_use]
    pub fn render(&self) -> String {
        let mut text = "[vendor]\n".to_owned();
        pair(&mut text, "name", &quoted(&self.name));
        if !self.source.is_empty() {
            pair(&mut text, "source", &quoted(&self.source));
        }
        if self.windows {
            pair(&mut text, "os", &quoted("windows"));
        }
        devices(&mut text, &self.devices);
        for (name, pairs) in [("types", &self.types), ("fields", &self.fields)] {
            if !pairs.is_empty() {
                text += &format!("\n[{name}]\n");
            }
            for (key, value) in pairs {
                pair(&mut text, &quoted(key), &quoted(value));
            }
        }
        for set in &self.sets {
            text += &format!("\n[sets.{}]\n", quoted(&set.name));
            pair(&mut text, "kind", &quoted(&set.kind));
            pair(&mut text, "constants", &quoted(&set.constants));
        }
        for request in &self.requests {
            text += "\n[[request]]\n";
            pair(&mut text, "name", &quoted(&request.name));
            match &request.number {
                VendorNumber::Plain(number) => pair(&mut text, "number", &format!("{number:#x}")),
                VendorNumber::Ioc(ioc) => pair(&mut text, "ioc", &quoted(ioc)),
                VendorNumber::Code(code) => pair(&mut text, "code", &quoted(code)),
            }
            for (key, ty) in [("input", &request.input), ("output", &request.output)] {
                if let Some(ty) = ty {
                    pair(&mut text, key, &quoted(ty));
                }
            }
            if let Some(arg) = &request.arg {
                pair(&mut text, "arg", &quoted(arg));
            }
            if let Some(dir) = request.dir {
                pair(&mut text, "dir", &quoted(dir.as_str()));
            }
            devices(&mut text, &request.devices);
            if let Some(size) = request.size {
                pair(&mut text, "size", &size.to_string());
            }
        }
        text
    }
}

fn pair(text: &mut String, key: &str, value: &str) {
    *text += &format!("{key} = {value}\n");
}

fn devices(text: &mut String, devices: &[String]) {
    if !devices.is_empty() {
        let devices: Vec<_> = devices.iter().map(|device| quoted(device)).collect();
        pair(text, "devices", &format!("[{}]", devices.join(", ")));
    }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut quoted = "\"".to_owned();
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            // Writing to a string cannot fail.
            c if c.is_control() => drop(write!(quoted, "\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
