//! Names of containers and hosts, and generated ones.

use super::SpecError;

/// Checks a container's name against docker's rule `[a-zA-Z0-9][a-zA-Z0-9_.-]+`, which also keeps its file inside `names/`.
///
/// # Errors
/// [`SpecError::ContainerName`].
pub fn check_name(name: &str) -> Result<&str, SpecError> {
    check_length("container", name)?;
    if name.len() >= 2 && is_word(name) {
        Ok(name)
    } else {
        Err(SpecError::ContainerName { text: name.into() })
    }
}

/// A name is one of a file (NAME_MAX of limits.h). A longer one is not repeated in the error.
pub(super) fn check_length(of: &str, name: &str) -> Result<(), SpecError> {
    let (length, begins) = (name.len(), name.chars().take(20).collect::<String>());
    if length <= 255 {
        return Ok(());
    }
    Err(SpecError::Rule(format!(
        "invalid {of} name ({begins}…): it has {length} bytes, and may have 255"
    )))
}

/// Whether `name` has only the characters of container and volume names.
pub(super) fn is_word(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphanumeric())
        && bytes.all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
}

/// Checks a host name: 1 to 64 bytes, the kernel's limit (gethostname(2)), without a character that would break /etc/hosts.
///
/// # Errors
/// [`SpecError::Invalid`].
pub fn check_hostname(name: &str) -> Result<&str, SpecError> {
    let fine = !name.is_empty()
        && name.len() <= 64
        && !name.starts_with(['-', '.'])
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
    if fine {
        Ok(name)
    } else {
        Err(SpecError::invalid("invalid hostname format", name))
    }
}

const ADJECTIVES: [&str; 48] = [
    "able", "amber", "bold", "brave", "brisk", "calm", "candid", "clever", "cosy", "curious",
    "daring", "deft", "eager", "early", "fond", "frank", "gentle", "glad", "golden", "grand",
    "happy", "hardy", "honest", "humble", "jolly", "keen", "kind", "lively", "lucid", "merry",
    "modest", "neat", "nimble", "noble", "patient", "plucky", "polite", "proud", "quiet", "rapid",
    "serene", "sharp", "sincere", "steady", "sunny", "tidy", "vivid", "witty",
];
const SURNAMES: [&str; 64] = [
    "abel",
    "allen",
    "babbage",
    "banach",
    "bohr",
    "boole",
    "borg",
    "brahe",
    "cantor",
    "carson",
    "chandra",
    "church",
    "cohen",
    "curie",
    "darwin",
    "dijkstra",
    "dirac",
    "euclid",
    "euler",
    "faraday",
    "fermat",
    "fermi",
    "floyd",
    "franklin",
    "galileo",
    "galois",
    "gauss",
    "germain",
    "goldberg",
    "hamilton",
    "hilbert",
    "hooke",
    "hopper",
    "huygens",
    "johnson",
    "kepler",
    "knuth",
    "kovalevsky",
    "lamarr",
    "lamport",
    "leibniz",
    "liskov",
    "lovelace",
    "maxwell",
    "meitner",
    "mendel",
    "morse",
    "newton",
    "noether",
    "pascal",
    "pasteur",
    "planck",
    "ptolemy",
    "raman",
    "ritchie",
    "shannon",
    "somerville",
    "tesla",
    "thompson",
    "turing",
    "volta",
    "wiles",
    "wu",
    "yonath",
];

/// A name for a container that was given none: `adjective_surname`, like `curious_turing`. `seed` is a random number;
/// `attempt` counts from 0, and later ones add a digit, for when the name is taken.
pub fn generated_name(seed: u64, attempt: u32) -> String {
    let adjective = ADJECTIVES[(seed % ADJECTIVES.len() as u64) as usize];
    let surname = SURNAMES[(seed / 1024 % SURNAMES.len() as u64) as usize];
    if attempt == 0 {
        format!("{adjective}_{surname}")
    } else {
        format!(
            "{adjective}_{surname}{}",
            (seed >> 32) % 10_u64.saturating_pow(attempt.min(9))
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert!(check_name("web-1.a_b").is_ok());
        for bad in ["", "a", "-a", "a b", "a/b", "..", "../x", "naïve", "a\n"] {
            assert_eq!(
                check_name(bad).unwrap_err().to_string(),
                format!(
                    "invalid container name ({bad}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
                )
            );
        }
    }

    #[test]
    fn every_generated_name_is_a_name() {
        for seed in (0..u64::MAX).step_by(usize::MAX / 5000) {
            for attempt in [0, 1, 20] {
                assert!(check_name(&generated_name(seed, attempt)).is_ok());
            }
        }
        assert_ne!(generated_name(1, 0), generated_name(2, 0));
    }

    #[test]
    fn hostnames() {
        assert!(check_hostname("db.example").is_ok());
        for bad in ["", "a b", "-x", &"x".repeat(65), "a\tb"] {
            assert!(check_hostname(bad).is_err(), "{bad}");
        }
    }
}
