//! What is found in texts, and that finding it takes time linear in them.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{CONTENT_MAX, Options, READ_MAX, Targets, TooMany, extract, normal, units};

/// What is read in a text, as printed: the value if there is one, and the text that stands for it.
fn printed(text: &str) -> Vec<String> {
    let found = extract(text, Targets::All, Options::default()).unwrap();
    found.iter().map(ToString::to_string).collect()
}

#[test]
fn plain_values_are_found_where_they_stand_alone() {
    for (text, expected) in [
        ("100m2", &["100", "100"][..]),
        ("x3", &[]),
        ("XDY3", &[]),
        ("(3)", &[]),
        ("—3", &[]),
        ("-007", &["-7", "-7"]),
        ("50%", &["50*(1/100)", "50"]),
        ("7 percent", &["7*(1/100)", "7"]),
        ("7 percentage", &["7*(1/100)", "7"]),
        ("7 Pct", &["7*(1/100)", "7"]),
        ("0,5", &["0.500000000000000", "0.5"]),
        (".5", &["0.500000000000000", "0.5"]),
        ("1 234 567", &["1234567", "1234567"]),
        ("1,234.5", &["1234.50000000000", "1234.5"]),
        // Thousands end where a group does.
        ("12 3456", &["12345", "12345"]),
        ("00012", &["12", "12"]),
        ("0007.50", &["7.50000000000000", "7.50"]),
        ("€20", &["20", "20"]),
        ("=5", &["5", "5"]),
        ("**5**", &["5", "5**"]),
        ("= **5**.", &["5", "5**."]),
        ("2+2", &["2 + 2", "2+2"]),
        ("10^2", &["10**2", "10^2"]),
        ("(3+4)*2", &["(3 + 4)*2", "(3+4)*2"]),
        // Signs that arithmetic is not read with.
        ("3×4", &["3", "3×4"]),
        ("a 5 b 6 c", &["6", "6"]),
        ("", &[]),
        ("no number", &[]),
    ] {
        assert_eq!(printed(text), expected, "{text}");
    }
}

#[test]
fn phrases_come_before_what_stands_behind_them() {
    for (text, expected) in [
        ("answer 5", "5"),
        ("answer: x = 5", "5"),
        // Not what another equals sign follows.
        ("answer: x = 5 = 6", "6"),
        ("answer: 1,234 = 5", "5"),
        ("Answer: 3, and then 9", "3"),
        ("The answer is 3. Later comes 9", "3"),
        ("The answer: 3\nlater 9", "3"),
        (
            "the answer is far, far away from this place here, more than fifty letters, 3. Then 9",
            "9",
        ),
        ("The final answer is 12. I hope it is correct. But 13.", "12"),
        ("The final answer is $12$. I hope it is correct. But 13.", "12"),
        ("The final answer is: 12I hope", "12"),
        ("FINAL ANSWER IS 12. I hope", "12"),
        ("fınal anſwer iſ 12. Then answer 13", "13"),
        ("final answer for this is 7 and 8", "7"),
        ("final answer for this is $7$ and 8", "7"),
        ("Final answer: 7 and 8", "7"),
        ("answer\n\n$5$", "5"),
        ("final\nanswer is 3, then 4", "3"),
    ] {
        assert_eq!(printed(text).first().map(String::as_str), Some(expected), "{text}");
    }
}

#[test]
fn environments_are_found_by_their_delimiters() {
    for (text, expected) in [
        ("$5$", &["5", "5"][..]),
        ("$$5$$", &["5", "5"]),
        ("$$5\n$$", &["5", "5"]),
        ("\\[ 7 \\]", &["7", "7"]),
        ("\\(\nx\\)", &[]),
        ("$\nx$", &[]),
        ("a [7] b", &["7", "7"]),
        ("[7]", &[]),
        ("[7] b", &[]),
        ("\\frac{1}{2}", &["1/2", "\\frac{1}{2}"]),
        ("-\\frac{1}{2}", &["-1/2", "-\\frac{1}{2}"]),
        ("\\frac{x}{2}", &[]),
        ("5$3$", &["5", "5"]),
        ("\\$3$", &[]),
        ("$3\\$4$", &["34", "34"]),
        ("\\\\[3\\]", &[]),
        ("$7$ %", &["7*(1/100)", "7"]),
        ("$7\\%$", &["7*(1/100)", "7\\%"]),
        ("$7$ percent", &["7*(1/100)", "7"]),
        ("$x=4$%", &["4", "x=4"]),
    ] {
        assert_eq!(printed(text), expected, "{text}");
    }
}

#[test]
fn joined_environments_are_one_answer() {
    for (text, expected) in [
        ("Answer: $5$ and $6$", &["{5, 6}", "5 and 6"][..]),
        ("$5$,and $6$ or $7$", &["{5, 6, 7}", "5 and 6 and 7"]),
        ("$5$, $6$,or\n$7$", &["{5, 6, 7}", "5 and 6 and 7"]),
        // A comma and a space before `and` do not join.
        ("$5$, $6$, and $7$", &["7", "7"]),
        ("$5$ then $6$", &["6", "6"]),
        // Six at most.
        ("$a$ and $b$ and $c$ and $d$ and $f$ and $g$ and $h$", &["h", "h"]),
        ("$\\{1,2\\}$ and $3$", &["{1, 2, 3}", "\\{1,2\\} and 3"]),
        ("$5$ and [6] \n", &["{5, 6}", "5 and 6"]),
        // If one cannot be read, the first alone counts.
        ("$5$ and $\\frac{$", &["5", "5"]),
    ] {
        assert_eq!(printed(text), expected, "{text}");
    }
}

#[test]
fn the_last_boxes_count() {
    for (text, expected) in [
        ("\\boxed{3", &[][..]),
        ("\\boxed 3", &["3", "3"]),
        ("\\fbox{3}", &[]),
        ("\\boxed{}", &[]),
        ("\\boxed{ }", &[]),
        ("\\boxed{3} }", &["3", "3"]),
        ("$x$ \\boxed{3} y} $z$", &["3", "3"]),
        ("\\boxed{\\boxed{3}}", &["3", "3"]),
        ("\\boxed{a \\fbox{3}}", &["3", "3"]),
        ("\\boxed{4} ... wait \\boxed{5}", &["5", "5"]),
        ("\\boxed{1}, \\boxed{2}", &["{1, 2}", "1,2"]),
        ("\\boxed{1}         \\boxed{2}", &["{1, 2}", "1,2"]),
        ("\\boxed{1}          \\boxed{2}", &["2", "2"]),
        ("\\boxed{1} or therefore we have that \\boxed{2}", &["{1, 2}", "1,2"]),
        ("\\boxed{2} or therefore we have that \\boxed{2}", &["2", "2"]),
        (
            "\\boxed{4} ... wait, it should be something else entirely here so \\boxed{5}",
            &["{4, 5}", "4,5"],
        ),
        ("$\\boxed{1}$ and $\\boxed{2}$", &["{1, 2}", "1 and 2"]),
        ("$\\boxed{1} \\boxed{2}$", &["{1, 2}", "1,2"]),
        ("$\\boxed{3}$ and }", &["3", "3"]),
        ("\\boxed{\\text{yes}}", &["yes", "\\text{yes}"]),
        ("\\boxed{\\frac{1}{2}} and 7", &["1/2", "\\frac{1}{2}"]),
    ] {
        assert_eq!(printed(text), expected, "{text}");
    }
}

#[test]
fn latex_is_normalised_step_by_step() {
    for (content, expected) in [
        // Commands and layout.
        ("\\mathrm{T} \\mathrm{d}x", "T dx"),
        ("\\left[\\begin{matrix}1\\end{matrix}\\right]", "\\begin{bmatrix}1\\end{bmatrix}"),
        ("\\left( x \\right) \\mleft\\{ y \\mright\\}", "( x ) \\{ y \\}"),
        ("\\left. x \\right<", "\\left. x \\right<"),
        ("(n)_{k}", "\\frac{(n)!}{((n)-(k))!}"),
        ("5\\!\\, \\text{ } \\$7 \"a\" \\displaystyle", "5\\,  7 a"),
        ("90\\mathrm{th}", "90"),
        // Other ways to say the same.
        ("\\dfrac12 \\tfrac{1}{2}", "\\frac{1}{2} \\frac{1}{2}"),
        ("\\mathbf{x} \\textrm{y}", "\\text{x} \\text{y}"),
        ("a .5 {.5}", "a 0.5 {0.5}"),
        ("1{,}234 and 1 { , } 2", "1,234, 1, 2"),
        ("x ~= 3", "x \\approx 3"),
        ("1, and 2 \\text{ or } 3 band", "1, 2, 3 band"),
        ("a\\ b", "a b"),
        ("infinity, inf", "\\infty, \\infty"),
        ("1,2,\\ldots", "1,2"),
        ("5 percent, 6 percentage, 7\\text{pct}", "5\\%, 6\\%, 7\\%"),
        ("2 sqrt 3", "2\\sqrt{3}"),
        ("x\ny\tz", "x y z"),
        ("\\\\frac{1}{2}", "\\frac{1}{2}"),
        ("\\\\\\pi", "\\\\pi"),
        ("\\begin{pmatrix}1\\\\\\pi\\end{pmatrix}", "\\begin{pmatrix}1\\\\\\pi\\end{pmatrix}"),
        // A point in front, and the half.
        (".25", "0.25"),
        ("0.5", "\\frac{1}{2}"),
        (".5", "\\frac{1}{2}"),
        // Operators.
        ("x^(2)", "x^{2}"),
        ("sqrt(3)", "\\sqrt{3}"),
        ("\\sqrt(3)", "\\\\sqrt{3}"),
        ("\\frac12", "\\frac{1}{2}"),
        ("\\frac 1 23", "\\frac{1}{23}"),
        ("\\frac{a}2", "\\frac{a}{2}"),
        ("\\frac1{b}", "\\frac{1}{b}"),
        ("\\fracab", "\\frac{a}{b}"),
        ("\\frac{a}{b}+2^{3}4", "\\frac{a}{b}+2^{3}{4}"),
        ("\\log_2 8", "\\log_{2}{8}"),
        ("\\sqrt3 \\sqrt x", "\\sqrt{3} \\sqrt{x}"),
        ("\\sqrt[3]2", "\\sqrt[3]2"),
        ("3/4", "\\frac{3}{4}"),
        ("-3/4", "\\frac{-3}{4}"),
        ("03/4", "03/4"),
        ("1/2/3", "1/2/3"),
        ("x/2", "x/2"),
        (" x ", "x"),
    ] {
        assert_eq!(normal::normalised(content, Options::default()), expected, "{content}");
    }
}

#[test]
fn units_are_dropped_once_or_twice() {
    for (text, expected) in [
        ("5 cm", "5"),
        ("5cm", "5"),
        ("5 inches", "5"),
        ("5 square inches", "5"),
        ("5 \\text{ cm}^2", "5"),
        ("5 \\text{ cm}{^2}", "5"),
        ("5\\mbox{ in}", "5"),
        ("\\text{five}", "\\text{five}"),
        // All from the first of them on.
        ("\\frac{\\text{a}}{2} + 5\\text{cm}", "\\frac{"),
        ("2t", "2"),
        ("2ab", "2"),
        ("x^2 + c", "x^2 + "),
        ("{x}m", "{x}"),
        ("xm", "xm"),
        ("5 dollars", "5 dollars"),
        ("5 sq . m", "5"),
        ("10 degrees", "10"),
        ("12 \\, m", "12 \\, "),
        ("cm", "cm"),
        ("", ""),
    ] {
        assert_eq!(units::without(text.to_owned(), Options::default()), expected, "{text}");
    }
}

#[test]
fn strictly_only_units_are_dropped_and_only_lists_of_boxes_are_joined() {
    let strict = Options { strict: true };
    for (text, expected) in [
        ("5 cm", "5"),
        ("5\\text{ cm}^2", "5"),
        ("5 square inches", "5"),
        ("2t", "2t"),
        ("2ab", "2ab"),
        ("x^2 + c", "x^2 + c"),
        ("\\text{a} + 5\\text{ cm}", "\\text{a} + 5"),
    ] {
        assert_eq!(units::without(text.to_owned(), strict), expected, "{text}");
    }
    for (text, expected) in [
        ("\\boxed{1}, \\boxed{2}", "{1, 2}"),
        ("$\\boxed{1}$ and $\\boxed{2}$", "{1, 2}"),
        ("\\boxed{1} \\text{ or } \\boxed{2}", "{1, 2}"),
        ("\\boxed{1} \\boxed{2}", "2"),
        ("\\boxed{1} ... wait, so \\boxed{2}", "2"),
    ] {
        let found = extract(text, Targets::All, strict).unwrap();
        assert_eq!(found[0].to_string(), expected, "{text}");
    }
}

#[test]
fn a_text_full_of_what_cannot_be_read_is_given_up() {
    assert_eq!(
        extract(&"$\\frac$ x ".repeat(20_000), Targets::All, Options::default()),
        Err(TooMany)
    );
    let few = extract(&"$\\frac$ x ".repeat(100), Targets::All, Options::default()).unwrap();
    assert_eq!(few.len(), 1, "{few:?}");
}

#[test]
fn what_is_far_too_long_to_be_an_answer_is_not_read() {
    let long = "1 + ".repeat(CONTENT_MAX / 4) + "1";
    let boxed = format!("It is 7, or \\boxed{{{long}}}");
    let found = extract(&boxed, Targets::All, Options::default()).unwrap();
    // The arithmetic in it is too long as well, and the numbers are not.
    assert_eq!((found[0].to_string(), found[1].to_string()), ("1".to_owned(), long));
    let unread =
        format!("${}$ ", "1 + ".repeat(CONTENT_MAX / 8)).repeat(4 * READ_MAX / CONTENT_MAX);
    let found = extract(&unread, Targets::Latex, Options::default());
    assert!(matches!(found, Err(TooMany)), "{} bytes", unread.len());
}

/// What texts are repeated from that make searches slow.
const FRAGMENTS: [&str; 40] = [
    "a",
    " ",
    "\n",
    "\t",
    "1",
    "1 ",
    "1+",
    " 1 ",
    "1,111,",
    "answer",
    "answer:",
    "answer: 1=",
    "final answer ",
    "final answer is ",
    "final answer is 1. ",
    "is ",
    "=",
    " =",
    "$",
    "$$",
    "\\$",
    "$a$ and ",
    "\\(",
    "\\[",
    "\\]\\[",
    " [",
    " [a] ",
    "\\boxed{",
    "\\boxed{}",
    "}",
    "{",
    "\\frac{1}{2}",
    "\\frac",
    "\\sqrt",
    "^(",
    "(n)_{",
    "\\text{",
    "**",
    " percent",
    "é",
];

/// How much text is searched. What takes time quadratic in it would take much longer.
const LENGTH: usize = 32 << 10;
/// The time that this may take. Tests run unoptimised, and beside others.
const TIME_MAX: Duration = Duration::from_secs(5);

#[test]
fn no_fragment_repeated_makes_a_search_slow() {
    for first in FRAGMENTS {
        for second in ["", " "] {
            let unit = format!("{first}{second}");
            let text = unit.repeat(LENGTH / unit.len());
            let started = Instant::now();
            // Giving up is as good as finding.
            let _ = extract(&text, Targets::All, Options::default());
            let _ = extract(&format!("{text}$7$"), Targets::All, Options::default());
            let _ = normal::normalised(&text, Options::default());
            assert!(started.elapsed() < TIME_MAX, "{unit:?}: {:?}", started.elapsed());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn no_text_makes_a_search_panic(text in proptest::collection::vec(0..FRAGMENTS.len(), 0..40)) {
        let text: String = text.into_iter().map(|index| FRAGMENTS[index]).collect();
        let _ = extract(&text, Targets::All, Options::default());
        let _ = extract(&format!("\\boxed{{{text}}}"), Targets::Latex, Options::default());
        let _ = normal::normalised(&text, Options::default());
    }

    #[test]
    fn nor_do_characters_of_all_scripts(text in "\\PC{0,60}") {
        let _ = extract(&text, Targets::All, Options::default());
        let _ = normal::normalised(&text, Options::default());
    }

    /// What stands before an answer in a box does not change it.
    #[test]
    fn a_box_is_found_behind_any_text(before in "[a-z0-9 .,=+$-]{0,80}", value in 0..1000_u32) {
        let before = before.replace("answer", "");
        let text = format!("{before}\n\n\\boxed{{{value}}}");
        let found = printed(&text);
        prop_assert_eq!(found.first(), Some(&value.to_string()));
    }
}
