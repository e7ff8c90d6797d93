//! LaTeX and what it is read as, in SymPy's form.

use super::{LENGTH_MAX, Options, ParseError, parse};
use crate::math::expression::{DEPTH_MAX, Expression};

fn read(text: &str) -> String {
    parse(text).map_or_else(|_| "nothing".into(), |value| value.to_string())
}

fn check(rows: &[(&str, &str)]) {
    for (text, expected) in rows {
        assert_eq!(read(text), *expected, "{text}");
    }
}

#[test]
fn numbers_are_exact_and_keep_their_digits() {
    check(&[
        ("3", "3"),
        ("-3", "-3"),
        ("007", "7"),
        ("1.5", "1.50000000000000"),
        (".5", "0.500000000000000"),
        ("-2.50", "-2.50000000000000"),
        ("0.1234567890123456789", "0.1234567890123456789"),
        ("1000000000000000000000000000001", "1000000000000000000000000000001"),
        ("1,234", "1234"),
        ("-1,234,567", "-1234567"),
        ("1,234.5", "1234.50000000000"),
        ("0,123", "0.123000000000000"),
        ("12,34", "{12, 34}"),
        ("0,5", "{0, 5}"),
        ("1, 234", "{1, 234}"),
        ("1,234,x", "{1, 234, x}"),
        ("\\frac{8}{2}", "4"),
        ("\\frac{-3}{6}", "-1/2"),
        ("-1/2", "-1/2"),
        ("1E5", "100000.000000000"),
        ("90^\\circ", "90"),
        ("101_2", "101"),
        ("50\\%", "50*(1/100)"),
        ("50%", "50*(1/100)"),
        ("\\frac{5}{0}", "zoo"),
        ("0/0", "nan"),
        ("\\infty", "oo"),
        ("-\\infty", "-oo"),
        ("5.", "nothing"),
        ("x\\%", "nothing"),
    ]);
}

#[test]
fn an_integer_before_a_positive_number_is_a_mixed_number() {
    check(&[
        ("2\\frac{1}{2}", "5/2"),
        ("-2\\frac{1}{2}", "-5/2"),
        ("(-2)\\frac{1}{2}", "-5/2"),
        ("5 7", "12"),
        ("2 1/2", "3/2"),
        ("1 2 3", "6"),
        ("2(3)(4)", "9"),
        ("0 5", "5"),
        ("5 0", "5*0"),
        ("2 (-3)", "2*(-3)"),
        ("2\\frac{x}{2}", "2*x/2"),
        ("3.5 2", "3.5*2"),
        ("2 3 x", "2*3*x"),
        ("x 2 3", "x*5"),
    ]);
}

#[test]
fn nothing_is_computed_but_negative_numbers_and_fractions() {
    check(&[
        ("3+5", "3 + 5"),
        ("3-5", "-5 + 3"),
        ("x-3", "x - 3"),
        ("3-x", "3 - x"),
        ("-(x+1)", "-(x + 1)"),
        ("2 \\cdot 3", "2*3"),
        ("2 \\div 3", "2/3"),
        ("a:b", "a/b"),
        ("1+x^2", "x**2 + 1"),
        ("x^{-1}", "1/x"),
        ("\\sqrt{2}", "sqrt(2)"),
        ("\\sqrt[3]{8}", "8**(1/3)"),
        ("\\sqrt[n]{x}", "x**(1/n)"),
        ("3\\sqrt{2}", "3*sqrt(2)"),
        ("\\frac{1+\\sqrt{5}}{2}", "(1 + sqrt(5))/2"),
        ("1+2\\sqrt{3}", "1 + 2*sqrt(3)"),
        ("\\pi r^2", "pi*r**2"),
        ("\\frac{1}{3}\\pi", "pi/3"),
        ("3+4I", "3 + 4*I"),
        ("5!", "factorial(5)"),
        ("x^2!", "factorial(x**2)"),
        ("\\binom{n}{k}", "binomial(n, k)"),
        ("\\binom{5}{2}", "10"),
        ("{5 \\choose 2}", "10"),
        ("\\gcd(4,6)", "2"),
        ("\\lcm(4,6)", "12"),
        ("\\max(1,2)", "Max(1, 2)"),
        ("5 \\mod 3", "Mod(5, 3)"),
        ("|x|", "Abs(x)"),
        ("|x||y|", "Abs(x)*Abs(y)"),
        ("\\lfloor x \\rfloor + 1", "floor(x) + 1"),
        ("\\lceil x \\rceil", "ceiling(x)"),
        ("x/2/3", "(x/2)/3"),
        ("\\frac{-3}{-\\pi}", "-3*(-1/pi)"),
        ("-2/3 x", "-2*1/(3*x)"),
        ("-\\pi+\\pi", "pi - pi"),
        ("\\pi-x", "pi - x"),
        ("e^x-e^{-x}", "exp(x) - exp(-x)"),
        ("6/2(1+2)", "6/((2*(1 + 2)))"),
        ("x^y^z", "x**(y**z)"),
        ("x^2^3", "(x**2)**3"),
        ("2^-1", "nothing"),
        ("\\frac12", "nothing"),
        ("", "nothing"),
        ("x+", "nothing"),
    ]);
}

#[test]
fn symbols_are_lower_cased_and_functions_keep_their_case() {
    check(&[
        ("2xy", "2*x*y"),
        ("A", "a"),
        ("e", "E"),
        ("E", "e"),
        ("I", "I"),
        ("i", "i"),
        ("\\alpha", "alpha"),
        ("\\Omega", "omega"),
        ("x_1", "x_1"),
        ("x_{1}", "x_1"),
        ("x_{ab}", "x_{ab}"),
        ("x_{1}^{2}", "x_1**2"),
        ("\\text{Yes}", "yes"),
        ("\\text{(A)}", "a"),
        ("\\text{a b}", "ab"),
        ("\\text{-\\frac{1}{2}}", "nothing"),
        ("\\text{\\pi}", "pi"),
        ("f(x)=(1,2)", "nothing"),
        ("\\text{\\alpha}", "alpha"),
        ("5\\pix", "5*pi*x"),
        ("true", "nothing"),
        ("\\overline{AB}", "bar{ab}"),
        ("\\overrightarrow{AB}", "vec{ab}"),
        ("\\hat{x}", "hat{x}"),
        ("x'", "x"),
        ("x^T", "x"),
        ("f(x)", "f(x)"),
        ("P(A)", "P(a)"),
        ("f(x,y+1)", "f(x, y + 1)"),
        ("f^2(x)", "f(x)**2"),
        ("f(2x)", "f*2*x"),
        ("x(x+1)", "x*(x + 1)"),
        ("xdx", "dx*x"),
    ]);
}

#[test]
fn functions_take_what_stands_beside_them() {
    check(&[
        ("\\sin x y", "sin(x*y)"),
        ("\\sin(x)y", "y*sin(x)"),
        ("\\sin 2x + 1", "sin(2*x) + 1"),
        ("\\sin x \\cos x", "sin(x)*cos(x)"),
        ("\\sin x/2", "sin(x/2)"),
        ("\\sin^2 x", "sin(x)**2"),
        ("\\sin^{-1} x", "asin(x)"),
        ("\\sin -x", "sin(-x)"),
        ("\\arctan(x)", "atan(x)"),
        ("\\log x", "log(x, 10)"),
        ("\\log_2 8", "log(8, 2)"),
        ("\\log_2^3 x", "log(x, 2)**3"),
        ("\\ln x", "log(x, E)"),
        ("\\exp(x)y", "y*exp(x)"),
        ("e^x", "exp(x)"),
        ("e^2x", "x*exp(2)"),
    ]);
}

#[test]
fn sums_integrals_limits_and_derivatives_are_lazy() {
    check(&[
        ("\\sum_{n=1}^{10} n", "Sum(n, (n, 1, 10))"),
        ("\\sum^{10}_{n=1} n", "Sum(n, (n, 1, 10))"),
        ("\\sum_{n=1}^{3} \\sum_{m=1}^{n} m", "Sum(m, (m, 1, n), (n, 1, 3))"),
        ("\\prod_{k=1}^{n} k", "Product(k, (k, 1, n))"),
        ("\\int x dx", "Integral(x, x)"),
        ("\\int_0^1 x \\, dx", "Integral(x, (x, 0, 1))"),
        ("\\int_0^1 \\frac{dx}{x}", "Integral(1/x, (x, 0, 1))"),
        ("\\int \\int x dx dy", "Integral(x, x, y)"),
        ("\\lim_{x \\to 0} \\frac{\\sin x}{x}", "Limit(sin(x)/x, x, 0, dir='+')"),
        ("\\lim_{n \\to \\infty} \\frac{1}{n}", "Limit(1/n, n, oo, dir='-')"),
        ("\\frac{d}{dx} x^2", "Derivative(x**2, x)"),
        ("\\frac{dy}{dx}", "Derivative(y, x)"),
        ("\\sum n", "nothing"),
    ]);
}

#[test]
fn matrices_have_rows_of_equal_length() {
    check(&[
        ("\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}", "Matrix([[1, 2], [3, 4]])"),
        ("\\begin{array}{cc} 1 & 2 \\\\ 3 & 4 \\end{array}", "Matrix([[1, 2], [3, 4]])"),
        ("\\begin{bmatrix} 1 \\\\ 2 \\\\ \\end{bmatrix}", "Matrix([[1], [2]])"),
        ("\\begin{vmatrix} 1 & 2 \\\\ 3 & 4 \\end{vmatrix}", "-2"),
        ("\\begin{pmatrix} 1 & 2 \\end{pmatrix}^T", "Matrix([[1], [2]])"),
        ("\\begin{pmatrix} 1 & 2 \\\\ 3 \\end{pmatrix}", "nothing"),
        ("\\begin{cases} x & y \\end{cases}", "nothing"),
    ]);
}

#[test]
fn relations_and_chains_stay_as_they_are_written() {
    check(&[
        ("x=5", "Eq(x, 5)"),
        ("x \\le 5", "x <= 5"),
        ("x \\neq 3", "Ne(x, 3)"),
        ("1<x<5", "(1 < x) & (x < 5)"),
        ("a=b=3", "Eq(a, b) & Eq(b, 3)"),
        ("x \\in (1,2)", "Eq(x, Interval.open(1, 2))"),
        ("x = 1,2", "Eq(x, {1, 2})"),
        ("x=1,y=2", "{Eq(x, 1), Eq(y, 2)}"),
        ("x \\approx 3", "3"),
        ("2x \\approx 1", "2*x"),
        ("\\pi \\approx 3.14", "pi"),
        ("x = \\frac{1}{3} \\approx 0.33", "Eq(x, 1/3)"),
        ("f(x) = x^2", "Eq(f(x), x**2)"),
        ("a = b = ? = 3", "3"),
        ("(x,y)=(1,2)", "Eq((x, y), Interval.open(1, 2))"),
    ]);
}

#[test]
fn brackets_make_intervals_tuples_and_sets() {
    check(&[
        ("(1,2)", "Interval.open(1, 2)"),
        ("[1,2)", "Interval.Ropen(1, 2)"),
        ("(-\\infty, 3]", "Interval(-oo, 3)"),
        ("(2,1)", "(2, 1)"),
        ("[2,1]", "(2, 1)"),
        ("(2,2)", "(2, 2)"),
        ("[2,2]", "{2}"),
        ("(2,1]", "EmptySet"),
        ("(x,2x)", "Interval.open(x, 2*x)"),
        ("(\\sqrt{2},1)", "(sqrt(2), 1)"),
        ("(1,2,3)", "(1, 2, 3)"),
        ("[1,2,3]", "(1, 2, 3)"),
        ("(1,2,3]", "nothing"),
        ("\\{1,2\\}", "{1, 2}"),
        ("\\{\\}", "EmptySet"),
        ("1,2;3,4", "{(1, 2), (3, 4)}"),
        ("1;2", "{1, 2}"),
        ("(1,2),(3,4)", "{Interval.open(1, 2), Interval.open(3, 4)}"),
        ("\\pm 3", "{-3, 3}"),
        ("3 \\pm 2", "{-2 + 3, 2 + 3}"),
        ("(1, \\pm 2)", "(1, -2, 2)"),
        ("(1,2) \\cup (3,4)", "Union(Interval.open(1, 2), Interval.open(3, 4))"),
        ("\\mathbb{R} \\setminus \\{0\\}", "Complement(Reals, {0})"),
        ("\\emptyset", "EmptySet"),
        ("\\mathbb{Z}", "Integers"),
        ("(1,2)+1", "nothing"),
        ("A \\cup B", "nothing"),
        ("1,", "nothing"),
    ]);
}

#[test]
fn signs_beyond_ascii_are_read_as_what_they_stand_for() {
    for (text, same) in [
        ("−\\frac{1}{3}", "-\\frac{1}{3}"),
        ("2×3", "2*3"),
        ("2⋅3", "2*3"),
        ("6÷x", "6/x"),
        ("2⊕3", "2+3"),
        ("1±2", "1\\pm 2"),
        ("π", "\\pi"),
        ("Π", "\\pi"),
        ("\\text{pi}", "\\pi"),
        ("α+ϕ", "\\alpha+\\varphi"),
        ("\\text{α}", "\\alpha"),
        ("\\text{infinity}", "\\text{\\infinity}"),
        ("x≤2", "x\\le 2"),
        ("x≥2", "x\\ge 2"),
        ("x≪2", "x<2"),
        ("x≠2", "x\\ne 2"),
        ("x≔2", "x=2"),
        ("x≈2", "x\\approx 2"),
        ("x~=2", "x\\approx 2"),
        ("x!==2", "x\\ne 2"),
        ("(0,1)∪(2,3)", "(0,1)\\cup(2,3)"),
        ("(0,2)∩(1,3)", "(0,2)\\cap(1,3)"),
        ("ℝ∖\\{0\\}", "\\mathbb{R}\\setminus\\{0\\}"),
        ("∅", "\\emptyset"),
        ("30^°", "30"),
        ("x^\\degree", "x"),
        ("{30}^{\\degree}", "30"),
        ("100!^\\circ", "100!"),
        ("\\infty\\%", "\\infty"),
        ("1\\over 2", "1/2"),
    ] {
        assert_eq!(read(text), read(same), "{text}");
        assert_ne!(read(text), "nothing", "{text}");
    }
    check(&[
        ("ℵ", "ℵ"),
        ("∞", "nothing"),
        ("√2", "nothing"),
        ("2·3", "nothing"),
        ("x²", "nothing"),
    ]);
}

#[test]
fn names_are_what_is_between_the_braces() {
    check(&[
        ("\\mathrm{(C)}", "math{(c)}"),
        ("\\text{(C)}", "c"),
        ("\\mathbb{E}", "math{e}"),
        ("\\bm{x}", "bm{x}"),
        ("\\Diamond", "diamond"),
        ("\\overline{x_{1}}", "nothing"),
        ("b^2_1", "b_1**2"),
        ("P_n(x)", "P_n(x)"),
        ("P[x]", "P(x)"),
        ("P{(x)}", "P(x)"),
        ("E(X)", "e*x"),
        ("dX", "dX"),
        ("d\\theta", "dtheta"),
        ("dπ", "pi*d"),
    ]);
}

#[test]
fn sets_stand_alone_or_beside_a_name() {
    check(&[
        ("x=\\{1,2\\}", "Eq(x, {1, 2})"),
        ("x^2=\\{1,2\\}", "Eq(x**2, {1, 2})"),
        ("x^2=1,2", "Eq(x**2, {1, 2})"),
        ("x\\in(0,1)\\cup(2,3)", "Eq(x, Union(Interval.open(0, 1), Interval.open(2, 3)))"),
        ("(x,y)=(1,2)", "Eq((x, y), Interval.open(1, 2))"),
        ("x=\\pm 2, 3", "Eq(x, {-2, 2, 3})"),
        ("x>\\{5\\}", "x > 5"),
        ("2x=\\{1,2\\}", "nothing"),
        ("f(x)=\\{1,2\\}", "nothing"),
        ("f(x)=\\{1\\}", "Eq(f(x), 1)"),
        ("x>\\{1,2\\}", "nothing"),
        ("x\\equiv\\{1,2\\}", "nothing"),
        ("x>\\pm 2", "nothing"),
        ("(x,y)>2", "nothing"),
        ("(x,y)\\approx 2", "nothing"),
        ("y, x=\\{1,2\\}", "nothing"),
        ("x=(1,2), y=3", "nothing"),
        ("2k\\pi, k\\in\\mathbb{Z}", "nothing"),
        ("(0,1)\\cup(2,3), 5", "nothing"),
        ("\\{(0,1)\\cup(2,3)\\}", "nothing"),
        (
            "((0,1)\\cup(2,3))\\cap(0,2)",
            "Intersection(Interval.open(0, 2), Union(Interval.open(0, 1), Interval.open(2, 3)))",
        ),
        ("(1,2)^T", "nothing"),
        ("(\\pm 2)", "(-2, 2)"),
        ("[-\\infty,3]", "Interval(-oo, 3)"),
    ]);
    assert_eq!(parse("[-\\infty,3]"), parse("(-\\infty,3]"));
}

/// Whatever the original's language lacks, and what it reads otherwise than it is meant.
#[test]
fn strictly_more_is_read() {
    for (text, otherwise, strictly) in [
        ("x^e", "nothing", "x**E"),
        ("v_e", "nothing", "v_e"),
        ("\\log_e 2", "nothing", "log(2, E)"),
        ("\\operatorname{arctan} x", "nothing", "atan(x)"),
        ("\\sum\\limits_{k=1}^{n} k", "nothing", "Sum(k, (k, 1, n))"),
        ("d\\sqrt{3}", "dsqrt*3", "sqrt(3)*d"),
        ("2d\\cdot 3", "2*dcdot*3", "2*d*3"),
        ("rank", "nothing", "r*a*n*k"),
        ("2k\\pi, k\\in\\mathbb{Z}", "nothing", "{2*k*pi, Eq(k, Integers)}"),
        ("(30,60)^\\circ", "nothing", "Interval.open(30, 60)"),
        ("\\overline{x_{1}}", "nothing", "bar{x_{1}}"),
    ] {
        assert_eq!(read(text), otherwise, "{text}");
        let read = super::parse_with(text, Options { strict: true }).unwrap();
        let sorted = |text: &str| {
            let mut text: Vec<char> = text.chars().collect();
            text.sort_unstable();
            text
        };
        assert_eq!(sorted(&read.to_string()), sorted(strictly), "{text}: {read}");
    }
}

#[test]
fn an_i_that_stands_alone_makes_symbols_complex() {
    let is_real = |text: &str| match parse(text) {
        Ok(Expression::Symbol(symbol)) => symbol.real,
        other => panic!("{text} is {other:?}"),
    };
    assert!(is_real("x"));
    assert!(is_real("x_i"));
    assert!(!is_real("i"));
    assert!(!is_real("x_{i}"));
    assert_ne!(parse("2+3i"), parse("2+3 i"));
}

#[test]
fn length_depth_and_digits_are_limited() {
    let nested = |depth: usize| format!("{}x{}", "(".repeat(depth), ")".repeat(depth));
    assert!(parse(&nested(35)).is_ok());
    assert_eq!(parse(&nested(5000)), Err(ParseError::Depth { limit: DEPTH_MAX }));
    assert!(matches!(parse(&"x^".repeat(4000)), Err(ParseError::Depth { .. })));
    assert!(matches!(parse(&format!("x{}", "!".repeat(4000))), Err(ParseError::Depth { .. })));
    assert!(matches!(parse(&format!("x{}", "/2".repeat(4000))), Err(ParseError::Depth { .. })));
    assert!(matches!(parse(&"\\sqrt{".repeat(2000)), Err(ParseError::Depth { .. })));
    let long = "1".repeat(LENGTH_MAX + 1);
    assert!(matches!(parse(&long), Err(ParseError::Length { .. })));
    assert!(matches!(parse(&format!("{}+x", "1".repeat(5000))), Err(ParseError::Digits { .. })));
    assert!(parse(&"1".repeat(4300)).is_ok());
    assert!(parse(&vec!["x"; 4000].join("+")).is_ok());
    assert!(parse(&"x".repeat(8000)).is_ok());
}
