//! What strace wrote: `strace -f -y -e trace=ioctl -o FILE`.

use std::collections::BTreeMap;

/// One call as strace printed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The thread.
    pub tid: i64,
    /// The descriptor, with the file behind it.
    pub fd: String,
    /// The request: a name, `A or B`, or `_IOC(…)`.
    pub name: String,
    /// The argument, as it stands there.
    pub argument: String,
    /// What was returned, with the error's name.
    pub result: String,
}

/// Reads `TID ioctl(FD<PATH>, NAME, …) = RESULT …`, where a call that another thread interrupts comes in two lines.
pub fn calls(text: &str) -> Vec<Call> {
    let mut calls = Vec::new();
    let mut begun: BTreeMap<i64, &str> = BTreeMap::new();
    for line in text.lines() {
        let Some((tid, rest)) = line.trim_start().split_once(' ') else { continue };
        let (Ok(tid), rest) = (tid.parse::<i64>(), rest.trim_start()) else { continue };
        let whole = if let Some(begin) = rest.strip_suffix(" <unfinished ...>") {
            begun.insert(tid, begin);
            continue;
        } else if let Some(end) = rest.strip_prefix("<... ioctl resumed>") {
            begun.remove(&tid).unwrap_or_default().to_owned() + end
        } else {
            rest.to_owned()
        };
        calls.extend(whole.strip_prefix("ioctl(").and_then(|call| parse(tid, call)));
    }
    // Of threads that ended within a call only the beginning is there.
    for (tid, call) in begun {
        calls.extend(call.strip_prefix("ioctl(").and_then(|call| parse(tid, &format!("{call}) = ?"))));
    }
    calls
}

fn parse(tid: i64, call: &str) -> Option<Call> {
    let (before, result) = call.rsplit_once(" = ")?;
    // Of an error, its text is left out; of a descriptor, the file.
    let result = result.split(" (").next().unwrap_or(result).split('<').next().unwrap_or(result).trim();
    // Short lines are filled up to a column.
    let before = before.trim_end().strip_suffix(')')?;
    let (fd, after) = before.split_once(", ")?;
    let name = request(after);
    let argument = after.get(name.len()..)?.trim_start_matches(", ");
    Some(Call {
        tid,
        fd: fd.to_owned(),
        name: name.to_owned(),
        argument: argument.to_owned(),
        result: result.to_owned(),
    })
}

/// The request at the beginning of a text; it may be an expression with commas.
fn request(text: &str) -> &str {
    let mut depth = 0_usize;
    for (place, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => return text.get(..place).unwrap_or(text),
            _ => (),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_taken_apart() {
        let text = "12 ioctl(3</dev/x>, EVIOCGBIT(EV_KEY, 96), [KEY_A]) = 96</dev/z>\n\
                    13 ioctl(4, TCGETS or TCGETS2 <unfinished ...>\n\
                    12 ioctl(3</dev/y>, _IOC(_IOC_NONE, 0x1, 0x2, 0), 0x7ff) = -1 ENOTTY (Not a tty)\n\
                    13 <... ioctl resumed>, {a=1, b=[{c=2}]})  = 0\n12 +++ exited with 0 +++\n";
        let call = |tid, fd: &str, name: &str, argument: &str, result: &str| Call {
            tid,
            fd: fd.to_owned(),
            name: name.to_owned(),
            argument: argument.to_owned(),
            result: result.to_owned(),
        };
        let expected = [
            call(12, "3</dev/x>", "EVIOCGBIT(EV_KEY, 96)", "[KEY_A]", "96"),
            call(12, "3</dev/y>", "_IOC(_IOC_NONE, 0x1, 0x2, 0)", "0x7ff", "-1 ENOTTY"),
            call(13, "4", "TCGETS or TCGETS2", "{a=1, b=[{c=2}]}", "0"),
        ];
        assert_eq!(calls(text), expected);
    }
}
