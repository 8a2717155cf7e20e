//! PAX records: `LENGTH KEY=VALUE\n`, by their lengths, since a value (a capability, say) may hold a newline; tar's own reader splits at
//! newlines and then loses the owner and the size that come after.

/// The records that a layer needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Pax {
    pub path: Option<Vec<u8>>,
    pub link: Option<Vec<u8>>,
    pub size: Option<u64>,
    pub uid: Option<u64>,
    pub gid: Option<u64>,
    /// Seconds and nanoseconds.
    pub mtime: Option<(i64, u32)>,
    pub xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    pub sparse: PaxSparse,
}

/// `GNU.sparse.*`, of all three versions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct PaxSparse {
    pub name: Option<Vec<u8>>,
    pub real_size: Option<u64>,
    /// 1.0: the map is at the head of the data.
    pub major: Option<u64>,
    /// 0.0 and 0.1.
    pub map: Vec<(u64, u64)>,
    /// 0.0: an offset whose length comes in the next record.
    offset: Option<u64>,
}

impl Pax {
    /// Adds the records of one header; `None` if it is malformed.
    pub fn add(&mut self, mut data: &[u8]) -> Option<()> {
        while !data.is_empty() && data[0] != 0 {
            let space = data.iter().position(|b| *b == b' ')?;
            let length: usize = number(&data[..space])?.try_into().ok()?;
            let record = data.get(space + 1..length)?;
            let record = record.strip_suffix(b"\n")?;
            let equals = record.iter().position(|b| *b == b'=')?;
            self.set(&record[..equals], &record[equals + 1..])?;
            data = &data[length..];
        }
        Some(())
    }

    fn set(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        match key {
            b"path" => self.path = Some(value.to_vec()),
            b"linkpath" => self.link = Some(value.to_vec()),
            b"size" => self.size = Some(number(value)?),
            b"uid" => self.uid = Some(number(value)?),
            b"gid" => self.gid = Some(number(value)?),
            b"mtime" => self.mtime = Some(time(value)?),
            b"GNU.sparse.name" => self.sparse.name = Some(value.to_vec()),
            b"GNU.sparse.realsize" | b"GNU.sparse.size" => {
                self.sparse.real_size = Some(number(value)?);
            }
            b"GNU.sparse.major" => self.sparse.major = Some(number(value)?),
            b"GNU.sparse.offset" => self.sparse.offset = Some(number(value)?),
            b"GNU.sparse.numbytes" => {
                let offset = self.sparse.offset.take()?;
                self.sparse.map.push((offset, number(value)?));
            }
            b"GNU.sparse.map" => self.sparse.map = map(value)?,
            _ => {
                if let Some(name) = key.strip_prefix(b"SCHILY.xattr.") {
                    self.xattrs.push((name.to_vec(), value.to_vec()));
                }
            }
        }
        Some(())
    }
}

fn map(value: &[u8]) -> Option<Vec<(u64, u64)>> {
    let numbers: Option<Vec<u64>> = value.split(|b| *b == b',').map(number).collect();
    let numbers = numbers?;
    let pairs = numbers.chunks_exact(2);
    pairs
        .remainder()
        .is_empty()
        .then(|| pairs.map(|p| (p[0], p[1])).collect())
}

pub(super) fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// `-12.345`: the fraction counts upward from the second below, as timespec has it.
fn time(text: &[u8]) -> Option<(i64, u32)> {
    let text = std::str::from_utf8(text).ok()?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = whole.parse().ok()?;
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let nanos: u32 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    if whole.starts_with('-') && nanos > 0 {
        return Some((seconds.checked_sub(1)?, 1_000_000_000 - nanos));
    }
    Some((seconds, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_may_hold_a_newline() {
        let mut pax = Pax::default();
        let data = b"27 SCHILY.xattr.user.a=x\ny\n12 uid=1000\n";
        assert_eq!(pax.add(data), Some(()));
        assert_eq!(pax.xattrs, [(b"user.a".to_vec(), b"x\ny".to_vec())]);
        assert_eq!(pax.uid, Some(1000));
    }

    #[test]
    fn malformed_records_are_refused() {
        for data in [
            &b"5 a=b\n"[..],
            b"99 a=b\n",
            b"x",
            b"6 ab\nc\n",
            b"8 uid=x\n",
            b"0 a=b\n",
        ] {
            assert_eq!(Pax::default().add(data), None, "{data:?}");
        }
    }

    #[test]
    fn times_before_1970() {
        assert_eq!(time(b"12.5"), Some((12, 500_000_000)));
        assert_eq!(time(b"-1.25"), Some((-2, 750_000_000)));
        assert_eq!(time(b"7"), Some((7, 0)));
    }
}
