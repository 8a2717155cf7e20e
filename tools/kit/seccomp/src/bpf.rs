//! The instructions of classic BPF that a filter needs, and argument conditions in terms of them.
//!
//! A register holds 32 bits and an argument 64, so each comparison is one of halves. See seccomp(2) and the
//! kernel's Documentation/networking/filter.rst. Jumps go forward only.

use kit_sys::seccomp::Instruction;
use oci_spec::runtime::{LinuxSeccompArg, LinuxSeccompOperator as Op};

pub const LOAD: u16 = 0x20;
pub const JUMP: u16 = 0x05;
pub const JUMP_EQ: u16 = 0x15;
pub const JUMP_GT: u16 = 0x25;
pub const JUMP_GE: u16 = 0x35;
pub const AND: u16 = 0x54;
pub const RETURN: u16 = 0x06;

/// Offsets in `struct seccomp_data`: the call's number, the architecture, the arguments.
pub const NUMBER: u32 = 0;
pub const ARCH: u32 = 4;
const ARGS: u32 = 16;

/// Stands for "to the end of this rule" until the rule's length is known; no condition is nearly as long.
const FAIL: u8 = u8::MAX;

pub const fn instruction(code: u16, k: u32) -> Instruction {
    jump(code, k, 0, 0)
}

pub const fn jump(code: u16, k: u32, jt: u8, jf: u8) -> Instruction {
    Instruction { code, jt, jf, k }
}

/// Returns `action` when all of `conditions` hold, else goes on to the instruction after the last one.
/// At most six conditions (one an argument) of six instructions: every jump fits in its 8 bits.
pub fn rule(conditions: &[LinuxSeccompArg], wide: bool, action: u32, code: &mut Vec<Instruction>) {
    let start = code.len();
    for condition in conditions {
        if wide {
            compare(condition, code);
        } else {
            compare_low(condition, code);
        }
    }
    code.push(instruction(RETURN, action));
    let end = code.len();
    for (index, each) in code.iter_mut().enumerate().skip(start) {
        let to_end = (end - index - 1) as u8;
        if each.jt == FAIL {
            each.jt = to_end;
        }
        if each.jf == FAIL {
            each.jf = to_end;
        }
    }
}

/// As [`compare`], of arguments of 32 bits.
fn compare_low(arg: &LinuxSeccompArg, code: &mut Vec<Instruction>) {
    let (_, low) = halves(arg.value());
    code.push(instruction(LOAD, ARGS + 8 * arg.index() as u32));
    let compared = match arg.op() {
        Op::ScmpCmpEq => jump(JUMP_EQ, low, 0, FAIL),
        Op::ScmpCmpNe => jump(JUMP_EQ, low, FAIL, 0),
        Op::ScmpCmpGe => jump(JUMP_GE, low, 0, FAIL),
        Op::ScmpCmpGt => jump(JUMP_GT, low, 0, FAIL),
        Op::ScmpCmpLt => jump(JUMP_GE, low, FAIL, 0),
        Op::ScmpCmpLe => jump(JUMP_GT, low, FAIL, 0),
        Op::ScmpCmpMaskedEq => {
            code.push(instruction(AND, low));
            let (_, masked) = halves(arg.value() & arg.value_two().unwrap_or(0));
            jump(JUMP_EQ, masked, 0, FAIL)
        }
    };
    code.push(compared);
}

/// Falls through when the condition holds, jumps to `FAIL` when it does not. The high half decides unless equal.
fn compare(arg: &LinuxSeccompArg, code: &mut Vec<Instruction>) {
    let (high, low) = halves(arg.value());
    let offset = ARGS + 8 * arg.index() as u32;
    // Both architectures with a table are little-endian.
    let (load_low, load_high) = (instruction(LOAD, offset), instruction(LOAD, offset + 4));
    match arg.op() {
        Op::ScmpCmpEq => code.extend([
            load_high,
            jump(JUMP_EQ, high, 0, FAIL),
            load_low,
            jump(JUMP_EQ, low, 0, FAIL),
        ]),
        Op::ScmpCmpNe => code.extend([
            load_high,
            jump(JUMP_EQ, high, 0, 2),
            load_low,
            jump(JUMP_EQ, low, FAIL, 0),
        ]),
        Op::ScmpCmpGe | Op::ScmpCmpGt => code.extend([
            load_high,
            jump(JUMP_GT, high, 3, 0),
            jump(JUMP_EQ, high, 0, FAIL),
            load_low,
            jump(greater(arg.op() == Op::ScmpCmpGe), low, 0, FAIL),
        ]),
        Op::ScmpCmpLt | Op::ScmpCmpLe => code.extend([
            load_high,
            jump(JUMP_GT, high, FAIL, 0),
            jump(JUMP_EQ, high, 0, 2),
            load_low,
            // Less is what greater or equal is not.
            jump(greater(arg.op() == Op::ScmpCmpLt), low, FAIL, 0),
        ]),
        Op::ScmpCmpMaskedEq => {
            let (mask_high, mask_low) = (high, low);
            let (high, low) = halves(arg.value() & arg.value_two().unwrap_or(0));
            code.extend([
                load_high,
                instruction(AND, mask_high),
                jump(JUMP_EQ, high, 0, FAIL),
                load_low,
                instruction(AND, mask_low),
                jump(JUMP_EQ, low, 0, FAIL),
            ]);
        }
    }
}

const fn greater(or_equal: bool) -> u16 {
    if or_equal { JUMP_GE } else { JUMP_GT }
}

const fn halves(value: u64) -> (u32, u32) {
    ((value >> 32) as u32, value as u32)
}
