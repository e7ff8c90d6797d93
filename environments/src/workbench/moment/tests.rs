use super::*;
use crate::trials;

/// What pandas shows of a moment: its day and nanoseconds of the day, and its offset; or its error.
fn shown(value: &Json) -> String {
    match Moment::of_json(value) {
        Err(error) => {
            let kind = if error.is_value_error { "ValueError" } else { "other" };
            format!("{kind}: {}", error.exception.0)
        }
        Ok(Moment { shown: None, .. }) => "NaT".to_owned(),
        Ok(Moment { shown: Some(shown), ahead }) => {
            format!("{} {} {ahead:?}", shown.div_euclid(DAY), shown.rem_euclid(DAY))
        }
    }
}

#[test]
fn dates_are_read_as_leniently_as_pandas_reads_them() {
    for (text, expected) in [
        ("2023-12-01", "19692 0 None"),
        ("12/01/2023", "19692 0 None"),
        ("13/01/2023", "19370 0 None"),
        ("Dec 1 2023 3pm", "19692 54000000000000 None"),
        ("2023-12-01T10:00:00Z", "19692 36000000000000 Some(0)"),
        ("2023-12-01 10:00:00.25+05:30", "19692 36000250000000 Some(19800)"),
        ("2023Q4", "19631 0 None"),
        ("nan", "NaT"),
        ("tomorrow", "ValueError: Unknown datetime string format, unable to parse: tomorrow"),
        ("2023-99-99", "ValueError: month must be in 1..12: 2023-99-99"),
        ("2023-02-30", "ValueError: day is out of range for month: 2023-02-30"),
        ("999", "ValueError: Given date string \"999\" not likely a datetime"),
        ("monday", "ValueError: Unable to parse datetime string: monday"),
        ("1701388800000", "ValueError: Parsing \"1701388800000\" to datetime overflows"),
        (
            "Monday 10:00",
            "ValueError: Parsing datetimes with weekday but no day information is not supported",
        ),
    ] {
        assert_eq!(shown(&Json::String(text.into())), expected, "{text}");
    }
    assert_eq!(
        shown(&Json::Bool(true)),
        "other: Cannot convert input [True] of type <class 'bool'> to Timestamp"
    );
    assert!(Moment::of_text("now").unwrap().date().unwrap() > 20_000);
}

/// Parts of which dates are put together.
const PARTS: [&str; 62] = [
    "2023",
    "23",
    "99",
    "1",
    "5",
    "12",
    "13",
    "31",
    "32",
    "0",
    "007",
    "100",
    "20231201",
    "202312",
    "2023-12-01",
    "12/31/2023",
    "10:30",
    "9:05:07",
    "23:59:59.123456",
    "24:00",
    "1.5",
    "10h",
    "30m",
    "5s",
    "Jan",
    "december",
    "Sept",
    "may",
    "Mon",
    "Thursday",
    "am",
    "PM",
    "a",
    "p",
    "T",
    "Z",
    "UTC",
    "GMT",
    "EST",
    "+",
    "-",
    "+0530",
    "-03:00",
    "+3",
    "(BRST)",
    "of",
    "at",
    "st",
    "th",
    "noon",
    "x",
    "Q4",
    "4Q",
    "2023Q",
    ".",
    ",",
    ":",
    "/",
    "\\",
    "'",
    "٣",
    "é",
];

const SCRIPT: &str = r#"
import datetime, json, sys, warnings
import pandas
warnings.simplefilter("ignore")
if pandas.__version__ != "2.3.2": raise ModuleNotFoundError("another pandas reads dates otherwise")
for text in json.load(sys.stdin):
    try:
        found = pandas.Timestamp(text)
        if found is pandas.NaT: print(json.dumps("NaT")); continue
        day = found.toordinal() - datetime.date(1970, 1, 1).toordinal()
        clock = ((found.hour * 60 + found.minute) * 60 + found.second) * 10**9 + found.microsecond * 1000 + found.nanosecond
        offset = found.utcoffset()
        offset = "None" if offset is None else f"Some({int(offset.total_seconds())})"
        print(json.dumps(f"{day} {clock} {offset}"))
    except Exception as error:
        print(json.dumps(("ValueError" if isinstance(error, ValueError) else "other") + f": {error}"))
"#;

#[test]
fn pandas_itself_reads_the_same() {
    let mut state = 11_u64;
    let mut below = |bound: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % bound
    };
    let mut texts = Vec::new();
    for _ in 0..6000 {
        let mut text = String::new();
        for _ in 0..1 + below(6) {
            text += PARTS[below(PARTS.len())];
            text += ["", "", " ", " ", "-", "/", ", "][below(7)];
        }
        texts.push(text);
    }
    let Some(output) = trials::python(SCRIPT, &serde_json::to_string(&texts).unwrap()) else {
        return;
    };
    // Midnight may pass meanwhile, and of some moments pandas cannot tell the day.
    let today = now().div_euclid(DAY).to_string();
    let is_untold = |expected: &str| expected.contains("toordinal not yet supported");
    let mut wrong = Vec::new();
    for (text, expected) in texts.iter().zip(output.lines()) {
        let expected: String = serde_json::from_str(expected).unwrap();
        let found = shown(&Json::String(text.as_str().into()));
        if found != expected && !found.starts_with(&today) && !is_untold(&expected) {
            wrong.push(format!("{text:?}: {found}, not {expected}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        texts.len(),
        wrong[..wrong.len().min(40)].join("\n")
    );
}
