//! The v1 device rules as a program of type `BPF_PROG_TYPE_CGROUP_DEVICE`: one comparison after the other, the
//! first rule that fits allows, none denies. See `struct bpf_cgroup_dev_ctx` of linux/bpf.h.

use kit_sys::bpf::Instruction;

const BPF_DEVCG_DEV_BLOCK: i32 = 1;
const BPF_DEVCG_DEV_CHAR: i32 = 2;
const BPF_DEVCG_ACC_MKNOD: i32 = 1;
const BPF_DEVCG_ACC_READ: i32 = 2;
const BPF_DEVCG_ACC_WRITE: i32 = 4;

const LOAD_WORD: u8 = 0x61; // BPF_LDX | BPF_MEM | BPF_W
const MOVE: u8 = 0xb7; // BPF_ALU64 | BPF_MOV | BPF_K
const MOVE_REGISTER: u8 = 0xbf; // BPF_ALU64 | BPF_MOV | BPF_X
const AND: u8 = 0x57; // BPF_ALU64 | BPF_AND | BPF_K
const SHIFT_RIGHT: u8 = 0x77; // BPF_ALU64 | BPF_RSH | BPF_K
const JUMP_UNLESS_EQUAL: u8 = 0x55; // BPF_JMP | BPF_JNE | BPF_K
const EXIT: u8 = 0x95; // BPF_JMP | BPF_EXIT

/// Registers: the result, the context that comes in, and what is taken out of it.
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

/// From rules as `devices.allow` takes them: `c 136:* rwm`.
pub fn compile(rules: &[&str]) -> Vec<Instruction> {
    let mut program = vec![
        // access_type: what is asked in the high half, the kind of device in the low one.
        op(LOAD_WORD, KIND, CONTEXT, 0, 0),
        op(MOVE_REGISTER, ACCESS, KIND, 0, 0),
        op(SHIFT_RIGHT, ACCESS, 0, 0, 16),
        op(AND, KIND, 0, 0, 0xffff),
        op(LOAD_WORD, MAJOR, CONTEXT, 4, 0),
        op(LOAD_WORD, MINOR, CONTEXT, 8, 0),
    ];
    for rule in rules {
        program.extend(allow(rule));
    }
    program.extend(verdict(0));
    program
}

fn verdict(result: i32) -> [Instruction; 2] {
    [op(MOVE, RESULT, 0, 0, result), op(EXIT, 0, 0, 0, 0)]
}

/// One rule: each comparison that fails jumps past its end. One that cannot be read allows nothing.
fn allow(rule: &str) -> Vec<Instruction> {
    let mut words = rule.split(' ');
    let kind = match words.next() {
        Some("c") => BPF_DEVCG_DEV_CHAR,
        Some("b") => BPF_DEVCG_DEV_BLOCK,
        _ => return Vec::new(),
    };
    let Some((major, minor)) = words.next().and_then(|numbers| numbers.split_once(':')) else {
        return Vec::new();
    };
    let denied = words.next().unwrap_or_default().chars().fold(
        BPF_DEVCG_ACC_MKNOD | BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE,
        |left, letter| match letter {
            'm' => left & !BPF_DEVCG_ACC_MKNOD,
            'r' => left & !BPF_DEVCG_ACC_READ,
            'w' => left & !BPF_DEVCG_ACC_WRITE,
            _ => left,
        },
    );
    let mut body = vec![op(JUMP_UNLESS_EQUAL, KIND, 0, 0, kind)];
    if denied != 0 {
        body.push(op(MOVE_REGISTER, SCRATCH, ACCESS, 0, 0));
        body.push(op(AND, SCRATCH, 0, 0, denied));
        body.push(op(JUMP_UNLESS_EQUAL, SCRATCH, 0, 0, 0));
    }
    for (register, number) in [(MAJOR, major), (MINOR, minor)] {
        match number.parse() {
            Ok(number) => body.push(op(JUMP_UNLESS_EQUAL, register, 0, 0, number)),
            Err(_) if number == "*" => {}
            Err(_) => return Vec::new(),
        }
    }
    body.extend(verdict(1));
    let len = body.len();
    for (at, instruction) in body.iter_mut().enumerate() {
        if instruction.code == JUMP_UNLESS_EQUAL {
            // Counted from the next one on; a rule is at most 8 instructions.
            instruction.offset = (len - at - 1) as i16;
        }
    }
    body
}
