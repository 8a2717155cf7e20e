//! Yes and no.

/// Go's words for yes and no (strconv.ParseBool), which docker's flags take; `None` for any other.
///
/// ```
/// assert_eq!(kit_units::parse_bool("T"), Some(true));
/// assert_eq!(kit_units::parse_bool("yes"), None);
/// ```
pub fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}
