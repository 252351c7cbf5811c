//! An argument's bytes as the command line gives them.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

/// More than any argument has.
const MOST: u64 = 1 << 20;

/// Hexadecimal text, a file, or `-` for standard input; what files hold is taken as it is. `@FILE` is a file whose name
/// looks like hexadecimal text.
///
/// # Errors
/// Says what is wrong with the text, or why the file cannot be read.
pub fn read(text: &str) -> Result<Vec<u8>, String> {
    if text == "-" {
        return content(io::stdin().lock()).map_err(|error| format!("cannot read standard input: {error}"));
    }
    let file = |path: &str| {
        let bytes = File::open(path).and_then(content);
        bytes.map_err(|error| format!("cannot read `{path}`: {error}"))
    };
    if let Some(path) = text.strip_prefix('@') {
        return file(path);
    }
    match hex(text) {
        Some(bytes) => Ok(bytes),
        None if Path::new(text).exists() => file(text),
        None => Err(format!(
            "`{text}` is no hexadecimal text, such as 18005000 or '18 00 50 00', and no file of that name exists"
        )),
    }
}

fn content(from: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MOST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "larger than 1 MiB"));
    }
    Ok(bytes)
}

/// Bytes in the order of memory. Blanks, commas, colons, `0x` and `\x` may stand between them; a digit alone is a byte.
fn hex(text: &str) -> Option<Vec<u8>> {
    let text = text.replace("\\x", " ");
    let words =
        text.split(|c: char| c.is_whitespace() || matches!(c, ':' | ',')).filter(|word| !word.is_empty());
    let mut bytes = Vec::new();
    for word in words {
        let digits = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X")).unwrap_or(word).as_bytes();
        let digits =
            digits.iter().map(|digit| char::from(*digit).to_digit(16)).collect::<Option<Vec<_>>>()?;
        match digits.as_slice() {
            [] => return None,
            [one] => bytes.push(u8::try_from(*one).ok()?),
            digits => {
                let (pairs, []) = digits.as_chunks::<2>() else { return None };
                for [high, low] in pairs {
                    bytes.push(u8::try_from(high << 4 | low).ok()?);
                }
            }
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn hexadecimal_in_the_usual_shapes() {
        for text in [
            "18005000",
            "18 00 50 00",
            "18:00:50:00",
            "0x18,0x00,0x50,0x00",
            r"\x18\x00\x50\x00",
            "0x18 0 50 0\n",
        ] {
            assert_eq!(read(text).unwrap(), [0x18, 0, 0x50, 0], "{text}");
        }
        assert!(read("").unwrap().is_empty());
        for wrong in ["1g", "123", "0x", "é", "--"] {
            assert!(
                read(wrong).unwrap_err().starts_with(&format!("`{wrong}` is no hexadecimal text")),
                "{wrong}"
            );
        }
    }

    #[test]
    fn files_are_taken_as_they_are() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"12\n").unwrap();
        assert_eq!(read(&format!("@{}", file.path().display())).unwrap(), b"12\n");
        assert_eq!(read(&file.path().display().to_string()).unwrap(), b"12\n");
        assert!(read("@/no/such").unwrap_err().starts_with("cannot read `/no/such`: No such file"));
    }
}
