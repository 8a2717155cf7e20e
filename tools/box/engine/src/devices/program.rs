//! The v1 device rules as a program of type `BPF_PROG_TYPE_CGROUP_DEVICE`: one comparison after the other, the
//! first rule that fits decides, none denies. See `struct bpf_cgroup_dev_ctx` of linux/bpf.h.

use kit_sys::bpf::Instruction;

use super::{Kind, Rule};

const BPF_DEVCG_DEV_BLOCK: i32 = 1;
const BPF_DEVCG_DEV_CHAR: i32 = 2;
const BPF_DEVCG_ACC_MKNOD: i32 = 1;
const BPF_DEVCG_ACC_READ: i32 = 2;
const BPF_DEVCG_ACC_WRITE: i32 = 4;

const ALL: i32 = BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE;

const LOAD_WORD: u8 = 0x61; // BPF_LDX | BPF_MEM | BPF_W
const MOVE: u8 = 0xb7; // BPF_ALU64 | BPF_MOV | BPF_K
const MOVE_REGISTER: u8 = 0xbf; // BPF_ALU64 | BPF_MOV | BPF_X
const AND: u8 = 0x57; // BPF_ALU64 | BPF_AND | BPF_K
const SHIFT_RIGHT: u8 = 0x77; // BPF_ALU64 | BPF_RSH | BPF_K
const JUMP_IF_EQUAL: u8 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const JUMP_UNLESS_EQUAL: u8 = 0x55; // BPF_JMP | BPF_JNE | BPF_K
const EXIT: u8 = 0x95; // BPF_JMP | BPF_EXIT

/// Registers: the result, the context that the kernel passes, and the values read from it.
const RESULT: u8 = 0;
const CONTEXT: u8 = 1;
const KIND: u8 = 2;
const ACCESS: u8 = 3;
const MAJOR: u8 = 4;
const MINOR: u8 = 5;
const SCRATCH: u8 = 6;

fn op(code: u8, to: u8, from: u8, offset: i16, immediate: i32) -> Instruction {
    Instruction {
        code,
        registers: from << 4 | to,
        offset,
        immediate,
    }
}

/// The program of these rules. The last rule that fits decides, as on v1, so they are compared in reverse order.
pub fn compile(rules: &[Rule]) -> Vec<Instruction> {
    let mut program = vec![
        // access_type: what is asked in the high half, the kind of device in the low one.
        op(LOAD_WORD, KIND, CONTEXT, 0, 0),
        op(MOVE_REGISTER, ACCESS, KIND, 0, 0),
        op(SHIFT_RIGHT, ACCESS, 0, 0, 16),
        op(AND, KIND, 0, 0, 0xffff),
        op(LOAD_WORD, MAJOR, CONTEXT, 4, 0),
        op(LOAD_WORD, MINOR, CONTEXT, 8, 0),
    ];
    for rule in rules.iter().rev() {
        program.extend(one(rule));
    }
    program.extend(verdict(0));
    program
}

fn verdict(result: i32) -> [Instruction; 2] {
    [op(MOVE, RESULT, 0, 0, result), op(EXIT, 0, 0, 0, 0)]
}

/// The instructions of one rule: each comparison that fails jumps past their end. An allowing rule fits if it names all of
/// the access that is asked for, a denying one if it names any of it.
fn one(rule: &Rule) -> Vec<Instruction> {
    let mut body = Vec::new();
    match rule.kind {
        Kind::All => {}
        Kind::Character => body.push(op(JUMP_UNLESS_EQUAL, KIND, 0, 0, BPF_DEVCG_DEV_CHAR)),
        Kind::Block => body.push(op(JUMP_UNLESS_EQUAL, KIND, 0, 0, BPF_DEVCG_DEV_BLOCK)),
    }
    let named = rule.access.chars().fold(0, |named, letter| match letter {
        'm' => named | BPF_DEVCG_ACC_MKNOD,
        'r' => named | BPF_DEVCG_ACC_READ,
        'w' => named | BPF_DEVCG_ACC_WRITE,
        _ => named,
    });
    if rule.allow && named != ALL {
        body.push(op(MOVE_REGISTER, SCRATCH, ACCESS, 0, 0));
        body.push(op(AND, SCRATCH, 0, 0, ALL & !named));
        body.push(op(JUMP_UNLESS_EQUAL, SCRATCH, 0, 0, 0));
    }
    if !rule.allow {
        body.push(op(MOVE_REGISTER, SCRATCH, ACCESS, 0, 0));
        body.push(op(AND, SCRATCH, 0, 0, named));
        body.push(op(JUMP_IF_EQUAL, SCRATCH, 0, 0, 0));
    }
    for (register, number) in [(MAJOR, rule.major), (MINOR, rule.minor)] {
        if let Some(number) = number {
            body.push(op(JUMP_UNLESS_EQUAL, register, 0, 0, number.cast_signed()));
        }
    }
    body.extend(verdict(i32::from(rule.allow)));
    let len = body.len();
    for (at, instruction) in body.iter_mut().enumerate() {
        if matches!(instruction.code, JUMP_UNLESS_EQUAL | JUMP_IF_EQUAL) {
            // Counted from the next one on; a rule is at most 8 instructions.
            instruction.offset = (len - at - 1) as i16;
        }
    }
    body
}
