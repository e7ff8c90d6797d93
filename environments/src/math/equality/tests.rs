//! Gold answers and what they accept.

use super::{Equality, Options, Undecided, equal};
use crate::math::latex::parse;

fn verdict(gold: &str, predicted: &str, strict: bool) -> Equality {
    let read = |text: &str| parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    equal(&read(gold), &read(predicted), Options { strict })
}

fn accepts(rows: &[(&str, &str)]) {
    for (gold, predicted) in rows {
        assert_eq!(verdict(gold, predicted, false), Equality::Equal, "{gold} accepts {predicted}");
    }
}

fn rejects(rows: &[(&str, &str)]) {
    for (gold, predicted) in rows {
        assert_eq!(
            verdict(gold, predicted, false),
            Equality::Different,
            "{gold} rejects {predicted}"
        );
    }
}

#[test]
fn an_equation_counts_with_its_right_side_where_the_other_is_none() {
    accepts(&[
        ("5", "x=5"),
        ("5", "2x+z=5"),
        ("x=5", "5"),
        ("3", "a=b=3"),
        ("a=b=3", "3"),
        ("a=b=3", "a=3"),
        ("f(x)=x^2", "x^2"),
        ("x^2", "f(x)=x^2"),
        ("x+y=5", "5"),
        ("\\sin x=\\frac{1}{2}", "\\frac{1}{2}"),
        ("\\frac{a}{b}=3", "3"),
        ("|\\vec{a}|=3", "3"),
        ("f^{-1}(x)=\\frac{x-1}{2}", "\\frac{x-1}{2}"),
        ("a+b=c=5", "5"),
        ("y^2=4ax", "x=\\frac{y^2}{4a}"),
        ("\\frac{1}{x}+\\frac{1}{y}=\\frac{1}{z}", "z=\\frac{xy}{x+y}"),
        ("\\frac{x}{y}=2", "x=2y"),
    ]);
    rejects(&[
        ("F=ma", "F=\\frac{m}{a}"),
        ("x=y", "x^2=y^2"),
        ("\\frac{1}{x}=2", "x=\\frac{1}{2}"),
    ]);
    rejects(&[("\\gcd(m,n)=1", "1")]);
    rejects(&[("\\frac{x^2-y^2}{x-y}=0", "x^2-y^2=0"), ("x^2y=xy", "\\frac{x^2y-xy}{xy}=0")]);
    rejects(&[("x=5", "y=5"), ("2x+4=0", "-2"), ("2x+4=0", "x=-2"), ("x=-2", "2x+4=0")]);
    rejects(&[
        ("f(2)=5", "5"),
        ("\\sqrt{x}=2", "2"),
        ("\\ln x=2", "2"),
        ("-x=5", "5"),
        ("2x=5", "5"),
    ]);
}

#[test]
fn a_gold_relation_is_solved_where_the_prediction_is_a_set() {
    accepts(&[
        ("x>1", "(1,\\infty)"),
        ("1<x<2", "(1,2)"),
        ("1 \\le x \\le 2", "[1,2]"),
        ("x^2<4", "(-2,2)"),
        ("x^2>4", "(-\\infty,-2)\\cup(2,\\infty)"),
        ("x^2<2", "(-\\sqrt{2},\\sqrt{2})"),
        ("x>\\sqrt{2}", "(\\sqrt{2},\\infty)"),
        ("|x|<3", "(-3,3)"),
        ("\\frac{x-1}{x-2} \\ge 0", "(-\\infty,1]\\cup(2,\\infty)"),
        ("x \\neq 2", "\\mathbb{R} \\setminus \\{2\\}"),
        ("1<x<2", "x\\in(1,2)"),
    ]);
    rejects(&[
        ("(1,\\infty)", "x>1"),
        ("(1,2)", "1<x<2"),
        ("1<x<2", "[1,2]"),
        ("x\\in(1,2)", "1<x<2"),
    ]);
}

#[test]
fn relations_are_compared_side_against_side() {
    accepts(&[
        ("x<1", "1>x"),
        ("-x<1", "x>-1"),
        ("x-1<0", "x<1"),
        ("x=1", "1=x"),
        ("y=2x+1", "y-2x=1"),
        ("y=2x+1", "2y=4x+2"),
        ("x^2+y^2=1", "2x^2+2y^2=2"),
        ("(x-1)(x-2)=0", "x^2-3x+2=0"),
        ("1<x<2", "0<x-1<1"),
        ("x \\neq 1", "x-1 \\neq 0"),
    ]);
    rejects(&[
        ("2x<4", "x<2"),
        ("x \\le 1", "x<1"),
        ("1<x<2", "2>x>1"),
        ("x \\neq 1", "1 \\neq x"),
        ("x^2=4", "x=2"),
        ("2x=4", "x=2"),
        ("x^2+y^2=1", "x^2-y^2=1"),
    ]);
}

#[test]
fn sets_ignore_order_and_tuples_do_not() {
    accepts(&[
        ("\\{1,2\\}", "2,1"),
        ("\\{1,1,2\\}", "\\{2,1\\}"),
        ("(1,2)", "1,2"),
        ("1,2", "(2,1)"),
        ("(1,2)", "\\{1,2\\}"),
        ("(1,2,3)", "1,2,3"),
        ("3,2,1", "(1,2,3)"),
        ("\\{5\\}", "5"),
        ("5", "\\{5\\}"),
        ("\\{5\\}", "x=5"),
        ("1,2", "x=1,x=2"),
        ("x=1,2", "1,2"),
        ("x=1,y=2", "(1,2)"),
        ("(x,y)=(1,2)", "(1,2)"),
        ("\\pm 1", "1,-1"),
        ("\\{x+1,2x\\}", "\\{2x,1+x\\}"),
        ("\\{\\frac{1}{3},2\\}", "\\{0.333333,2\\}"),
        ("(1,2),(3,4)", "(3,4),(1,2)"),
        ("(2,1),(4,3)", "(4,3),(2,1)"),
        ("\\emptyset", "\\{\\}"),
    ]);
    rejects(&[
        ("(1,2)", "2,1"),
        ("(2,1)", "(1,2)"),
        ("(1,2,3)", "3,2,1"),
        ("\\{1,2\\}", "\\{1,3\\}"),
        ("\\{1,2\\}", "\\{1,2,3\\}"),
        ("[1,2]", "1,2"),
        ("\\emptyset", "0"),
    ]);
}

#[test]
fn sets_of_real_numbers_are_equal_if_nothing_is_between_them() {
    accepts(&[
        ("(1,2)", "(1.0,2)"),
        ("(1,2)\\cup(3,4)", "(3,4)\\cup(1,2)"),
        ("[1,2]\\cup[2,3]", "[1,3]"),
        ("(1,3)", "(1,2]\\cup(2,3)"),
        ("(-\\infty,0)\\cup(0,\\infty)", "\\mathbb{R}\\setminus\\{0\\}"),
        ("\\mathbb{R}", "(-\\infty,\\infty)"),
        ("[1,3]\\cap[2,4]", "[2,3]"),
        ("(-\\infty,\\sqrt{2})", "(-\\infty,2^{1/2})"),
    ]);
    rejects(&[
        ("[1,2]", "(1,2)"),
        ("[1,2)", "[1,2]"),
        ("(1,2)\\cup(2,3)", "(1,3)"),
        ("\\mathbb{R}", "\\mathbb{Z}"),
    ]);
}

#[test]
fn words_are_equal_to_their_letters_in_order() {
    accepts(&[
        ("\\text{yes}", "Yes"),
        ("\\text{AB}", "AB"),
        ("AB", "BA"),
        ("\\text{east}", "east"),
        ("e", "\\text{e}"),
        ("x", "X"),
        ("x_1", "x_{1}"),
        ("\\text{A}", "A"),
        ("\\text{50}", "50"),
        ("50", "\\text{50}"),
        ("\\pi", "\\text{\\pi}"),
        ("x", "(x)"),
    ]);
    rejects(&[
        ("\\text{AB}", "BA"),
        ("BA", "\\text{AB}"),
        ("\\text{ab}", "\\text{ba}"),
        ("x", "y"),
        ("x", "1\\cdot x"),
        ("x", "2x-x"),
        ("\\frac{x}{1}", "x"),
        ("\\alpha", "a"),
        ("i", "I"),
        ("2+3i", "2+3 i"),
    ]);
}

#[test]
fn decimals_are_compared_at_six_places_but_not_with_integers() {
    accepts(&[
        ("\\frac{1}{3}", "0.333333"),
        ("\\frac{1}{3}", "0.3333333333"),
        ("\\frac{1}{3}", "33.33333\\%"),
        ("\\pi", "3.141593"),
        ("\\pi", "3.14159265"),
        ("\\sqrt{2}+1", "2.414214"),
        ("50\\%", "0.5"),
        ("50\\%", "\\frac{1}{2}"),
        ("17", "17.0"),
        ("6.0", "2 \\cdot 3"),
        ("0.0000001", "0.0000002"),
        ("0.0078125", "0.007812"),
        ("1.4", "\\frac{7}{5}"),
        ("4.0", "\\frac{8}{2}"),
    ]);
    rejects(&[
        ("\\frac{1}{3}", "0.33333"),
        ("\\pi", "3.14159"),
        ("17", "17.0000001"),
        ("17.001", "17"),
        ("4", "4.00000000001"),
        ("0", "0.0000001"),
        ("\\sqrt{36}", "6.0000001"),
        ("50\\%", "50"),
        ("0.0078125", "0.007813"),
    ]);
}

#[test]
fn infinities_have_a_direction_and_undefined_values_equal_nothing() {
    accepts(&[("\\infty", "+\\infty"), ("\\infty", "\\infty+1"), ("\\infty", "2\\infty")]);
    rejects(&[
        ("-\\infty", "\\infty"),
        ("\\infty", "5"),
        ("\\infty", "-2\\infty"),
        ("\\frac{1}{0}", "\\frac{1}{0}"),
        ("0/0", "0/0"),
    ]);
}

#[test]
fn expressions_are_equal_as_functions_of_their_symbols() {
    accepts(&[
        ("(a+b)^2", "a^2+2ab+b^2"),
        ("\\frac{x^2-1}{x-1}", "x+1"),
        ("\\frac{1}{\\sqrt{2}}", "\\frac{\\sqrt{2}}{2}"),
        ("\\sqrt{3+2\\sqrt{2}}", "1+\\sqrt{2}"),
        ("\\sqrt{x^2}", "|x|"),
        ("|x|^2", "x^2"),
        ("\\log_2 8", "3"),
        ("\\ln(e^2)", "2"),
        ("e^{\\ln 3}", "3"),
        ("\\sin^2 x+\\cos^2 x", "1"),
        ("\\sin 2x", "2\\sin x\\cos x"),
        ("\\tan x", "\\frac{\\sin x}{\\cos x}"),
        ("e^{I\\pi}", "-1"),
        ("\\sqrt{-4}", "2I"),
        ("|3+4I|", "5"),
        ("2^{100}", "4^{50}"),
        ("8^{2/3}", "4"),
        ("2^{n+1}", "2 \\cdot 2^n"),
        ("\\binom{n}{2}", "\\frac{n(n-1)}{2}"),
        ("(n+1)!", "(n+1)n!"),
        ("\\sum_{k=1}^{10} k", "55"),
        ("\\sum_{k=1}^{n} k^2", "\\frac{n(n+1)(2n+1)}{6}"),
        ("\\sum_{k=0}^{\\infty} \\frac{1}{2^k}", "2"),
        ("\\sum_{k=1}^{\\infty} \\frac{1}{k^2}", "\\frac{\\pi^2}{6}"),
        ("\\prod_{k=1}^{5} k", "120"),
        ("\\int_0^1 x^2 dx", "\\frac{1}{3}"),
        ("\\int_0^1 xe^x dx", "1"),
        ("\\int_0^{\\infty} e^{-x} dx", "1"),
        ("\\int 2x+1 dx", "x^2+x"),
        ("\\frac{d}{dx} x^2", "2x"),
        ("\\lim_{x \\to 0} \\frac{\\sin x}{x}", "1"),
        ("\\lim_{n \\to \\infty} (1+\\frac{1}{n})^n", "e"),
        ("f(x+1)", "f(1+x)"),
        ("2\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}", "\\begin{bmatrix} 2 \\\\ 4 \\end{bmatrix}"),
        ("\\begin{pmatrix} x+1 \\end{pmatrix}", "\\begin{pmatrix} 1+x \\end{pmatrix}"),
    ]);
    rejects(&[
        ("\\sqrt{x^2}", "x"),
        ("\\ln(x^2)", "2\\ln x"),
        ("\\sqrt{x}\\sqrt{y}", "\\sqrt{xy}"),
        ("-2", "\\sqrt[3]{-8}"),
        ("10^{100}", "10^{100}+1"),
        ("\\pi", "\\pi+10^{-16}"),
        ("\\sin 30^\\circ", "\\frac{1}{2}"),
        ("i^2", "-1"),
        ("f(x)", "g(x)"),
        ("x(y)", "xy"),
        ("n(n+1)", "|n(n+1)|"),
        ("(n-3)(n-4)", "|(n-3)(n-4)|"),
        ("\\int_0^1 x^2 dx", "\\frac{1}{4}"),
        ("\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}", "\\begin{pmatrix} 1 & 2 \\end{pmatrix}"),
        ("\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}", "(1,2)"),
    ]);
}

#[test]
fn strict_does_the_mathematically_right_thing() {
    for (gold, predicted, otherwise, strict) in [
        ("5", "2x+z=5", true, false),
        ("5", "x=5", true, true),
        ("2x=4", "x=2", false, true),
        ("x^2=1", "x^4=1", false, true),
        ("2x<4", "x<2", false, true),
        ("1<x<2", "2>x>1", false, true),
        ("(1,2)", "1<x<2", false, true),
        ("\\frac{1}{3}", "0.333333", true, false),
        ("\\frac{1}{2}", "0.5", true, true),
        ("0.0000001", "0.0000002", true, false),
        ("1,2", "(2,1)", true, false),
        ("1,2", "2,1", true, true),
        ("(1,2)", "\\{1,2\\}", true, false),
        ("2+3i", "2+3 i", false, true),
        ("2+3i", "2+3I", false, true),
        ("-2", "\\sqrt[3]{-8}", false, true),
        ("x", "2x-x", false, true),
        ("\\sum_{i=1}^{3} i", "6", true, true),
    ] {
        let expect = |equal| if equal { Equality::Equal } else { Equality::Different };
        assert_eq!(verdict(gold, predicted, false), expect(otherwise), "{gold} and {predicted}");
        assert_eq!(
            verdict(gold, predicted, true),
            expect(strict),
            "{gold} and {predicted}, strict"
        );
    }
}

#[test]
fn what_is_too_large_to_compute_is_undecided() {
    let undecided = |gold, predicted| match verdict(gold, predicted, false) {
        Equality::Undecided(reason) => reason,
        verdict => panic!("{gold} and {predicted}: {verdict:?}"),
    };
    assert_eq!(undecided("9^{9^{9}}", "5"), Undecided::Size);
    assert_eq!(undecided("10^{10^{10^{10}}}", "7"), Undecided::Size);
    assert_eq!(undecided("100000!", "7"), Undecided::Size);
    assert!(matches!(undecided("\\sum_{k=1}^{100000000} \\sin(k)", "1"), Undecided::Steps { .. }));
    assert_eq!(undecided("\\sum_{k=1}^{\\infty} \\frac{1}{k}", "5"), Undecided::NoPoint);
    assert_eq!(verdict("9^{9^{9}}", "9^{9^{9}}", false), Equality::Equal);
}

#[test]
fn what_grows_while_it_is_computed_is_undecided_before_it_fills_the_memory() {
    let row = |row: usize| (0..5).map(|column| format!("x_{{{row}{column}}}")).collect::<Vec<_>>();
    let rows = (0..5).map(|index| row(index).join("&")).collect::<Vec<_>>().join("\\\\");
    let matrix = format!("\\begin{{pmatrix}}{rows}\\end{{pmatrix}}");
    let product = "x ".repeat(5000);
    for (gold, predicted) in [
        (format!("{matrix}^{{16}}"), matrix),
        (format!("\\frac{{d}}{{dx}} {product}"), "1".into()),
        (format!("|x-1|{}=3", "+||x-1|-2|".repeat(1000)), "\\{1, 2\\}".into()),
    ] {
        let decided = verdict(&gold, &predicted, false);
        assert!(matches!(decided, Equality::Undecided(_)), "{}: {decided:?}", &gold[..40]);
    }
}

#[test]
fn fractions_that_grow_leave_steps_for_values() {
    let fraction =
        |index: u64| format!("\\frac{{{}}}{{{}}}", 10_u64.pow(15) + index, u64::MAX - index);
    let terms: Vec<String> = (0..300).map(fraction).collect();
    let reversed: Vec<String> = terms.iter().rev().cloned().collect();
    let (sum, reversed) = (terms.join("+"), reversed.join("+"));
    assert_eq!(verdict(&sum, &reversed, false), Equality::Equal);
    assert_eq!(verdict(&sum, &format!("{reversed}+10^{{-30}}"), false), Equality::Different);
}
