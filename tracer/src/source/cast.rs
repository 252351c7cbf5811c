//! Calls of the kernel's function `bpf_rdonly_cast`, which the loader of BPF objects does not link: the kernel side calls a
//! helper that does not exist, and these calls are replaced before the object is loaded.

use ioctl_trace_ebpf::CAST;
use object::{Object as _, ObjectSection as _, SectionKind};

/// `call HELPER`, and its register field where the number is that of a kernel function (`BPF_PSEUDO_KFUNC_CALL`).
const CALL: u8 = 0x85;
const KERNEL_FUNCTION: u8 = 2 << 4;
/// `r0 = r1`.
const MOVE: [u8; INSTRUCTION] = [0xbf, 0x10, 0, 0, 0, 0, 0, 0];
/// Bytes of an instruction.
const INSTRUCTION: usize = 8;

/// The object with each call of [`CAST`] replaced: by one of the function with this BTF id or, where the kernel has none, by
/// handing back the address.
///
/// # Errors
/// When the bytes are no object.
pub fn linked(object: &[u8], function: Option<u32>) -> Result<Vec<u8>, object::Error> {
    let (mut linked, parsed) = (object.to_vec(), object::File::parse(object)?);
    let code = parsed.sections().filter(|section| section.kind() == SectionKind::Text);
    for (start, length) in code.filter_map(|section| section.file_range()) {
        let range = usize::try_from(start).ok().zip(usize::try_from(length).ok());
        let code = range.and_then(|(start, length)| linked.get_mut(start..start.checked_add(length)?));
        for instruction in code.unwrap_or_default().chunks_exact_mut(INSTRUCTION) {
            if instruction.starts_with(&[CALL, 0, 0, 0]) && instruction.ends_with(&CAST.to_ne_bytes()) {
                let mut call = [CALL, KERNEL_FUNCTION, 0, 0, 0, 0, 0, 0];
                call[4..].copy_from_slice(&function.unwrap_or_default().to_ne_bytes());
                instruction.copy_from_slice(if function.is_some() { &call } else { &MOVE });
            }
        }
    }
    Ok(linked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_is_replaced() {
        let object = super::super::live::OBJECT;
        let calls = |object: &[u8], call: &[u8]| object.windows(INSTRUCTION).filter(|at| *at == call).count();
        let unlinked = [&[CALL, 0, 0, 0][..], &CAST.to_ne_bytes()].concat();
        let there = calls(object, &unlinked);
        assert!(there > 0);
        let with = linked(object, Some(0x1234_5678)).expect("an object");
        let call = [&[CALL, KERNEL_FUNCTION, 0, 0][..], &0x1234_5678_u32.to_ne_bytes()].concat();
        assert_eq!((calls(&with, &unlinked), calls(&with, &call), with.len()), (0, there, object.len()));
        let without = linked(object, None).expect("an object");
        assert_eq!((calls(&without, &unlinked), calls(&without, &call)), (0, 0));
        assert!(linked(b"something else", None).is_err());
    }
}
