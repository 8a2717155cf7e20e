//! Sizes and ages as docker prints them for people.

const DECIMAL: [&str; 9] = ["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"];
const BINARY: [&str; 9] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"];

/// Three digits, powers of 1000: `7.38MB` (docker's `images`, `history`, `stats`).
pub fn human_size(bytes: u64) -> String {
    scaled(bytes, 1000.0, &DECIMAL, 3)
}

/// Four digits, powers of 1000: `7.377MB` (docker's `system df`, and what a prune frees).
pub fn human_size_four(bytes: u64) -> String {
    scaled(bytes, 1000.0, &DECIMAL, 4)
}

/// Four digits, powers of 1024: `7.648GiB` (docker's `info`, and memory in `stats`).
pub fn bytes_size(bytes: u64) -> String {
    scaled(bytes, 1024.0, &BINARY, 4)
}

/// `digits` of them, without zeros at the end. Where rounding makes a whole next unit, it is that: `1MB`, never
/// `1000kB`.
fn scaled(bytes: u64, base: f64, units: &[&str], digits: i32) -> String {
    #[expect(clippy::cast_precision_loss, reason = "four digits are shown")]
    let mut size = bytes as f64;
    let mut unit = 0;
    loop {
        let before_point = if size < 1.0 {
            1
        } else {
            size.log10().floor() as i32 + 1
        };
        let decimals = (digits - before_point).max(0);
        let scale = 10_f64.powi(decimals);
        let rounded = (size * scale).round() / scale;
        if rounded < base || unit + 1 == units.len() {
            let text = format!("{rounded:.*}", decimals as usize);
            let text = if text.contains('.') {
                text.trim_end_matches('0').trim_end_matches('.')
            } else {
                &text
            };
            return format!("{text}{}", units[unit]);
        }
        size /= base;
        unit += 1;
    }
}

/// As docker prints ages, from seconds: hours are rounded, all else is cut.
pub fn human_duration(seconds: i64) -> String {
    let (minutes, hours) = (seconds / 60, seconds.saturating_add(1800) / 3600);
    match seconds {
        i64::MIN..1 => "Less than a second".to_owned(),
        1 => "1 second".to_owned(),
        2..60 => format!("{seconds} seconds"),
        60..120 => "About a minute".to_owned(),
        120..3600 => format!("{minutes} minutes"),
        _ if hours == 1 => "About an hour".to_owned(),
        _ if hours < 48 => format!("{hours} hours"),
        _ if hours < 24 * 14 => format!("{} days", hours / 24),
        _ if hours < 24 * 60 => format!("{} weeks", hours / 24 / 7),
        _ if hours < 24 * 365 * 2 => format!("{} months", hours / 24 / 30),
        _ => format!("{} years", seconds / 3600 / 24 / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_dockers() {
        let sizes = [0, 999, 1000, 7_377_000, 123_456_789, 1_500_000_000, 999_900].map(human_size);
        assert_eq!(
            sizes,
            ["0B", "999B", "1kB", "7.38MB", "123MB", "1.5GB", "1MB"]
        );
        assert_eq!(human_size_four(123_456_789), "123.5MB");
        assert_eq!(human_size(u64::MAX), "18.4EB");
        let sizes = [0, 1023, 1024, 8_211_972_096, 1_048_575].map(bytes_size);
        assert_eq!(sizes, ["0B", "1023B", "1KiB", "7.648GiB", "1MiB"]);
    }

    #[test]
    fn ages_read_as_dockers() {
        let ages = [0, 5, 61, 3599, 5399, 5400, 6000, 7200].map(human_duration);
        assert_eq!(
            ages,
            [
                "Less than a second",
                "5 seconds",
                "About a minute",
                "59 minutes",
                "About an hour",
                "2 hours",
                "2 hours",
                "2 hours"
            ]
        );
        let ages = [171_000, 86_400 * 3, 86_400 * 15, 86_400 * 800];
        assert_eq!(
            ages.map(human_duration),
            ["2 days", "3 days", "2 weeks", "2 years"]
        );
    }
}
