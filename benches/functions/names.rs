//! The functions of a program by address, and the patterns that a linker finds them by again.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use super::Result;

/// Shorter beginnings of names are in too many names.
const SHORTEST: usize = 20;

/// The functions of Rust that a program has.
pub struct Functions {
    /// End and pattern, by address. The C library's functions lie together as they are.
    by_address: BTreeMap<u64, (u64, String)>,
    /// In how many commands a function was executed, by pattern.
    uses: BTreeMap<String, u32>,
}

impl Functions {
    /// By nm(1), whose lines are `ADDRESS SIZE TYPE NAME`.
    pub fn of(program: &Path) -> Result<Self> {
        let nm = Command::new("nm")
            .args(["-S", "--defined-only"])
            .arg(program)
            .output()?;
        let mut by_address = BTreeMap::new();
        for line in String::from_utf8(nm.stdout)?.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            if let [start, size, "t" | "T" | "w" | "W", name] = words[..]
                && name.starts_with("_R")
            {
                let start = u64::from_str_radix(start, 16)?;
                let size = u64::from_str_radix(size, 16)?;
                by_address.insert(start, (start + size, pattern(name)));
            }
        }
        if by_address.is_empty() {
            return Err("it has no symbols of Rust: see scripts/order".into());
        }
        Ok(Self {
            by_address,
            uses: BTreeMap::new(),
        })
    }

    /// Counts the functions that one command has executed.
    pub fn used(&mut self, addresses: &BTreeSet<u64>) {
        let pattern = |address: &u64| {
            let (_, (end, pattern)) = self.by_address.range(..=*address).next_back()?;
            (address < end).then(|| pattern.clone())
        };
        let patterns: BTreeSet<String> = addresses.iter().filter_map(pattern).collect();
        for pattern in patterns {
            *self.uses.entry(pattern).or_default() += 1;
        }
    }

    /// The linker's script: what most commands execute comes first.
    pub fn script(&self) -> String {
        let all = self
            .by_address
            .values()
            .map(|(_, pattern)| pattern.as_str());
        let unused: BTreeSet<&str> = all
            .filter(|pattern| !self.uses.contains_key(*pattern))
            .collect();
        let mut lines = BTreeSet::new();
        let mut last = "";
        for (pattern, uses) in &self.uses {
            let short = shortest(pattern, &unused);
            // They are sorted, so that a beginning comes before what begins with it.
            if last.is_empty() || !short.starts_with(last) {
                lines.insert((Reverse(*uses), short));
                last = short;
            }
        }
        let lines: Vec<String> = lines
            .iter()
            .map(|(_, short)| format!("*(.text.{short}*)\n"))
            .collect();
        format!(
            "SECTIONS {{ .text.used : {{\n{}}} }} INSERT BEFORE .text;",
            lines.concat()
        )
    }
}

/// The name without what differs from one compiler to the next: the crates' disambiguators, `Cs…_` (RFC 2603), and the suffix
/// of a function that LTO has moved.
fn pattern(name: &str) -> String {
    let name = name.split(".llvm.").next().unwrap_or(name);
    let mut parts = name.split("Cs");
    let mut pattern = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once('_') {
            Some((hash, rest)) if hash.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                pattern.push_str("Cs*_");
                pattern.push_str(rest);
            }
            _ => {
                pattern.push_str("Cs");
                pattern.push_str(part);
            }
        }
    }
    pattern
}

/// The shortest beginning that no unused function has.
fn shortest<'a>(pattern: &'a str, unused: &BTreeSet<&str>) -> &'a str {
    let before = unused.range(..pattern).next_back();
    let after = unused.range(pattern..).next();
    let common = |other: &&str| {
        let pairs = pattern.bytes().zip(other.bytes());
        pairs.take_while(|(ours, theirs)| ours == theirs).count()
    };
    let shared = before.into_iter().chain(after).map(common).max();
    let length = shared.map_or(SHORTEST, |shared| shared + 1).max(SHORTEST);
    pattern.get(..length).unwrap_or(pattern)
}
