//! Rounds: every side once, in an order that rotates, each at the same pace.

use std::fmt;

use crate::side::Running;

const ROUNDS: u32 = 25;
const ROUNDS_OF_THE_SLOW: u32 = 15;
/// A side that takes longer than this in milliseconds is slow.
const SLOW: f64 = 1000.0;

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Pace {
    Warm,
    Cold,
}

impl fmt::Display for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warm => "warm",
            Self::Cold => "cold",
        })
    }
}

/// One series of figures a side, of the same length: those of one round have the same place.
pub struct Rounds(pub Vec<Vec<f64>>);

impl Rounds {
    /// A round more than is counted: the first fills the caches, and says whether this is slow.
    pub fn take(sides: &[Running], pace: Pace, wanted: Option<u32>) -> Result<Self, String> {
        let mut slowest: f64 = 0.0;
        for side in sides {
            slowest = slowest.max(side.once(pace.idle())?);
        }
        let usual = if sides.iter().any(Running::is_timed) && slowest > SLOW {
            ROUNDS_OF_THE_SLOW
        } else {
            ROUNDS
        };
        let mut figures = vec![Vec::new(); sides.len()];
        for round in 0..wanted.unwrap_or(usual) {
            for side in order(round as usize, sides.len()) {
                figures[side].push(sides[side].once(pace.idle())?);
            }
        }
        Ok(Self(figures))
    }
}

/// Of two sides ABBA BAAB: each is first as often as second, and follows itself as often as the other. Of more, each
/// stands in each place, forwards and backwards in turn.
fn order(round: usize, sides: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..sides).map(|at| (at + round) % sides).collect();
    if (round / sides) % 2 == 1 {
        order.reverse();
    }
    order
}
