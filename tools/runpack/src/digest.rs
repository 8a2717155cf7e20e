//! SHA-256 on the way: a meter, and a writer that digests what passes through it.

use std::io::{self, Write};
use std::str::FromStr;

use oci_spec::image::{Digest, Sha256Digest};
use sha2::{Digest as _, Sha256};

/// Bytes digested and counted so far.
#[derive(Default)]
pub(crate) struct Meter {
    hash: Sha256,
    bytes: u64,
}

impl Meter {
    pub fn update(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn digest(self) -> Digest {
        digest_of(self.hash)
    }
}

fn digest_of(hash: Sha256) -> Digest {
    let mut hex = String::with_capacity(64);
    for byte in hash.finalize() {
        for nibble in [byte >> 4, byte & 15] {
            hex.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
        }
    }
    // 64 lower-case hexadecimal digits, made just above, always parse.
    Sha256Digest::from_str(&hex)
        .expect("64 lower-case hexadecimal digits")
        .into()
}

/// The digest of bytes at hand.
pub(crate) fn of_bytes(bytes: &[u8]) -> Digest {
    let mut meter = Meter::default();
    meter.update(bytes);
    meter.digest()
}

/// The chain IDs of layers, lowest first, as the OCI image specification derives them from their diff IDs.
pub(crate) fn chain_ids(diff_ids: &[Digest]) -> Vec<Digest> {
    let mut chain: Vec<Digest> = Vec::with_capacity(diff_ids.len());
    for diff_id in diff_ids {
        let next = match chain.last() {
            None => diff_id.clone(),
            Some(below) => of_bytes(format!("{below} {diff_id}").as_bytes()),
        };
        chain.push(next);
    }
    chain
}

/// Writes through, digesting.
pub(crate) struct MeterWriter<W> {
    inner: W,
    pub meter: Meter,
}

impl<W> MeterWriter<W> {
    pub fn new(inner: W) -> Self {
        Self {
            inner,
            meter: Meter::default(),
        }
    }

    pub fn into_parts(self) -> (W, Meter) {
        (self.inner, self.meter)
    }
}

impl<W: Write> Write for MeterWriter<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let put = self.inner.write(buf)?;
        self.meter.update(&buf[..put]);
        Ok(put)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_digest_is_the_known_one() {
        assert_eq!(
            of_bytes(b"").to_string(),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn a_chain_of_one_is_its_diff_id() {
        let a = of_bytes(b"a");
        let chain = chain_ids(&[a.clone(), of_bytes(b"b")]);
        assert_eq!(chain[0], a);
        assert_eq!(
            chain[1],
            of_bytes(format!("{a} {}", of_bytes(b"b")).as_bytes())
        );
    }
}
