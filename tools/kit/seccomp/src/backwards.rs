//! A program of classic BPF, put together from its end: its jumps go forward only, so that what an instruction leads to
//! is there before it, and each leaf once for all that lead to it. The time that the kernel takes to load a filter, to
//! check, translate and try it, grows with its length.

use kit_sys::seccomp::Instruction;

use super::bpf::{JUMP, instruction, jump};

/// A conditional jump reaches 255 instructions; this leaves room for the two unconditional ones that may come between.
const REACH: usize = 250;

/// Where an instruction is: how many come after it.
pub type Place = usize;

/// The instructions, the last one first.
#[derive(Default)]
pub struct Backwards {
    code: Vec<Instruction>,
}

impl Backwards {
    /// One more before all others.
    pub fn push(&mut self, each: Instruction) -> Place {
        self.code.push(each);
        self.code.len() - 1
    }

    /// Several, in the order in which they are executed.
    pub fn push_all(&mut self, all: &[Instruction]) -> Place {
        self.code.extend(all.iter().rev());
        self.code.len() - 1
    }

    /// A comparison that goes to one of two places.
    pub fn branch(&mut self, code: u16, k: u32, holds: Place, else_to: Place) -> Place {
        let (holds, else_to) = (self.near(holds), self.near(else_to));
        let here = self.code.len();
        let to = |place: Place| (here - 1 - place) as u8;
        self.push(jump(code, k, to(holds), to(else_to)))
    }

    /// Makes `place` what is executed after the next instruction.
    pub fn lead_to(&mut self, place: Place) {
        if place + 1 != self.code.len() {
            self.jump_to(place);
        }
    }

    /// Whether a conditional jump from here reaches it.
    pub fn reaches(&self, place: Place) -> bool {
        self.code.len() - place <= REACH
    }

    /// The program, from its beginning.
    pub fn finish(mut self) -> Vec<Instruction> {
        self.code.reverse();
        self.code
    }

    /// The place, or that of an unconditional jump to it, which reaches all.
    fn near(&mut self, place: Place) -> Place {
        if self.reaches(place) {
            place
        } else {
            self.jump_to(place)
        }
    }

    fn jump_to(&mut self, place: Place) -> Place {
        let over = self.code.len() - 1 - place;
        self.push(instruction(JUMP, over as u32))
    }
}
