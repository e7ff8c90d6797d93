//! The words that mean something in a date.

fn index_of(names: &[&[&str]], name: &str) -> Option<i64> {
    let name = name.to_lowercase();
    let index = names.iter().position(|names| names.contains(&&*name))?;
    i64::try_from(index).ok()
}

/// Whether a word is a day of the week.
pub(super) fn is_weekday(name: &str) -> bool {
    const NAMES: [&[&str]; 2] = [
        &["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
        &["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"],
    ];
    index_of(&NAMES, name).is_some()
}

/// The number of a month by its name.
pub(super) fn month(name: &str) -> Option<i128> {
    const NAMES: [&[&str]; 12] = [
        &["jan", "january"],
        &["feb", "february"],
        &["mar", "march"],
        &["apr", "april"],
        &["may"],
        &["jun", "june"],
        &["jul", "july"],
        &["aug", "august"],
        &["sep", "sept", "september"],
        &["oct", "october"],
        &["nov", "november"],
        &["dec", "december"],
    ];
    index_of(&NAMES, name).map(|index| i128::from(index) + 1)
}

/// 0 for hours, 1 for minutes, 2 for seconds.
pub(super) fn unit(name: &str) -> Option<i64> {
    const NAMES: [&[&str]; 3] =
        [&["h", "hour", "hours"], &["m", "minute", "minutes"], &["s", "second", "seconds"]];
    index_of(&NAMES, name)
}

/// 0 for the morning, 1 for the afternoon.
pub(super) fn half(name: &str) -> Option<i64> {
    index_of(&[&["am", "a"], &["pm", "p"]], name)
}

/// Whether a token says nothing.
pub(super) fn is_jump(name: &str) -> bool {
    const NAMES: [&str; 18] = [
        " ", ".", ",", ";", "-", "/", "'", "at", "on", "and", "ad", "m", "t", "of", "st", "nd",
        "rd", "th",
    ];
    NAMES.contains(&&*name.to_lowercase())
}

/// Whether a word names UTC.
pub(super) fn is_utc(name: &str) -> bool {
    ["utc", "gmt", "z"].contains(&&*name.to_lowercase())
}

/// An hour of the morning or the afternoon.
pub(super) fn with_half(hour: i128, half: i64) -> i128 {
    match (hour, half) {
        (..12, 1) => hour + 12,
        (12, 0) => 0,
        _ => hour,
    }
}
