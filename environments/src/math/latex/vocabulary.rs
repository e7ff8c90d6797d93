//! The words and signs of the language: `latex2sympy2_extended` 1.10.2 knows these, and takes of a command
//! that goes on with letters the longest that it knows.

use super::functions::simple_function;
use super::names::{greek, is_symbol};
use super::tokens::Token;
use crate::math::expression::NumberSet;

/// Commands that only space or size what follows.
pub(super) const IGNORED: [&str; 19] = [
    "quad",
    "qquad",
    "left",
    "right",
    "displaystyle",
    "boxed",
    "fbox",
    "thinspace",
    "medspace",
    "thickspace",
    "negthinspace",
    "negmedspace",
    "negthickspace",
    "hfil",
    "vbox",
    "vcenter",
    "vrule",
    "vskip",
    "vspace",
];

/// Commands whose argument is a name. What stands before it in the symbol is the command itself, unless
/// [`accent`] says otherwise.
pub(super) const NAMED: [&str; 45] = [
    "acute",
    "bar",
    "bm",
    "boldsymbol",
    "breve",
    "check",
    "ddot",
    "dot",
    "grave",
    "hat",
    "mathbf",
    "mathbin",
    "mathcal",
    "mathclap",
    "mathclose",
    "mathellipsis",
    "mathfrak",
    "mathinner",
    "mathit",
    "mathnormal",
    "mathop",
    "mathopen",
    "mathord",
    "mathpunct",
    "mathrel",
    "mathring",
    "mathrlap",
    "mathrm",
    "mathscr",
    "mathsf",
    "mathsterling",
    "mathtt",
    "mbox",
    "overline",
    "overrightarrow",
    "text",
    "textbf",
    "textit",
    "textnormal",
    "textrm",
    "tilde",
    "vec",
    "widecheck",
    "widetilde",
    "mathbb",
];

/// What stands before a name in the symbol; nothing where it is text.
pub(super) fn accent(command: &str) -> Option<&str> {
    match command {
        "overline" => Some("bar"),
        "overrightarrow" => Some("vec"),
        "widetilde" => Some("tilde"),
        "mbox" => None,
        command if command.starts_with("text") => None,
        command if command.starts_with("math") => Some("math"),
        command => Some(command),
    }
}

/// Signs beyond ASCII, by what they are read as.
pub(super) fn sign(sign: char) -> Option<Token<'static>> {
    Some(match sign {
        '∔' | '⊕' | '⊞' => Token::Sign('+'),
        '−' | '∸' => Token::Sign('-'),
        '×' | '∗' | '∘' | '∙' | '⊗' | '⊠' | '⊡' | '⋄' | '⋅' | '⋆' | '⋈' | '⋉' | '⋊' => {
            Token::Sign('*')
        }
        '÷' | '∕' => Token::Sign('/'),
        '≎' | '≏' | '≐' | '≑' | '≒' | '≓' | '≔' | '≕' | '≖' | '≗' | '≟' | '≡' | '≣' => {
            Token::Sign('=')
        }
        '≃' | '≅' | '≈' | '≊' | '≋' => Token::Command("approx"),
        '≪' | '≺' | '⋖' => Token::Sign('<'),
        '≫' | '≻' | '⋗' => Token::Sign('>'),
        '≤' | '≦' | '≲' | '≾' => Token::Command("le"),
        '≥' | '≧' | '≳' | '≿' => Token::Command("ge"),
        '≁' | '≄' | '≇' | '≉' | '≠' | '≢' => Token::Command("ne"),
        '∪' => Token::Command("cup"),
        '∩' => Token::Command("cap"),
        '∖' => Token::Command("setminus"),
        '±' | '∓' => Token::Command("pm"),
        '⊆' => Token::Command("subseteq"),
        '⊇' => Token::Command("supseteq"),
        '∉' => Token::Command("notin"),
        '∅' => Token::Command("emptyset"),
        'ℕ' => Token::NumberSet(NumberSet::Naturals),
        'ℤ' => Token::NumberSet(NumberSet::Integers),
        'ℚ' => Token::NumberSet(NumberSet::Rationals),
        'ℝ' => Token::NumberSet(NumberSet::Reals),
        'ℂ' => Token::NumberSet(NumberSet::Complexes),
        'ℵ' | 'ℶ' | 'ℷ' | 'ℸ' => Token::Name(sign.into()),
        sign => Token::Command(greek(sign)?),
    })
}

/// Commands that mean something beside symbols, functions and those with a name as their argument.
pub(super) const OTHERS: [&str; 77] = [
    "approx",
    "binom",
    "cap",
    "cdot",
    "cfrac",
    "choose",
    "circ",
    "circle",
    "cup",
    "dbinom",
    "degree",
    "det",
    "dfrac",
    "div",
    "emptyset",
    "equiv",
    "exp",
    "frac",
    "gcd",
    "ge",
    "geq",
    "geqslant",
    "in",
    "infty",
    "int",
    "langle",
    "lbrace",
    "lceil",
    "lcm",
    "le",
    "Leftrightarrow",
    "leftrightarrow",
    "leq",
    "leqslant",
    "lfloor",
    "lim",
    "limits",
    "llcorner",
    "ln",
    "log",
    "Longrightarrow",
    "longrightarrow",
    "lrcorner",
    "lvert",
    "max",
    "min",
    "mod",
    "mp",
    "ne",
    "neq",
    "notin",
    "over",
    "partial",
    "phantom",
    "pm",
    "prod",
    "rangle",
    "rbrace",
    "rceil",
    "rfloor",
    "Rightarrow",
    "rightarrow",
    "rvert",
    "setminus",
    "sqrt",
    "subseteq",
    "sum",
    "supseteq",
    "tbinom",
    "tfrac",
    "times",
    "to",
    "ulcorner",
    "urcorner",
    "vert",
    "xRightarrow",
    "xrightarrow",
];

/// Relations of several signs; of two that begin alike the longer one comes first.
pub(super) const SIGNS: [(&str, &str); 6] =
    [("<=", "le"), (">=", "ge"), ("!==", "ne"), ("!=", "ne"), ("==", "equiv"), ("~=", "approx")];

/// Words that are none of the letters that they are written with, and say nothing in the original's
/// language unless they are the name of an operator. Of words that begin alike the shortest is enough.
pub(super) const WORDS: [&str; 31] = [
    "SVD",
    "arccosh",
    "arcosh",
    "arcsinh",
    "arctanh",
    "arsinh",
    "artanh",
    "bmatrix",
    "ceil",
    "cols",
    "diag",
    "eig",
    "eye",
    "floor",
    "gcd",
    "hstack",
    "lcm",
    "matrix",
    "norm",
    "nullspace",
    "ones",
    "orth",
    "pmatrix",
    "rank",
    "rows",
    "rref",
    "svd",
    "tr",
    "vmatrix",
    "vstack",
    "zeros",
];

/// Operators by `\operatorname`. The original knows some more, of matrices.
pub(super) const OPERATORS: [&str; 12] = [
    "arccosh", "arcosh", "arcsinh", "arctanh", "arsinh", "artanh", "ceil", "floor", "gcd", "lcm",
    "rank", "tr",
];

pub(super) fn is_known(name: &str) -> bool {
    OTHERS.contains(&name)
        || is_symbol(name)
        || simple_function(name).is_some()
        || NAMED.contains(&name)
        || ["begin", "end", "operatorname", "lt", "gt"].contains(&name)
        || ["lgroup", "rgroup", "lbrack", "rbrack", "lbrace", "rbrace"].contains(&name)
}
