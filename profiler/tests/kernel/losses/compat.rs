//! Programs of 32 bits, whose calls the probes do not look at: they are counted as missed.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use super::kept;
use crate::harness::{folder, needs_kernel, only, session, skip};

const READS: u32 = 2_000;

/// A program of 32 bits that reads its standard input so often, and ends.
fn program(folder: &Path) -> PathBuf {
    const AT: u32 = 0x0804_8000;
    const HEADERS: u32 = 52 + 32;
    let mut code = vec![0xbf]; // mov edi, READS
    code.extend(READS.to_le_bytes());
    code.extend([0xb8, 3, 0, 0, 0]); // mov eax, 3 (read)
    code.extend([0x31, 0xdb]); // xor ebx, ebx
    code.extend([0x89, 0xe1]); // mov ecx, esp
    code.extend([0xba, 1, 0, 0, 0]); // mov edx, 1
    code.extend([0xcd, 0x80]); // int 0x80
    code.push(0x4f); // dec edi
    code.extend([0x75, 0xed]); // jnz, back to the mov of eax
    code.extend([0xb8, 1, 0, 0, 0]); // mov eax, 1 (exit)
    code.extend([0x31, 0xdb, 0xcd, 0x80]); // xor ebx, ebx; int 0x80
    let size = HEADERS + code.len() as u32;
    // elf(5): ELFCLASS32, ELFDATA2LSB, EV_CURRENT; ET_EXEC, EM_386.
    let mut elf = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x03\0".to_vec();
    for word in [1, AT + HEADERS, 52, 0, 0] {
        elf.extend(u32::to_le_bytes(word));
    }
    for half in [52, 32, 1, 0, 0, 0] {
        elf.extend(u16::to_le_bytes(half));
    }
    // One segment: PT_LOAD, to be read and executed.
    for word in [1, 0, AT, AT, size, size, 5, 0x1000] {
        elf.extend(u32::to_le_bytes(word));
    }
    elf.extend(code);
    let path = folder.join("reader32");
    fs::write(&path, elf).expect("a program");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("to be executable");
    path
}

#[test]
fn what_a_32_bit_program_reads_is_counted_as_missed() {
    needs_kernel!();
    let folder = folder();
    let program = program(folder.path());
    let program = program.to_str().expect("UTF-8");
    if Command::new(program).status().map(|it| it.success()).ok() != Some(true) {
        skip!("this kernel runs no programs of 32 bits");
    }
    let twice = format!("{program}; {program}; true");
    for (command, reads) in [
        (vec![program], u64::from(READS)),
        (vec!["sh", "-c", &twice], u64::from(READS) * 2),
    ] {
        let words: Vec<String> = command.iter().map(ToString::to_string).collect();
        let run = session(&["run"], &words);
        assert!(run.output.status.success(), "{:?}", run.output);
        let missed = only(&run.report).missed_calls;
        assert_eq!((missed.total, missed.whole), (reads, reads), "{command:?}");
    }
    kept(
        "reads of 32-bit programs, missed",
        "a shell that starts two, of 2,000 reads each",
        "4000",
        &(READS * 2).to_string(),
    );
}
