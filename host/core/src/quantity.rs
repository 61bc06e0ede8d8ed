//! Amounts as people type them, in options, in settings and in workflows: `10M`, `64MiB`, `1.5s`.

use std::time::Duration;

const THOUSANDS: [(&str, u64); 5] = [
    ("", 1),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
];

/// The binary ones come first.
const BYTES: [(&str, u64); 8] = [
    ("", 1),
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];
/// How many of them are binary.
const BINARY: usize = 5;

/// Reads an amount of fuel: `2_000_000`, or with one of the units k, M, G, T for thousands.
pub fn fuel(text: &str) -> Result<u64, String> {
    whole(text, &THOUSANDS).map_err(|fault| fault.words("fuel", "2_000_000, 500k, 10M, 3G or 1T"))
}

/// Reads how many of something, with the same units.
pub fn count(text: &str) -> Result<u64, String> {
    whole(text, &THOUSANDS).map_err(|fault| fault.words("a number", "100, 10_000 or 10k"))
}

/// Reads an amount of memory or text: `64MiB`, `1GB`.
pub fn bytes(text: &str) -> Result<u64, String> {
    whole(text, &BYTES).map_err(|fault| fault.words("a size", "4096, 512KiB, 64MiB or 1GB"))
}

/// Reads a time, which needs a unit: `200ms`, `1h`.
pub fn time(text: &str) -> Result<Duration, String> {
    const UNITS: [(&str, f64); 4] = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
    let fault = |fault: Fault| fault.words("a time", "200ms, 1.5s, 2m or 1h");
    let (number, unit) = split(text);
    let unit = UNITS.iter().find(|(name, _)| *name == unit);
    let (_, seconds) = unit.ok_or_else(|| fault(Fault::Form))?;
    let number: f64 = number
        .replace('_', "")
        .parse()
        .ok()
        .filter(|number| *number >= 0.0)
        .ok_or_else(|| fault(Fault::Form))?;
    Duration::try_from_secs_f64(number * seconds).map_err(|_| fault(Fault::Large))
}

/// Writes how many of something, with the largest unit of which it is a multiple: `10k`.
pub fn write_count(amount: u64) -> String {
    written(amount, &THOUSANDS)
}

/// Writes an amount of memory or text in the same way: `64MiB`.
pub fn write_bytes(amount: u64) -> String {
    written(amount, &BYTES[..BINARY])
}

/// Writes a time in the same way: `90s`, `2m`.
pub fn write_time(time: Duration) -> String {
    const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000)];
    let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    written(milliseconds, &UNITS)
}

fn written(amount: u64, units: &[(&str, u64)]) -> String {
    let mut whole = units
        .iter()
        .rev()
        .filter(|(_, factor)| amount.is_multiple_of(*factor));
    let (unit, factor) = whole.next().filter(|_| amount > 0).unwrap_or(&units[0]);
    format!("{}{unit}", amount / factor)
}

enum Fault {
    Form,
    Large,
}

impl Fault {
    fn words(&self, what: &str, examples: &str) -> String {
        match self {
            Self::Form => format!("not {what} such as {examples}"),
            Self::Large => "too large".to_owned(),
        }
    }
}

fn whole(text: &str, units: &[(&str, u64)]) -> Result<u64, Fault> {
    let (number, unit) = split(text);
    let unit = units.iter().find(|(name, _)| *name == unit);
    let (_, factor) = unit.ok_or(Fault::Form)?;
    let digits = number.replace('_', "");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Fault::Form);
    }
    let number: u64 = digits.parse().map_err(|_| Fault::Large)?;
    number.checked_mul(*factor).ok_or(Fault::Large)
}

/// Splits before the unit. A space between the two is let be.
fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text
        .find(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number.trim_end(), unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fuel_as_people_type_it() {
        let cases = [
            ("0", 0),
            ("2_000_000", 2_000_000),
            ("10M", 10_000_000),
            ("5 k", 5_000),
            ("1T", 1_000_000_000_000),
        ];
        for (text, amount) in cases {
            assert_eq!(fuel(text), Ok(amount), "{text}");
        }
        for text in ["", "M", "-1", "+1", "1.5M", "1m", "10 MiB", "_", "0x10"] {
            assert_eq!(
                fuel(text).unwrap_err(),
                "not fuel such as 2_000_000, 500k, 10M, 3G or 1T",
                "{text}"
            );
        }
        assert_eq!(fuel("18446744073709551616").unwrap_err(), "too large");
        assert_eq!(fuel("18446745T").unwrap_err(), "too large");
    }

    #[test]
    fn numbers_as_people_type_them() {
        assert_eq!(count("10k"), Ok(10_000));
        assert_eq!(
            count("many").unwrap_err(),
            "not a number such as 100, 10_000 or 10k"
        );
    }

    #[test]
    fn sizes_as_people_type_them() {
        let cases = [
            ("64MiB", 64 << 20),
            ("1 GiB", 1 << 30),
            ("3KB", 3_000),
            ("17", 17),
        ];
        for (text, amount) in cases {
            assert_eq!(bytes(text), Ok(amount), "{text}");
        }
        for text in ["64M", "64mib", "1.5GiB", "MiB"] {
            assert_eq!(
                bytes(text).unwrap_err(),
                "not a size such as 4096, 512KiB, 64MiB or 1GB",
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_written_is_read_as_the_same() {
        for (amount, words) in [
            (0, "0"),
            (999, "999"),
            (10_000, "10k"),
            (1_500_000, "1500k"),
            (1 << 40, "1099511627776"),
        ] {
            assert_eq!(write_count(amount), words);
            assert_eq!(count(words), Ok(amount));
        }
        for (amount, words) in [
            (0, "0"),
            (7, "7B"),
            (64 << 20, "64MiB"),
            (3 << 30, "3GiB"),
            (1_000, "1000B"),
        ] {
            assert_eq!(write_bytes(amount), words);
            assert_eq!(bytes(words), Ok(amount));
        }
        for (amount, words) in [
            (0, "0ms"),
            (200, "200ms"),
            (30_000, "30s"),
            (60_000, "1m"),
            (90_000, "90s"),
            (720 * 3_600_000, "720h"),
        ] {
            let amount = Duration::from_millis(amount);
            assert_eq!(write_time(amount), words);
            assert_eq!(time(words), Ok(amount));
        }
    }

    #[test]
    fn times_as_people_type_them() {
        let cases = [("200ms", 200), ("1.5s", 1_500), ("2m", 120_000), ("0s", 0)];
        for (text, milliseconds) in cases {
            assert_eq!(
                time(text),
                Ok(Duration::from_millis(milliseconds)),
                "{text}"
            );
        }
        for text in ["5", "s", "5 sec", "1.2.3s", "5S", "-1s", ""] {
            assert_eq!(
                time(text).unwrap_err(),
                "not a time such as 200ms, 1.5s, 2m or 1h",
                "{text}"
            );
        }
        assert_eq!(time("99999999999999999999h").unwrap_err(), "too large");
    }
}
