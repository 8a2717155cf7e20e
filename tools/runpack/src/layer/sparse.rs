//! Files with holes: old GNU headers and the three PAX versions, all turned into one map of where the data goes.
//! See "Storing Sparse Files" in GNU tar's manual.

use std::io::{self, Read};

use tar::{EntryType, GnuSparseHeader, Header};

use super::LayerError;
use super::pax::{Pax, number};

/// A map with more pieces than this is an attack.
const MAX_PIECES: usize = 1 << 20;
const BLOCK: usize = 512;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sparse {
    /// Of the file, holes included.
    pub size: u64,
    /// Offset and length of each piece of data, in order.
    pub map: Vec<(u64, u64)>,
    /// Version 1.0: the map is still to be read from the head of the data.
    pub map_in_data: bool,
}

impl Sparse {
    /// `None` for a file that is all data.
    pub fn of(header: &Header, pax: &Pax) -> Result<Option<Self>, LayerError> {
        if header.entry_type() == EntryType::GNUSparse {
            let Some(gnu) = header.as_gnu() else {
                return Err(malformed("a sparse file without a GNU header"));
            };
            let mut sparse = Self {
                size: gnu.real_size().map_err(LayerError::Stream)?,
                ..Self::default()
            };
            sparse.add_gnu(&gnu.sparse)?;
            return Ok(Some(sparse));
        }
        let map_in_data = pax.sparse.major == Some(1);
        Ok(pax.sparse.real_size.map(|size| Self {
            size,
            map: pax.sparse.map.clone(),
            map_in_data,
        }))
    }

    pub fn add_gnu(&mut self, pieces: &[GnuSparseHeader]) -> Result<(), LayerError> {
        for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
            let offset = piece.offset().map_err(LayerError::Stream)?;
            let length = piece.length().map_err(LayerError::Stream)?;
            self.map.push((offset, length));
            if self.map.len() > MAX_PIECES {
                return Err(malformed("a sparse map is too long"));
            }
        }
        Ok(())
    }

    /// The pieces are in order, inside the file, and as long together as the data.
    pub fn check(&self, data: u64) -> Result<(), LayerError> {
        let (mut end, mut total) = (0, 0_u64);
        for (offset, length) in &self.map {
            if *offset < end {
                return Err(malformed("a sparse map is out of order"));
            }
            end = offset
                .checked_add(*length)
                .ok_or_else(|| malformed("a sparse map overflows"))?;
            total = total.saturating_add(*length);
        }
        if end > self.size || total != data {
            return Err(malformed("a sparse map does not fit its file"));
        }
        Ok(())
    }
}

/// Version 1.0: decimal lines, the number of pieces first, padded to a block.
pub(super) fn read_map(data: &mut impl Read, map: &mut Vec<(u64, u64)>) -> io::Result<()> {
    let invalid = || io::Error::new(io::ErrorKind::InvalidData, "a sparse map is malformed");
    let mut taken = 0_usize;
    let mut line = || -> io::Result<u64> {
        let mut digits = Vec::new();
        loop {
            let mut byte = [0];
            data.read_exact(&mut byte)?;
            taken += 1;
            match byte[0] {
                b'\n' => return number(&digits).ok_or_else(invalid),
                digit if digits.len() < 20 => digits.push(digit),
                _ => return Err(invalid()),
            }
        }
    };
    let pieces = line()?;
    if pieces > MAX_PIECES as u64 {
        return Err(invalid());
    }
    for _ in 0..pieces {
        map.push((line()?, line()?));
    }
    let padding = taken.next_multiple_of(BLOCK) - taken;
    data.read_exact(&mut [0; BLOCK][..padding])
}

fn malformed(what: &'static str) -> LayerError {
    LayerError::Stream(io::Error::new(io::ErrorKind::InvalidData, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_at_the_head_of_the_data() {
        let mut data = b"2\n0\n5\n4096\n7\n".to_vec();
        data.resize(BLOCK, 0);
        data.extend(b"rest");
        let (mut map, mut rest) = (Vec::new(), &data[..]);
        read_map(&mut rest, &mut map).unwrap();
        assert_eq!((map, rest), (vec![(0, 5), (4096, 7)], &b"rest"[..]));
    }

    #[test]
    fn maps_that_lie_are_refused() {
        let sparse = |size, map: &[(u64, u64)]| Sparse {
            size,
            map: map.to_vec(),
            map_in_data: false,
        };
        assert!(sparse(10, &[(0, 4), (8, 2)]).check(6).is_ok());
        assert!(sparse(9, &[(0, 4), (8, 2)]).check(6).is_err());
        assert!(sparse(10, &[(4, 4), (0, 2)]).check(6).is_err());
        assert!(sparse(10, &[(0, 4)]).check(6).is_err());
        assert!(sparse(u64::MAX, &[(u64::MAX, 2)]).check(2).is_err());
    }
}
