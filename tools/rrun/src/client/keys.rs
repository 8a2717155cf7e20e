//! Detach keys: Ctrl-P Ctrl-Q, or what `--detach-keys` says.

/// A sequence of keys, and how many of them have been typed.
#[derive(Debug, Clone)]
pub struct DetachKeys {
    keys: Vec<u8>,
    typed: usize,
}

impl Default for DetachKeys {
    fn default() -> Self {
        Self {
            keys: vec![0x10, 0x11],
            typed: 0,
        }
    }
}

impl DetachKeys {
    /// `ctrl-p,ctrl-q`; `None` if it is not a sequence.
    pub fn parse(text: &str) -> Option<Self> {
        let key = |word: &str| match word.strip_prefix("ctrl-") {
            Some(key) => match key.as_bytes() {
                [c] if c.is_ascii_alphabetic() => Some(c.to_ascii_lowercase() - b'a' + 1),
                [b'@'] => Some(0),
                [c @ b'['..=b'_'] => Some(c - b'@'),
                _ => None,
            },
            None => match word.as_bytes() {
                [c] => Some(*c),
                _ => None,
            },
        };
        let keys = text.split(',').map(key).collect::<Option<Vec<u8>>>()?;
        Some(Self { keys, typed: 0 })
    }

    /// What of `bytes` is to be passed on, and whether the sequence is complete. A beginning of it is held back
    /// until it is clear that it is none.
    pub fn filter(&mut self, bytes: &[u8]) -> (Vec<u8>, bool) {
        let mut out = Vec::with_capacity(bytes.len());
        for byte in bytes {
            if self.keys.get(self.typed) == Some(byte) {
                self.typed += 1;
                if self.typed == self.keys.len() {
                    self.typed = 0;
                    return (out, true);
                }
                continue;
            }
            out.extend(&self.keys[..self.typed]);
            self.typed = 0;
            if self.keys.first() == Some(byte) {
                self.typed = 1;
            } else {
                out.push(*byte);
            }
        }
        (out, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sequence_is_swallowed_and_a_half_of_it_is_not() {
        let mut keys = DetachKeys::default();
        assert_eq!(keys.filter(b"a\x10b"), (b"a\x10b".to_vec(), false));
        assert_eq!(keys.filter(b"a\x10"), (b"a".to_vec(), false));
        assert_eq!(keys.filter(b"\x11b"), (Vec::new(), true));
        assert_eq!(
            DetachKeys::parse("ctrl-x,q").unwrap().filter(b"\x18q"),
            (Vec::new(), true)
        );
        assert!(DetachKeys::parse("ctrl-").is_none());
    }
}
