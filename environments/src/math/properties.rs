//! What holds of any answers: reflexivity, symmetry, indifference to spelling, and that nothing makes the
//! parser or the comparison panic or run on.

use proptest::prelude::*;

use super::equality::{Equality, Options, equal};
use super::expression::Expression;
use super::{latex, plain};

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (0_u32..20).prop_map(|value| value.to_string()),
        1 => (1_u32..9, 2_u32..9).prop_map(|(above, below)| format!("\\frac{{{above}}}{{{below}}}")),
        1 => (0_u32..9, 0_u32..99).prop_map(|(whole, part)| format!("{whole}.{part}")),
    ]
}

fn symbol() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["x", "y", "n", "\\pi", "\\alpha", "x_1"]).prop_map(String::from)
}

/// Expressions with a value at most points, everything composed in braces or brackets.
fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![number(), symbol()];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let pair = (inner.clone(), inner.clone());
        prop_oneof![
            pair.clone().prop_map(|(left, right)| format!("({left}) + ({right})")),
            pair.clone().prop_map(|(left, right)| format!("({left}) - ({right})")),
            pair.clone().prop_map(|(left, right)| format!("({left}) \\cdot ({right})")),
            pair.prop_map(|(left, right)| format!("\\frac{{{left}}}{{{right}}}")),
            (inner.clone(), 0_u32..4)
                .prop_map(|(base, exponent)| format!("({base})^{{{exponent}}}")),
            inner.clone().prop_map(|inner| format!("\\sqrt{{{inner}}}")),
            inner.clone().prop_map(|inner| format!("\\sin({inner})")),
            inner.prop_map(|inner| format!("|{inner}|")),
        ]
    })
}

/// Answers of all kinds.
fn answer() -> impl Strategy<Value = String> {
    let pair = || (expression(), expression());
    prop_oneof![
        6 => expression(),
        1 => pair().prop_map(|(left, right)| format!("({left}, {right})")),
        1 => pair().prop_map(|(left, right)| format!("[{left}, {right})")),
        1 => pair().prop_map(|(left, right)| format!("\\{{{left}, {right}\\}}")),
        1 => pair().prop_map(|(left, right)| format!("{left} = {right}")),
        1 => pair().prop_map(|(left, right)| format!("{left} < {right}")),
        1 => pair().prop_map(|(left, right)| format!("{left} \\pm {right}")),
        1 => pair().prop_map(|(left, right)| {
            format!("\\begin{{pmatrix}} {left} \\\\ {right} \\end{{pmatrix}}")
        }),
    ]
}

/// Tokens in any order.
fn soup() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "1",
        "23",
        "0.5",
        "x",
        "y",
        "i",
        "e",
        "d",
        "+",
        "-",
        "*",
        "/",
        "^",
        "_",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "|",
        ",",
        ";",
        "=",
        "<",
        ">",
        "!",
        "'",
        "&",
        "%",
        " ",
        "\\frac",
        "\\sqrt",
        "\\sin",
        "\\log",
        "\\sum",
        "\\int",
        "\\lim",
        "\\to",
        "\\infty",
        "\\pm",
        "\\cup",
        "\\in",
        "\\{",
        "\\}",
        "\\\\",
        "\\text{a}",
        "\\begin{pmatrix}",
        "\\end{pmatrix}",
        "\\mathbb{R}",
        "\\approx",
        "\\circ",
        "\\binom",
        "\\lfloor",
        "\\rfloor",
        "\\max",
        "dx",
        "9^{9^{9}}",
        "\\frac{1}{0}",
        "é",
        "\u{221e}",
    ]);
    prop::collection::vec(token, 0..24).prop_map(|tokens| tokens.concat())
}

fn verdict(gold: &Expression, predicted: &Expression) -> Equality {
    equal(gold, predicted, Options::default())
}

/// Whether two texts are equal answers, if both can be read.
fn same(left: &str, right: &str) -> Option<Equality> {
    Some(verdict(&latex::parse(left).ok()?, &latex::parse(right).ok()?))
}

fn is_undefined(value: &Expression) -> bool {
    value.to_string().contains("zoo") || value.to_string().contains("nan")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn an_answer_equals_itself(text in answer()) {
        let value = latex::parse(&text).unwrap();
        prop_assume!(!is_undefined(&value));
        prop_assert_eq!(verdict(&value, &value.clone()), Equality::Equal);
        prop_assert_eq!(equal(&value, &value.clone(), Options { strict: true }), Equality::Equal);
    }

    #[test]
    fn the_order_of_two_expressions_does_not_matter(left in expression(), right in expression()) {
        prop_assert_eq!(same(&left, &right), same(&right, &left));
    }

    #[test]
    fn spelling_does_not_matter(text in expression()) {
        let spaced = text.replace(' ', " \\, ").replace('+', " + ").replace('(', "( ");
        let larger = text.replace("\\frac", "\\dfrac").replace('(', "\\left(").replace(')', "\\right)");
        let value = latex::parse(&text).unwrap();
        prop_assert_eq!(&latex::parse(&spaced).unwrap(), &value);
        prop_assert_eq!(&latex::parse(&larger).unwrap(), &value);
        prop_assume!(!is_undefined(&value));
        let braced = latex::parse(&format!("({text})")).unwrap();
        prop_assert_eq!(verdict(&value, &braced), Equality::Equal);
        let braced = latex::parse(&format!("{{{text}}}")).unwrap();
        prop_assert_eq!(verdict(&value, &braced), Equality::Equal);
    }

    #[test]
    fn terms_and_factors_commute(left in expression(), right in expression()) {
        for sign in ["+", "\\cdot"] {
            let one = latex::parse(&format!("({left}) {sign} ({right})")).unwrap();
            let other = latex::parse(&format!("({right}) {sign} ({left})")).unwrap();
            prop_assume!(!is_undefined(&one));
            let verdict = verdict(&one, &other);
            prop_assert!(verdict != Equality::Different, "{} and {}", one, other);
        }
    }

    #[test]
    fn adding_one_makes_a_difference(text in expression()) {
        let value = latex::parse(&text).unwrap();
        let more = latex::parse(&format!("({text}) + 1")).unwrap();
        prop_assert!(verdict(&value, &more) != Equality::Equal, "{}", value);
    }

    #[test]
    fn nothing_makes_the_parser_or_the_comparison_panic(left in soup(), right in soup()) {
        let (left, right) = (latex::parse(&left), latex::parse(&right));
        if let Ok(left) = &left {
            let _ = left.to_string();
            for strict in [false, true] {
                let _ = equal(left, right.as_ref().unwrap_or(left), Options { strict });
            }
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,64}") {
        let _ = latex::parse(&text);
        let _ = plain::parse_arithmetic(&text);
    }
}

#[test]
fn a_mebibyte_of_anything_is_refused_at_once() {
    for unit in [
        "x",
        "(",
        "{",
        "\\frac{",
        "1+",
        "x^",
        "\\sqrt",
        "|",
        "1,",
        "é",
        "\\text{",
        "\\begin{pmatrix}",
    ] {
        let text = unit.repeat((1 << 20) / unit.len());
        assert!(latex::parse(&text).is_err(), "{unit}");
        assert!(plain::parse_arithmetic(&text).is_err(), "{unit}");
    }
}

#[test]
fn hostile_answers_end_without_a_verdict_of_equality() {
    let tower = "9^{9^{9^{9}}}";
    let long_sum = vec!["\\sqrt{x+1}"; 800].join("+");
    let long_product = vec!["(x+y+z)"; 1000].join("\\cdot");
    let set: Vec<String> = (0..1500).map(|value| format!("x+{value}")).collect();
    let other: Vec<String> = (0..1500).map(|value| format!("x-{value}")).collect();
    for (gold, predicted) in [
        (tower, "1"),
        (&long_sum, "x"),
        (&long_product, "x"),
        (&set.join(","), &other.join(",")),
        ("(1+\\frac{1}{10^{1000}})^{10^{1000}}", "3"),
        ("\\sin(10^{1000})", "1"),
        ("\\sum_{k=1}^{10^{9}} k!", "1"),
        ("((((((((2^9)^9)^9)^9)^9)^9)^9)^9)", "1"),
        ("\\frac{1}{\\sin(\\pi)}", "1"),
        ("\\ln(\\sin(\\pi))", "1"),
        ("x^{x^{x^{x^{x^{x}}}}}", "x"),
        ("(x+1)^{1000000}", "(x+2)^{1000000}"),
        ("\\binom{100000}{50000}", "1"),
        ("\\int_0^1 \\frac{1}{x} dx", "1"),
        ("\\lim_{x \\to 0} \\sin(\\frac{1}{x})", "0"),
    ] {
        let (gold, predicted) = (latex::parse(gold).unwrap(), latex::parse(predicted).unwrap());
        for strict in [false, true] {
            assert_ne!(equal(&gold, &predicted, Options { strict }), Equality::Equal);
            assert_ne!(equal(&predicted, &gold, Options { strict }), Equality::Equal);
        }
    }
}
