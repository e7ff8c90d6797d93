"""Pairs of a gold answer and a model's answer, with the verdicts of Math-Verify.

Every kind of answer has a generator that writes a value in two ways, and near misses of it; so it is
known of each pair whether its answers are equal, whatever any program says. What does not parse comes
last, as `malformed`, and has no truth. The library is asked as NeMo Gym asks it.

Usage: library_judge_math.py SEED ROWS FOLDER

Writes FOLDER/pairs.jsonl, an object a line:

    kind        of answer
    gold        what the dataset's row would say
    answer      what the model would say
    equal       whether the answers are the same in mathematics; null where nobody can tell
    reward      the library's: 1.0 or 0.0
    extracted   what it would report as the extracted answer
    golds       what it read in the gold, as printed
    predictions what it read in the answer, as printed
    error       the exception that it ended with, if it did; NeMo Gym scores that as 0
    late        true if it ran out of time, which says nothing about the answer

With `pairs` as the fourth argument, FOLDER is a file of objects with `gold` and `answer`, to which the
library's verdicts are added on standard output; with `times`, the seconds that it took for each are a list
there. SEED and ROWS are not used then. KINDS in the environment is a list of kinds that are wanted alone.
"""
# Requires: math-verify==0.8.0 latex2sympy2_extended==1.10.2 antlr4-python3-runtime==4.13.2 sympy==1.14.0

import json
import logging
import multiprocessing
import os
import random
import sys
import time
import warnings
from fractions import Fraction
from math import comb, factorial, gcd, isqrt

GENERATORS = {}


def kind(make):
    GENERATORS[make.__name__] = make
    return make


class Chance(random.Random):
    def whole(self, most=200, signed=True):
        low = -most if signed and self.random() < 0.3 else 0
        return self.randint(low, most)

    def nonzero(self, most=30):
        return self.choice([-1, 1, 1]) * self.randint(1, most)

    def proper(self, most=40):
        """A fraction that is no integer."""
        below = self.randint(2, most)
        above = self.choice([n for n in range(-3 * most, 3 * most) if gcd(n, below) == 1])
        return Fraction(above, below)

    def maybe(self, chance=0.5):
        return self.random() < chance


# How values are written.


def frac(value, chance=None, styles=("\\frac", "\\dfrac", "\\tfrac")):
    value = Fraction(value)
    if value.denominator == 1:
        return str(value.numerator)
    sign = "-" if value < 0 else ""
    style = chance.choice(styles) if chance else "\\frac"
    return f"{sign}{style}{{{abs(value.numerator)}}}{{{value.denominator}}}"


def grouped(number, separator=","):
    return f"{number:,}".replace(",", separator)


def term(coefficient, body):
    """A coefficient before a body, without the ones."""
    coefficient = Fraction(coefficient)
    if body == "":
        return frac(coefficient)
    if coefficient == 1:
        return body
    if coefficient == -1:
        return "-" + body
    return frac(coefficient) + body


def joined(terms):
    text = ""
    for part in terms:
        text += part if not text or part.startswith("-") else "+" + part
    return text or "0"


def restyle(text, chance):
    """The same mathematics, typeset otherwise."""
    for _ in range(chance.choice([0, 0, 1, 2])):
        how = chance.randrange(5)
        if how == 0:
            text = text.replace("+", " + ").replace("=", " = ")
        elif how == 1:
            text = text.replace("\\frac", "\\dfrac").replace("\\ddfrac", "\\dfrac")
        elif how == 2 and text.count("(") == text.count(")") and "\\left" not in text:
            text = text.replace("(", "\\left(").replace(")", "\\right)")
        elif how == 3:
            text = " " + text + " "
        else:
            text = text.replace("\\sqrt{", "\\sqrt {")
    return text


BOXES = ["\\boxed{%s}", "\\boxed{%s}", "\\boxed{%s}", "$\\boxed{%s}$", "\\[\\boxed{%s}\\]", "The answer is $\\boxed{%s}$.",
         "Adding up, we get\n\n$$\\boxed{%s}$$\n", "So it is \\(\\boxed{%s}\\)", "**Final answer**\n\\boxed{%s}"]
PHRASES = ["The final answer is $%s$. I hope it is correct.", "Therefore the final answer is $%s$.", "Answer: $%s$",
           "the answer is \\(%s\\)", "so we obtain $%s$", "Hence\n\\[%s\\]", "It follows that $$%s$$", "**Answer:** $%s$"]


def said(answer, chance):
    """An answer as a model says it."""
    shape = chance.choice(BOXES if chance.maybe(0.75) else PHRASES)
    before = chance.choice(["", "", "", "We compute step by step. ", "Since $2+2=4$ and $x>0$, ", "Note that 17 is prime.\n"])
    return before + shape % restyle(answer, chance)


# Each generator returns the gold answer, the model's, and whether they are equal.


@kind
def integers(chance):
    value = chance.choice([chance.whole(20), chance.whole(5000), chance.randint(1000, 10**9), chance.randint(10**20, 10**30)])
    ways = [str(value), grouped(value), grouped(value, "{,}"), grouped(value, "\\,"), f"{value}.0", f"\\frac{{{2 * value}}}{{2}}", f"{value + 3}-3", f"({value})",
            f"+{value}" if value >= 0 else f"{value}", f"{value}.", f"00{value}" if value >= 0 else str(value)]
    other = chance.choice([value + 1, -value if value else 1, value * 10, value + chance.nonzero(9)])
    equal = chance.maybe()
    written = chance.choice(ways) if equal else str(other)
    plain = chance.random()
    if plain < 0.25:
        shape = chance.choice(["The answer is %s", "Answer: %s.", "we get %s", "= %s", "so **%s** it is", "the final answer is %s. I hope it is correct.", "x = %s"])
        written = str(value) if equal and chance.maybe() else written
        return str(value), shape % written, equal
    return chance.choice([str(value), grouped(value)]), said(written, chance), equal


@kind
def rationals(chance):
    value = chance.proper()
    above, below = abs(value.numerator), value.denominator
    sign = "-" if value < 0 else ""
    scale = chance.randint(2, 9)
    ways = [frac(value, chance), f"{sign}{above}/{below}", f"\\frac{{{sign}{above}}}{{{below}}}", f"{sign}\\frac{{{above * scale}}}{{{below * scale}}}",
            f"{sign}\\frac {{{above}}} {{{below}}}", f"{sign}{above} \\div {below}", f"\\frac{{{-value.numerator}}}{{{-below}}}"]
    if above < 10 and below < 10:
        ways.append(f"{sign}\\frac{above}{below}")
    if value > 1:
        ways += [f"{above // below}\\frac{{{above % below}}}{{{below}}}", f"{above // below} \\frac{{{above % below}}}{{{below}}}"]
    gold = chance.choice([frac(value), f"{sign}{above}/{below}", f"\\dfrac{{{sign}{above}}}{{{below}}}"])
    if chance.maybe(0.55):
        answer = chance.choice(ways)
        if chance.maybe(0.2):
            return gold, chance.choice(["The answer is %s", "Answer: %s"]) % f"{sign}{above}/{below}", True
        return gold, said(answer, chance), True
    other = chance.choice([1 / value if value else value, -value, value + 1, value + Fraction(1, below * 7)])
    return gold, said(frac(other, chance), chance), other == value


@kind
def decimals(chance):
    digits = chance.randint(1, 5)
    value = Fraction(chance.whole(10**4), 10**digits)
    text = f"{float(value):.{digits}f}"
    gold = chance.choice([text, frac(value)])
    if chance.maybe(0.6):
        ways = [text, text + "0", frac(value), text.replace("0.", ".") if text.startswith("0.") else text, f"{text}00"]
        return gold, said(chance.choice(ways), chance), True
    near = chance.choice([value + Fraction(1, 10**digits), value + Fraction(1, 1000), value - Fraction(1, 10**4), -value, value * 10])
    return gold, said(f"{float(near):.{digits + 4}f}", chance), near == value


@kind
def rounded(chance):
    """Decimals for what is none: right to six places or not."""
    value, gold = chance.choice([(Fraction(1, 3), "\\frac{1}{3}"), (Fraction(2, 7), "\\frac{2}{7}"), (3.141592653589793, "\\pi"), (1.4142135623730951, "\\sqrt{2}"),
                                 (2.718281828459045, "e"), (1.7320508075688772 / 2, "\\frac{\\sqrt{3}}{2}"), (Fraction(22, 7), "22/7")])
    if chance.maybe(0.3):
        value = chance.proper()
        gold = frac(value)
    digits = chance.randint(2, 12)
    text = f"{float(value):.{digits}f}"
    return gold, said(text, chance), None if digits > 4 else (Fraction(text) == value if isinstance(value, Fraction) else False)


def root(inside):
    """The largest square in a number, and what is left."""
    outside = 1
    for factor in range(2, isqrt(inside) + 1):
        while inside % (factor * factor) == 0:
            inside //= factor * factor
            outside *= factor
    return outside, inside


@kind
def radicals(chance):
    outside, inside = chance.randint(1, 9), chance.choice([2, 3, 5, 6, 7, 10, 11, 15, 21])
    added = chance.choice([0, 0, chance.nonzero()])
    below = chance.choice([1, 1, chance.randint(2, 9)])
    body = f"\\sqrt{{{inside}}}"
    top = joined(([str(added)] if added else []) + [term(outside, body)])
    merged = joined(([str(added)] if added else []) + [f"\\sqrt{{{inside * outside**2}}}"])
    swapped = joined([term(outside, body)] + ([str(added)] if added else []))
    over = lambda text: text if below == 1 else f"\\frac{{{text}}}{{{below}}}"
    ways = [over(top), over(merged), over(swapped)]
    if below != 1 and not added:
        ways += [f"\\frac{{{outside}}}{{{below}}}{body}", f"{outside}{body}/{below}", f"\\frac{{{outside * inside}}}{{{below}{body}}}"]
    if not added and below == 1:
        ways += [f"{outside}\\cdot {body}", f"{outside} \\times {body}", f"{outside}\\cdot{inside}^{{1/2}}", f"{outside} * {body}", f"\\frac{{{outside * inside}}}{{{body}}}"]
    if added and below == 1 and added**2 != inside * outside**2:
        ways.append(f"\\frac{{{added**2 - inside * outside**2}}}{{{joined([str(added), term(-outside, body)])}}}")
    gold = over(chance.choice([top, swapped]))
    if chance.maybe(0.6):
        return gold, said(chance.choice(ways), chance), True
    wrong = chance.choice([over(joined([str(added + 1), term(outside, body)])), over(joined([str(added)] * bool(added) + [term(-outside, body)])),
                           f"\\sqrt[3]{{{inside}}}", over(joined([str(added)] * bool(added) + [term(outside, f"\\sqrt{{{inside + 1}}}")]))])
    return gold, said(wrong, chance), False


@kind
def nested_radicals(chance):
    a, b = chance.sample([2, 3, 5, 7, 6], 2)
    p, q = chance.randint(1, 4), chance.randint(1, 4)
    cases = [
        (f"\\sqrt{{{a}}}+\\sqrt{{{b}}}", f"\\sqrt{{{a + b}+2\\sqrt{{{a * b}}}}}", True),
        (f"\\sqrt{{{a}}}+\\sqrt{{{b}}}", f"\\sqrt{{{a + b}+\\sqrt{{{4 * a * b}}}}}", True),
        (f"\\sqrt{{{a}}}+\\sqrt{{{b}}}", f"\\sqrt{{{a + b}}}", False),
        (f"\\sqrt[3]{{{p**3 * a}}}", f"{p}\\sqrt[3]{{{a}}}" if p > 1 else f"\\sqrt[3]{{{a}}}", True),
        (f"\\frac{{1}}{{\\sqrt{{{a}}}+\\sqrt{{{b}}}}}", f"\\frac{{\\sqrt{{{a}}}-\\sqrt{{{b}}}}}{{{a - b}}}", True),
        (f"({p}+{q}\\sqrt{{{a}}})^2", f"{p * p + q * q * a}+{2 * p * q}\\sqrt{{{a}}}", True),
        (f"({p}+{q}\\sqrt{{{a}}})^3", f"{p**3 + 3 * p * q * q * a}+{3 * p * p * q + q**3 * a}\\sqrt{{{a}}}", True),
        (f"\\sqrt[4]{{{a * a}}}", f"\\sqrt{{{a}}}", True),
        (f"{a}^{{3/2}}", f"{a}\\sqrt{{{a}}}", True),
        (f"\\sqrt{{{a}}}\\sqrt{{{b}}}", f"\\sqrt{{{a * b}}}", True),
        (f"\\sqrt{{{p}+\\sqrt{{{a}}}}}", f"\\sqrt{{{p}-\\sqrt{{{a}}}}}", False),
    ]
    gold, answer, equal = chance.choice(cases)
    if chance.maybe(0.3):
        gold, answer = answer, gold
    return gold, said(answer, chance), equal


@kind
def powers(chance):
    base, exponent = chance.randint(2, 12), chance.randint(2, 40)
    power = f"{base}^{{{exponent}}}"
    cases = [
        (power, str(base**exponent), True), (str(base**exponent), power, True), (power, f"{base}^{{{exponent - 1}}}\\cdot {base}", True),
        (power, f"{base}^{{{exponent + 1}}}", False), (f"{power}-1", str(base**exponent - 1), True), (f"{power}-1", str(base**exponent), False),
        (f"{base}^{{-{exponent}}}", f"\\frac{{1}}{{{power}}}", True), (f"{power} \\cdot 3", f"3 \\cdot {power}", True),
        (f"\\frac{{{power}-1}}{{{base}-1}}", str((base**exponent - 1) // (base - 1)), True),
        (f"{base**2}^{{{exponent}}}", f"{base}^{{{2 * exponent}}}", True),
        (f"2^{{{exponent + 1000}}}", f"4 \\cdot 2^{{{exponent + 998}}}", True), (f"2^{{{exponent + 1000}}}+1", f"2^{{{exponent + 1000}}}", False),
        (f"{base}^{exponent % 8 + 2}", str(base ** (exponent % 8 + 2)), True), (f"{exponent}\\times 10^{{{base}}}", str(exponent * 10**base), True),
        (f"1.5 \\times 10^{{{base % 7 + 1}}}", str(15 * 10 ** (base % 7)), True), (f"(-{base})^{{{exponent}}}", str((-base) ** exponent), True),
    ]
    gold, answer, equal = chance.choice(cases)
    return gold, said(answer, chance), equal


@kind
def logarithms(chance):
    a, b, k = chance.randint(2, 9), chance.randint(2, 9), chance.randint(2, 5)
    cases = [
        (f"\\log_{{{a}}} {a**k}", str(k), True), (f"\\log_{a} {a**k}", str(k), True), (f"\\ln {a * b}", f"\\ln {a} + \\ln {b}", True), (f"{k}\\ln {a}", f"\\ln {a**k}", True),
        (f"\\ln({a})", f"\\ln {a}", True), (f"\\frac{{\\ln {b}}}{{\\ln {a}}}", f"\\log_{{{a}}} {b}", a != 1), (f"\\ln\\frac{{{a}}}{{{b}}}", f"\\ln {a}-\\ln {b}", True),
        (f"\\log {10**k}", str(k), True), (f"\\log_{{10}} {a}", f"\\log {a}", True), (f"e^{{\\ln {a}}}", str(a), True), (f"\\ln {a}", f"\\ln {a + 1}", False), (f"\\ln {a}", f"\\log {a}", False),
        ("\\ln e", "1", True), (f"\\ln(e^{{{k}}})", str(k), True), (f"\\log_{{{a}}}({b})", f"\\log_{{{b}}}({a})", a == b), (f"{a}^{{\\log_{{{a}}} {b}}}", str(b), True),
        (f"\\ln 2 + {a}", f"{a} + \\ln(2)", True), (f"\\lg {10**k}", str(k), True), (f"\\frac{{1}}{{2}}\\ln {a}", f"\\ln\\sqrt{{{a}}}", True), (f"-\\ln {a}", f"\\ln \\frac{{1}}{{{a}}}", True),
    ]
    gold, answer, equal = chance.choice(cases)
    return gold, said(answer, chance), equal


@kind
def trigonometry(chance):
    k = chance.randint(2, 9)
    cases = [
        ("\\sin 30^\\circ", "\\frac{1}{2}", False), ("\\frac{1}{2}", "\\sin\\frac{\\pi}{6}", True), ("\\frac{\\sqrt{3}}{2}", "\\cos \\frac{\\pi}{6}", True), ("\\sin^2 x + \\cos^2 x", "1", True),
        ("\\sin 2x", "2\\sin x\\cos x", True), ("\\cos 2x", "1-2\\sin^2 x", True), ("\\cos 2x", "2\\cos^2 x - 1", True), ("\\cos 2x", "2\\sin^2 x - 1", False), ("\\tan x", "\\frac{\\sin x}{\\cos x}", True),
        (f"{k}\\sin(x)", f"{k} \\sin x", True), (f"\\sin({k}x)", f"\\sin {k}x", True), ("\\arctan 1", "\\frac{\\pi}{4}", True), ("\\arcsin\\frac{1}{2}", "\\frac{\\pi}{6}", True), ("\\tan^{-1}(1)", "\\pi/4", True),
        ("\\frac{\\pi}{2}", "\\arccos 0", True), ("\\sec x", "\\frac{1}{\\cos x}", True), ("\\cot x", "\\tan x", False), (f"\\cos\\frac{{\\pi}}{{{k}}}", f"\\sin\\frac{{\\pi}}{{{k}}}", k == 4),
        ("\\sin(x+y)", "\\sin x\\cos y+\\cos x\\sin y", True), ("\\sin(x+y)", "\\sin x+\\sin y", False), ("\\sin(-x)", "-\\sin x", True), ("\\cos(-x)", "\\cos x", True), ("\\sinh x", "\\frac{e^x-e^{-x}}{2}", True),
        (f"\\arctan {k}", f"\\arctan({k})", True), (f"\\arctan {k}", f"\\arctan {k + 1}", False), ("\\sin 15^\\circ", "\\frac{\\sqrt{6}-\\sqrt{2}}{4}", False), ("\\cos\\frac{\\pi}{5}", "\\frac{1+\\sqrt{5}}{4}", True),
        ("\\sin\\frac{\\pi}{12}", "\\frac{\\sqrt{6}-\\sqrt{2}}{4}", True), ("\\tan\\frac{\\pi}{8}", "\\sqrt{2}-1", True), ("1+\\tan^2 x", "\\sec^2 x", True), ("\\sin^3 x", "(\\sin x)^3", True),
    ]
    gold, answer, equal = chance.choice(cases)
    return gold, said(answer, chance), equal


@kind
def constants(chance):
    a, b = chance.randint(2, 30), chance.randint(2, 30)
    q = frac(Fraction(a, b))
    cases = [
        (f"{a}\\pi", f"\\pi \\cdot {a}", True), (f"{a}\\pi", f"{a} \\pi", True), (f"{a}\\pi", f"{a}", False), (term(Fraction(a, b), "\\pi"), f"\\frac{{{a}\\pi}}{{{b}}}", True), (f"\\frac{{{a}\\pi}}{{{b}}}", f"{a}\\pi/{b}", True),
        (f"{a}+{b}\\pi", f"{b}\\pi+{a}", True), (f"e^{{{a}}}", f"e^{a % 10}", a < 10), (f"{a}e", f"e\\cdot {a}", True), (f"e^{{-{a}}}", f"\\frac{{1}}{{e^{{{a}}}}}", True), ("e^2-1", "e^{2} - 1", True), (f"\\pi^2/{b}", f"\\frac{{\\pi^2}}{{{b}}}", True),
        (f"\\frac{{\\pi^{{2}}}}{{{b}}}", f"\\frac{{\\pi}}{{{b}}}", False), (f"{a}\\pi-{b}", f"{a}\\pi+{b}", False), (f"\\sqrt{{\\pi}}", "\\pi^{1/2}", True), ("\\infty", "\\infty", True), ("-\\infty", "\\infty", False), ("\\infty", "+\\infty", True), ("e^{\\pi}", "\\exp(\\pi)", True),
        (f"{a}\\pi", f"{3.141592653589793 * a:.8f}", None), (f"\\exp({a})", f"e^{{{a}}}", True), ("e", "\\mathrm{e}", True), (q, q, True),
    ]
    gold, answer, equal = chance.choice(cases)
    return gold, said(answer, chance), equal


@kind
def counting(chance):
    n = chance.randint(3, 14)
    k = chance.randint(1, n - 1)
    cases = [
        (f"\\binom{{{n}}}{{{k}}}", str(comb(n, k)), True), (str(comb(n, k)), f"\\binom{{{n}}}{{{k}}}", True), (f"\\binom{{{n}}}{{{k}}}", f"\\binom{{{n}}}{{{n - k}}}", True), (f"{n}!", str(factorial(n)), True), (str(factorial(n)), f"{n}!", True),
        (f"{n}!", f"{n} \\cdot {n - 1}!", True), (f"\\binom{{{n}}}{{{k}}}", f"\\frac{{{n}!}}{{{k}!{n - k}!}}", True), (f"\\binom{{{n}}}{{{k}}}", f"\\frac{{{n}!}}{{{k}!\\cdot {n - k}!}}", True), (f"{n}!", f"{n + 1}!", False),
        (f"\\binom{{n}}{{2}}", "\\frac{n(n-1)}{2}", True), (f"\\frac{{(n+1)!}}{{n!}}", "n+1", True), (f"\\dbinom{{{n}}}{{{k}}}", str(comb(n, k)), True), (f"{n}!-1", str(factorial(n) - 1), True), (f"\\frac{{{n}!}}{{2^{{{k}}}}}", frac(Fraction(factorial(n), 2**k)), True),
        (f"2^{{{n}}}-{n}", str(2**n - n), True), (f"\\frac{{1}}{{\\binom{{{n}}}{{{k}}}}}", frac(Fraction(1, comb(n, k))), True), (f"\\binom{{2n}}{{n}}", "\\frac{(2n)!}{(n!)^2}", True), (f"\\lfloor {n}/2 \\rfloor", str(n // 2), True), (f"\\lceil {n}.5 \\rceil", str(n + 1), True),
        (f"|-{n}|", str(n), True), (f"\\gcd({2 * n},{3 * n})", str(n), True), (f"\\max({n},{k})", str(n), True), (f"\\sum_{{i=1}}^{{{n}}} i", str(n * (n + 1) // 2), True), (f"\\prod_{{i=1}}^{{{k}}} i", str(factorial(k)), True),
    ]
    gold, answer, equal = chance.choice(cases)
    return gold, said(answer, chance), equal


def multiply(one, two):
    product = [0] * (len(one) + len(two) - 1)
    for i, a in enumerate(one):
        for j, b in enumerate(two):
            product[i + j] += a * b
    return product


def polynomial(coefficients, name, chance=None):
    """Coefficients from the constant up."""
    terms = []
    for power, coefficient in enumerate(coefficients):
        if coefficient:
            body = "" if power == 0 else name if power == 1 else f"{name}^{{{power}}}" if power > 9 or (chance and chance.maybe(0.3)) else f"{name}^{power}"
            terms.append(term(coefficient, body))
    terms.reverse()
    if chance and chance.maybe(0.4):
        chance.shuffle(terms)
    return joined(terms)


@kind
def polynomials(chance):
    name = chance.choice(["x", "x", "n", "t", "y", "a", "k"])
    factors = [[chance.nonzero(9), chance.choice([1, 1, 2, 3])] for _ in range(chance.randint(1, 3))]
    product = [1]
    for factor in factors:
        product = multiply(product, factor)
    factored = "".join(f"({polynomial(factor, name)})" for factor in factors)
    expanded = polynomial(product, name)
    gold = chance.choice([expanded, factored])
    if chance.maybe(0.6):
        ways = [expanded, factored, polynomial(product, name, chance), "\\cdot ".join(f"({polynomial(factor, name)})" for factor in factors), polynomial(product, name, chance)]
        return gold, said(chance.choice(ways), chance), True
    wrong = list(product)
    wrong[chance.randrange(len(wrong))] += chance.nonzero(3)
    other = chance.choice([polynomial(wrong, name), polynomial(product, "z"), polynomial([-c for c in product], name)])
    return gold, said(other, chance), False


@kind
def several_variables(chance):
    a, b, c = chance.randint(2, 9), chance.randint(2, 9), chance.nonzero(9)
    cases = [
        (f"{a}x+{b}y", f"{b}y+{a}x", True), (f"{a}xy", f"{a}yx", True), (f"{a}ab^2", f"{a}b^2a", True), ("(a+b)^2", "a^2+2ab+b^2", True), ("(a-b)(a+b)", "a^2-b^2", True), ("(x+y+z)^2", "x^2+y^2+z^2+2xy+2yz+2zx", True),
        ("a^3-b^3", "(a-b)(a^2+ab+b^2)", True), ("a^3-b^3", "(a-b)^3", False), (f"{a}x+{b}y", f"{a}x-{b}y", False), (f"{a}xy", f"{a}x+y", False), (f"x({a}y+{b})", f"{a}xy+{b}x", True), (f"\\frac{{xy}}{{{a}}}", f"\\frac{{1}}{{{a}}}xy", True),
        (f"{a}\\alpha+\\beta", f"\\beta+{a}\\alpha", True), ("\\alpha\\beta", "\\beta\\alpha", True), ("\\theta", "\\theta", True), ("\\theta", "\\phi", False), (f"x_1+{a}x_2", f"{a}x_2+x_1", True), ("x_1", "x_2", False), ("x_{1}", "x_1", True), ("a_{n}", "a_n", True),
        ("a_{n+1}", "a_{n+1}", True), ("X", "x", True), ("A", "B", False), (f"{a}m+{b}n", f"{b}n+{a}m", True), ("pq", "qp", True), ("abc", "cab", True), ("abc", "abd", False), (f"{a}(x-y)", f"{a}x-{a}y", True), ("y^2-x^2", "x^2-y^2", False), ("-(x-y)", "y-x", True),
        (f"x^{{{a}}}y^{{{b}}}", f"y^{{{b}}}x^{{{a}}}", True), (f"(xy)^{{{a}}}", f"x^{{{a}}}y^{{{a}}}", True), ("2ab", "ab2", True), ("\\frac{a+b}{2}", "\\frac{a}{2}+\\frac{b}{2}", True), ("\\frac{a+b}{2}", "(a+b)/2", True), ("\\frac{a+b}{2}", "a+b/2", False),
    ]
    gold, answer, equal = chance.choice(cases)
    return gold, said(answer, chance), equal


@kind
def rational_functions(chance):
    a, b, c = chance.sample(range(1, 12), 3)
    cases = [
        (f"\\frac{{x+{a}}}{{x+{b}}}", f"1+\\frac{{{a - b}}}{{x+{b}}}", True), (f"\\frac{{1}}{{x+{a}}}+\\frac{{1}}{{x+{b}}}", f"\\frac{{2x+{a + b}}}{{(x+{a})(x+{b})}}", True), (f"\\frac{{x^2-{a * a}}}{{x-{a}}}", f"x+{a}", True), (f"\\frac{{{a}}}{{x}}", f"{a}x^{{-1}}", True),
        (f"\\frac{{1}}{{x+{a}}}", f"\\frac{{1}}{{x+{b}}}", False), (f"\\frac{{x}}{{{a}}}", f"\\frac{{{a}}}{{x}}", False), (f"\\frac{{{a}x}}{{{b}}}", f"\\frac{{{a}}}{{{b}}}x", True), (f"\\frac{{n(n+{a})}}{{2}}", f"\\frac{{n^2+{a}n}}{{2}}", True), (f"\\frac{{n(n+{a})}}{{2}}", f"\\frac12 n(n+{a})", True),
        (f"\\frac{{-1}}{{x-{a}}}", f"\\frac{{1}}{{{a}-x}}", True), (f"-\\frac{{1}}{{x-{a}}}", f"\\frac{{1}}{{x-{a}}}", False), (f"\\frac{{x}}{{x^2+{a}}}", f"\\frac{{1}}{{x+\\frac{{{a}}}{{x}}}}", True), (f"\\frac{{a}}{{b}}", "a/b", True), ("\\frac{a}{b}", "ab^{-1}", True), (f"\\frac{{k}}{{k+{a}}}", f"1-\\frac{{{a}}}{{k+{a}}}", True),
        (f"\\frac{{{a}n}}{{n-{b}}}", f"\\frac{{{a}n}}{{{b}-n}}", False), ("\\frac{1}{n}-\\frac{1}{n+1}", "\\frac{1}{n(n+1)}", True), (f"\\frac{{x^3-1}}{{x-1}}", "x^2+x+1", True), (f"\\frac{{ab}}{{a+b}}", "\\frac{1}{\\frac{1}{a}+\\frac{1}{b}}", True), (f"\\frac{{ab}}{{a+b}}", "\\frac{a+b}{ab}", False),
        (f"\\sqrt{{x^2+{a}}}", f"(x^2+{a})^{{\\frac{{1}}{{2}}}}", True), (f"\\sqrt{{{a * a}x}}", f"{a}\\sqrt{{x}}", True), ("\\sqrt{x^2}", "|x|", True), (f"\\frac{{1}}{{\\sqrt{{x}}}}", "x^{-1/2}", True), (f"e^{{{a}x}}", f"(e^x)^{{{a}}}", True), (f"e^{{x+{a}}}", f"e^{{{a}}}e^x", True), ("2^{n+1}", "2\\cdot 2^n", True), (f"2^{{n+1}}-{a}", f"2^n-{a}", False),
        ("n^2+n", "n(n+1)", True), ("2^{2n}", "4^n", True), ("3^n-2^n", "3^n-2^{n}", True), ("3^{n-1}", "\\frac{3^n}{3}", True), ("\\ln x^2", "2\\ln x", False), (f"\\frac{{x-{a}}}{{{b}}}", f"\\frac{{{a}-x}}{{{b}}}", False),
    ]
    gold, answer, equal = chance.choice(cases)
    return gold, said(answer, chance), equal


@kind
def matrices(chance):
    rows, columns = chance.choice([(2, 2), (2, 2), (3, 1), (2, 1), (3, 3), (1, 3)])
    values = [[chance.choice([chance.whole(12), chance.whole(12), chance.proper(9)]) for _ in range(columns)] for _ in range(rows)]
    write = lambda values, style, end="": f"\\begin{{{style}}}" + " \\\\ ".join(" & ".join(frac(value) for value in row) for row in values) + end + f"\\end{{{style}}}"
    styles = ["pmatrix", "bmatrix", "pmatrix", "bmatrix", "matrix"]
    gold = write(values, chance.choice(styles[:4]))
    if chance.maybe(0.6):
        style = chance.choice(styles)
        shown = write(values, style, chance.choice(["", "", " \\\\ "]))
        if style == "matrix":
            shown = f"\\left[{shown}\\right]" if chance.maybe() else f"\\left({shown}\\right)"
        return gold, said(shown, chance), True
    wrong = [list(row) for row in values]
    how = chance.randrange(3)
    if how == 0:
        wrong[chance.randrange(rows)][chance.randrange(columns)] += 1
    elif how == 1:
        wrong = [list(row) for row in zip(*values)]
    else:
        wrong.append(wrong[0])
    return gold, said(write(wrong, "pmatrix"), chance), wrong == values


def item(chance):
    return chance.choice([frac(chance.whole(15)), frac(chance.whole(15)), frac(chance.proper(9)), term(chance.nonzero(5), f"\\sqrt{{{chance.choice([2, 3, 5])}}}"), f"{chance.randint(2, 9)}\\pi"])


@kind
def sets(chance):
    count = chance.randint(2, 5)
    items = []
    while len(items) < count:
        one = item(chance)
        if one not in items:
            items.append(one)
    shuffled = items[:]
    chance.shuffle(shuffled)
    braced = lambda items, comma=", ": "\\{" + comma.join(items) + "\\}"
    listed = lambda items: chance.choice([",", ", ", " , "]).join(items)
    gold = chance.choice([braced(items), listed(items), braced(items, ",")])
    # Two or more groups of three digits behind commas would be one number.
    if chance.maybe(0.65):
        ways = [braced(shuffled), listed(shuffled), "\\left\\{" + ",".join(shuffled) + "\\right\\}", braced(shuffled + shuffled[:1]), " \\text{ and } ".join(shuffled), " \\text{ or } ".join(shuffled)]
        if chance.maybe(0.2):
            return gold, chance.choice(["The solutions are ", "Answer: "]) + chance.choice([" and ", ", ", " or "]).join(f"${one}$" for one in shuffled) + ".", True
        return gold, said(chance.choice(ways), chance), True
    wrong = [chance.choice([shuffled[:-1], shuffled + ["17"], ["99"] + shuffled[1:]]), items][0]
    return gold, said(chance.choice([braced(wrong), listed(wrong)]), chance), False


@kind
def plus_minus(chance):
    a, b = chance.randint(1, 20), chance.choice([2, 3, 5, 7])
    cases = [
        (f"\\pm {a}", f"{a}, -{a}", True), (f"\\pm {a}", f"\\{{-{a}, {a}\\}}", True), (f"{a}, -{a}", f"\\pm {a}", True), (f"{a} \\pm \\sqrt{{{b}}}", f"{a}+\\sqrt{{{b}}}, {a}-\\sqrt{{{b}}}", True), (f"\\pm {a}", str(a), False), (f"\\pm\\sqrt{{{b}}}", f"\\sqrt{{{b}}},-\\sqrt{{{b}}}", True),
        (f"x = \\pm {a}", f"\\pm {a}", True), (f"\\frac{{{a} \\pm \\sqrt{{{b}}}}}{{2}}", f"\\frac{{{a}+\\sqrt{{{b}}}}}{{2}}, \\frac{{{a}-\\sqrt{{{b}}}}}{{2}}", True), (f"\\pm {a}", f"\\pm {a + 1}", False), (f"\\pm {a}", f"x=\\pm {a}", True), (f"\\pm {a}", f"\\pm{a}", True),
    ]
    gold, answer, equal = chance.choice(cases)
    return gold, said(answer, chance), equal


@kind
def intervals(chance):
    low = chance.whole(20)
    high = low + chance.randint(1, 20)
    left, right = chance.choice("(["), chance.choice(")]")
    shown = f"{left}{low},{high}{right}"
    other = f"{'[' if left == '(' else '('}{low},{high}{right}"
    cases = [
        (shown, shown, True), (shown, f"\\left{left}{low}, {high}\\right{right}", True), (shown, other, False), (shown, f"{left}{low},{high + 1}{right}", False), (f"(-\\infty,{low}{right}", f"(-\\infty, {low}{right}", True), (f"(-\\infty,{low}]", f"(-\\infty,{low})", False), (f"{left}{low},\\infty)", f"{left}{low},+\\infty)", True),
        (f"(-\\infty,{low}) \\cup ({high},\\infty)", f"({high},\\infty) \\cup (-\\infty,{low})", True), (f"(-\\infty,{low}) \\cup ({high},\\infty)", f"(-\\infty,{low}] \\cup [{high},\\infty)", False), (f"[{low},{high}] \\cup [{high + 2},{high + 5}]", f"[{low},{high}]\\cup[{high + 2},{high + 5}]", True), (f"({low},{high})", f"{{{low},{high}}}", None),
        (shown, f"x \\in {shown}", True), (f"x \\in {shown}", shown, True), (f"x > {low}", f"({low}, \\infty)", None), (f"({low},\\infty)", f"x > {low}", None), (f"[{low}, {high}]", f"{low} \\le x \\le {high}", None), (f"({low},{high}) \\cup ({high},{high + 3})", f"({low},{high}) \\cup ({high}, {high + 3})", True),
        (f"\\left({low}, \\frac{{{2 * high + 1}}}{{2}}\\right)", f"({low}, {high}.5)", True), ("\\mathbb{R}", "(-\\infty, \\infty)", True), (f"(-\\infty, {low})\\cup({low},\\infty)", f"\\mathbb{{R}} \\setminus \\{{{low}\\}}", True), (f"[{low},{high})", f"[{low},{high}) ", True), ("\\emptyset", "\\varnothing", True), ("\\emptyset", "\\{\\}", True),
        (f"({low},{high}]", f"]{low},{high}]", None), (f"[{low},{high}]", f"[{low};{high}]", None),
    ]
    gold, answer, equal = chance.choice(cases)
    return gold, said(answer, chance), equal


@kind
def tuples(chance):
    values = [item(chance) for _ in range(chance.choice([2, 2, 3, 3, 4]))]
    shown = "(" + ", ".join(values) + ")"
    reversed_ = "(" + ", ".join(reversed(values)) + ")"
    a, b = chance.sample(range(1, 20), 2)
    cases = [
        (shown, shown, True), (shown, "\\left(" + ",".join(values) + "\\right)", True), (shown, "(" + ",".join(values[:-1] + ["77"]) + ")", False), (shown, reversed_, values == values[::-1]), (shown, "(" + ",".join(values + ["1"]) + ")", False), (f"({a},{b})", f"({b},{a})", False),
        (f"(x,y)=({a},{b})", f"({a},{b})", True), (f"({a},{b})", f"(x,y)=({a},{b})", True), (f"({a},{b}),({b},{a})", f"({b},{a}),({a},{b})", True), (f"({a},{b}),({b},{a})", f"({a},{b})", False), (f"({a},{b},{a})", f"({a}, {b}, {a})", True), (shown, ", ".join(values), None), (f"(a,b)", "(a,b)", True), (f"(a+b, {a})", f"(b+a, {a})", True),
        (f"({a}, -{b})", f"\\left({a}, -{b}\\right)", True), (f"\\langle {a},{b}\\rangle", f"\\langle {a}, {b} \\rangle", True), (f"(-{a},{b})", f"({a},{b})", False), (f"({a},{b},3),(1,2,{b})", f"(1,2,{b}),({a},{b},3)", True), (f"[{a}, {b}, 5]", f"[{a},{b},5]", True),
    ]
    gold, answer, equal = chance.choice(cases)
    return gold, said(answer, chance), equal


@kind
def equations(chance):
    a, b, c = chance.randint(2, 9), chance.nonzero(20), chance.nonzero(20)
    line = f"y={joined([f'{a}x', str(b)])}"
    cases = [
        (str(b), f"x={b}", True), (f"x={b}", str(b), True), (f"x={b}", f"x={b}", True), (f"x={b}", f"y={b}", None), (f"x={b}", f"x={b + 1}", False), (line, f"y = {joined([str(b), f'{a}x'])}", True), (line, joined([f"{a}x", str(b)]), True), (line, f"{joined([f'{a}x', '-y', str(b)])}=0", True), (line, f"{line}+1", False),
        (f"{a}x+{abs(b)}y=7", f"{abs(b)}y+{a}x=7", True), (f"{a}x+{abs(b)}y=7", f"7={a}x+{abs(b)}y", True), (f"{a}x+{abs(b)}y=7", f"{2 * a}x+{2 * abs(b)}y=14", True), (f"{a}x+{abs(b)}y=7", f"{a}x-{abs(b)}y=7", False), (f"x^2+y^2={a * a}", f"y^2+x^2={a * a}", True), (f"x^2+y^2={a * a}", f"x^2+y^2-{a * a}=0", True),
        (f"x^2+y^2={a * a}", f"x^2-y^2={a * a}", False), (f"x={b},y={c}", f"y={c},x={b}", True), (f"x={b}, y={c}", f"x={c}, y={b}", b == c), (str(b), f"{b - 1}+1={b}", True), (str(b), f"2x+z={b}", None), (f"f(x)={a}x", f"{a}x", True), (f"f(x)={a}x", f"f(x) = {a}x", True), (f"f(x)={a}x", f"g(x)={a}x", None), (f"x={b} \\text{{ or }} x={c}", f"x={c} \\text{{ or }} x={b}", True),
        (f"x={b},{c}", f"{b},{c}", True), (f"{b},{c}", f"x={b},{c}", True), (f"a=b={b}", str(b), True), (str(b), f"a = b = {b}", True), (f"x=\\frac{{{b}}}{{{a}}}", frac(Fraction(b, a)), True), (f"n={a}k", f"{a}k", True), (f"{a}x+4=0", f"x=-{frac(Fraction(4, a))}", None), (f"x={b}", f"x = {b}.0", True), (f"\\theta={b}", str(b), True), (f"x_1={b}", str(b), True),
    ]
    gold, answer, equal = chance.choice(cases)
    return gold, said(answer, chance), equal


def either_way(gold, answer, chance):
    """A pair of which either may be the gold answer, by the library's convention."""
    if chance.maybe():
        gold, answer = answer, gold
    return answer, said(gold, chance), None


# What may stand before an equals sign. Some of it says no more than a name does, and may be left out.
NAMES = [
    "x", "x_1", "AB", "\\overline{AB}", "\\angle A", "\\text{Area}", "f(x)", "f(2)", "f(x,y)", "f'(x)", "f^{-1}(x)", "P(A)", "E(X)", "x+y", "x-y", "xy", "2x", "-x", "x^2", "a^b",
    "\\frac{a}{b}", "\\frac{1}{x+y}", "a:b", "|x|", "|\\vec{a}|", "\\sqrt{x}", "\\sin x", "\\sin^2 x", "\\tan\\theta", "\\cos 2x", "\\ln x", "\\log_2 x", "e^x", "n!", "\\binom{n}{k}", "\\max(a,b)", "\\lfloor x\\rfloor",
    "\\pi r", "x=y", "a+b=c", "(x,y)", "S_{10}", "\\Delta x", "dx",
]


@kind
def assignments(chance):
    name, value = chance.choice(NAMES), chance.choice([str(chance.randint(2, 99)), frac(chance.proper())])
    other = value if chance.maybe(0.8) else value + "0"
    whole = name + chance.choice(["=", " = ", "=", "\\approx "])
    cases = [(whole + value, other), (value, whole + other), (whole + value, whole + other)]
    gold, answer = chance.choice(cases)
    return gold, said(answer, chance), None


@kind
def signs(chance):
    """Signs beyond ASCII, which stand for commands."""
    a, b, c = chance.randint(2, 9), chance.randint(10, 30), chance.randint(2, 9)
    cases = [
        (str(a - b), f"−{b - a}"), (f"-\\frac{{{a}}}{{{b}}}", f"−\\frac{{{a}}}{{{b}}}"), (f"{a}\\pi", f"{a}π"), (f"\\frac{{\\pi}}{{{a}}}", f"\\frac{{π}}{{{a}}}"), (str(a * b), f"{a}×{b}"), (str(a * b), f"{a}⋅{b}"), (frac(Fraction(a, b)), f"{a}÷{b}"), (f"\\pm {a}", f"±{a}"), (f"{a}\\pm\\sqrt{{{b}}}", f"{a}±\\sqrt{{{b}}}"), (f"x\\le {a}", f"x≤{a}"),
        (f"x\\geq {a}", f"x≥{a}"), (f"x\\ne {a}", f"x≠{a}"), ("\\emptyset", "∅"), ("\\mathbb{R}", "ℝ"), ("\\mathbb{Z}", "ℤ"), (f"(1,{a})\\cup({b},40)", f"(1,{a})∪({b},40)"), (f"\\alpha+{a}", f"α+{a}"), (f"{a}\\theta", f"{a}θ"), (f"\\lambda={a}", f"λ={a}"), (f"\\Delta={a}", f"Δ = {a}"), (f"{a}x-{b}", f"{a}x − {b}"), (f"x^2-{a}x+{b}", f"x^2−{a}x+{b}"), (f"({a},-{b})", f"({a}, −{b})"),
        (str(a), f"x≈{a}"), (f"{a}\\text{{Pi}}", f"{a}\\pi"), (f"{b}^\\circ", f"{b}^\\degree"), (f"{b}^\\circ", f"{b}^°"), (f"{a}\\cdot{b}", f"{a}∗{b}"), (f"\\mathbb{{R}}\\setminus\\{{{a}\\}}", f"ℝ∖\\{{{a}\\}}"), (f"{a}\\varphi", f"{a}ϕ"), (f"\\rho^{a}", f"ρ^{a}"), (f"{a}\\Omega", f"{a}Ω"),
    ]
    gold, answer = chance.choice(cases)
    if chance.maybe(0.3):
        answer = answer.replace(str(a), str(a + c)).replace("ℝ", "ℚ").replace("∅", "ℕ")
    return either_way(gold, answer, chance)


@kind
def unread(chance):
    """What looks well formed, and is outside the library's grammar, beside what it could be taken for."""
    a, b = chance.randint(2, 9), chance.randint(10, 30)
    cases = [
        (f"{a}\\sum\\limits_{{k=1}}^{{{b}}} k", f"{a}\\sum_{{k=1}}^{{{b}}} k"), (f"x^e+{a}", f"x^{{e}}+{a}"), (f"\\log_e {a}", f"\\ln {a}"), (f"v_e={a}", str(a)), (f"\\operatorname{{arctan}} {a}", f"\\arctan {a}"), (f"\\frac{{{a}\\pi}}{{{b}}}+2k\\pi, k\\in\\mathbb{{Z}}", f"\\frac{{{a}\\pi}}{{{b}}}+2k\\pi"), (f"n\\equiv {a} \\pmod {b}", str(a)),
        (f"{a} \\pmod {b}", f"n \\equiv {a} \\pmod{{{b}}}"), (f"c+d\\sqrt{{{a}}}", f"c+\\sqrt{{{a}}}d"), (f"{a}d\\cdot{b}", f"{a * b}d"), (f"x>\\{{{a},{b}\\}}", f"x>{a}"), (f"({a},{b})^T", f"({a},{b})"), (f"({a},{b})^\\circ", f"({a},{b})"), (f"x=({a},{b}), y={a}", str(a)), (f"\\begin{{vmatrix}}{a}&{b}\\end{{vmatrix}}", str(b)), (f"\\overline{{x_{{1}}}}={a}", str(a)),
        (f"{a}\\mathbb{{P}}", str(a)), (f"rank A={a}", str(a)), (f"{a} \\leftrightarrow {b}", str(b)), (f"\\{{x\\in\\mathbb{{R}} : x>{a}\\}}", f"x>{a}"), (f"\\ln_{{{a}}} {b}", f"\\log_{{{a}}} {b}"), (f"\\sin f({a})", f"\\sin(f({a}))"), (f"b^2_1+{a}", f"b_1^2+{a}"), (f"[-\\infty,{a}]", f"(-\\infty,{a}]"),
    ]
    gold, answer = chance.choice(cases)
    return either_way(gold, answer, chance)


@kind
def inequalities(chance):
    a, b = chance.randint(2, 9), chance.randint(10, 30)
    cases = [
        (f"x<{a}", f"x < {a}", True), (f"x<{a}", f"{a}>x", True), (f"x<{a}", f"x\\le {a}", False), (f"x\\le {a}", f"x \\leq {a}", True), (f"x\\le {a}", f"{a}\\ge x", True), (f"x>{a}", f"x<{a}", False), (f"x>{a}", f"x>{a + 1}", False), (f"x>{a}", f"y>{a}", None), (f"{a}<x<{b}", f"{a} < x < {b}", True), (f"{a}<x<{b}", f"{b}>x>{a}", True), (f"{a}<x<{b}", f"{a}\\le x<{b}", False),
        (f"{a}\\le x\\le {b}", f"{a} \\leq x \\leq {b}", True), (f"x\\geq {a}", f"x \\geqslant {a}", True), (f"x+y<{a}", f"y+x<{a}", True), (f"x+y<{a}", f"x<{a}-y", True), (f"x \\neq {a}", f"x\\ne {a}", True), (f"x\\neq {a}", f"x={a}", False), (f"x<{a}", str(a), None), (f"-{a}<x<{a}", f"-{a} < x < {a}", True), (f"-{a}<x<{a}", f"|x|<{a}", None), (f"2x<{2 * a}", f"x<{a}", None),
        (f"x<-{a}", f"x < -{a}", True), (f"0<a\\le {a}", f"0 < a \\leq {a}", True), (f"m>{a}", f"m > \\frac{{{2 * a}}}{{2}}", True), (f"a>b", "b<a", True), (f"a>b", "a<b", False),
    ]
    gold, answer, equal = chance.choice(cases)
    return gold, said(answer, chance), equal


@kind
def percentages(chance):
    a = chance.randint(1, 99)
    b = Fraction(a, 100)
    cases = [
        (f"{a}\\%", f"{a}\\%", True), (f"{a}\\%", f"{a}%", True), (f"{a}%", f"{a}\\%", True), (f"{a}\\%", f"{float(b)}", True), (f"{a}\\%", frac(b), True), (f"{a}\\%", f"{a}", None), (str(a), f"{a}\\%", None), (f"{a}\\%", f"{a + 1}\\%", False), (f"{a}.5\\%", f"{a}.5 \\%", True), (frac(b), f"{a}\\%", True), (f"{a}\\%", f"{a} \\%", True), (f"{a} \\text{{ percent}}", f"{a}\\%", None),
    ]
    gold, answer, equal = chance.choice(cases)
    if chance.maybe(0.3):
        return gold, chance.choice(["The answer is %s%%", "Answer: %s percent", "we get %s %%.", "the answer is $%s$%%", "about %s pct"]) % a, None
    return gold, said(answer, chance), equal


UNITS = ["cm", "m", "km", "kg", "degrees", "units", "\\text{ cm}", "\\text{ cm}^2", "\\text{ units}", "\\mbox{ inches}^2", "\\text{ square units}", "\\,\\text{cm}", "^\\circ", "\\text{ dollars}", "\\text{ hours}", "feet", "inches", "\\ \\text{m/s}", "\\mathrm{cm}", "miles", "\\text{ minutes}", "hours", "\\text{ sq. ft}", "days", "cents", "\\textdegree"]


@kind
def units(chance):
    value = chance.choice([str(chance.randint(1, 500)), frac(chance.proper()), f"{chance.randint(1, 9)}\\pi", f"{chance.randint(2, 9)}\\sqrt{{3}}", f"{chance.randint(1, 99)}.5"])
    unit = chance.choice(UNITS)
    space = chance.choice(["", " ", "\\,"]) if unit[0].isalpha() else ""
    money = chance.choice([f"\\${value}", f"${value}", f"{value}\\text{{ dollars}}"])
    cases = [(value, value + space + unit, None), (value + space + unit, value, None), (value + space + unit, value + space + unit, True), (value, "1" + value + space + unit, None), (value, money, None)]
    gold, answer, equal = chance.choice(cases)
    if "$" in answer.replace("\\$", ""):
        return gold, f"\\boxed{{{answer}}}", equal
    return gold, said(answer, chance), equal


@kind
def texts(chance):
    words = ["yes", "no", "even", "odd", "Monday", "A", "B", "C", "D", "east", "circle", "hyperbola", "ellipse", "Bella", "true", "false", "none", "Tuesday", "isosceles", "Yes", "No", "positive", "does not exist", "parallel lines", "not possible", "two solutions", "red"]
    word, other = chance.choice(words), chance.choice(words)
    forms = ["\\text{%s}", "\\text{%s}", "%s", "\\text{(%s)}", "\\mathrm{%s}", "\\textbf{%s}", "(%s)", "\\text{ %s }", "\\textbf{(%s)}"]
    gold, answer = chance.choice(forms[:4]) % word, chance.choice(forms) % (word if chance.maybe(0.7) else other)
    return gold, said(answer, chance), None


@kind
def complex_numbers(chance):
    a, b, c, d = chance.nonzero(9), chance.nonzero(9), chance.nonzero(9), chance.nonzero(9)
    write = lambda re, im: joined(([str(re)] if re else []) + ([term(im, "i")] if im else []))
    re, im = a * c - b * d, a * d + b * c
    cases = [
        (write(a, b), write(a, b), True), (write(a, b), joined([term(b, "i"), str(a)]), True), (write(a, b), write(a, -b), False), (write(a, b), f"{a}{b:+} i", True), (write(re, im), f"({write(a, b)})({write(c, d)})", True), ("i", "i", True), ("i", "-i", False), ("i^2", "-1", None), ("-1", "i^2", None), (f"{abs(a)}i", f"i\\cdot {abs(a)}", True), (write(a, b), f"{a} {'+' if b > 0 else '-'} {abs(b)} i", True),
        (f"{abs(a)}+\\sqrt{{{abs(b) + 1}}}i", f"{abs(a)}+i\\sqrt{{{abs(b) + 1}}}", True), (f"\\frac{{{abs(a)}+i}}{{2}}", f"\\frac{{{abs(a)}}}{{2}}+\\frac{{i}}{{2}}", True), ("e^{i\\pi}", "-1", None), (f"{abs(a)} \\pm {abs(b)}i", f"{abs(a)}+{abs(b)}i, {abs(a)}-{abs(b)}i", True), (f"\\frac{{1}}{{i}}", "-i", None), (f"|3+4i|", "5", None), (f"{abs(a)}\\mathrm{{i}}", f"{abs(a)}i", True),
        (f"z={write(a, b)}", write(a, b), True),
    ]
    gold, answer, equal = chance.choice(cases)
    return gold, said(answer, chance), equal


@kind
def calculus(chance):
    n = chance.randint(2, 8)
    cases = [
        (f"\\sum_{{k=1}}^{{{n}}} k^2", str(n * (n + 1) * (2 * n + 1) // 6), True), (f"\\sum_{{k=1}}^{{{n}}} k^2", str(n * (n + 1) * (2 * n + 1) // 6 + 1), False), (f"\\prod_{{k=1}}^{{{n}}} k", str(factorial(n)), True), ("\\sum_{k=1}^{n} k", "\\frac{n(n+1)}{2}", True), (f"\\sum_{{k=0}}^{{{n}}} 2^k", str(2 ** (n + 1) - 1), True), (f"\\int_0^1 x^{{{n}}} dx", f"\\frac{{1}}{{{n + 1}}}", True),
        ("\\sum_{k=0}^{\\infty} \\frac{1}{2^k}", "2", True), ("\\int_0^{\\pi} \\sin x dx", "2", True), ("\\lim_{x\\to 0} \\frac{\\sin x}{x}", "1", True), (f"\\frac{{x^{{{n + 1}}}}}{{{n + 1}}}+C", f"\\frac{{1}}{{{n + 1}}}x^{{{n + 1}}}+C", True), ("\\sum_{i=1}^{n} i", "\\sum_{i=1}^{n} i", True), ("\\sum_{i=1}^{n} i^2", "\\sum_{k=1}^{n} k^2", True), ("\\sum_{i=1}^{10} i", "\\sum_{j=1}^{10} j", True),
    ]
    gold, answer, equal = chance.choice(cases)
    return gold, said(answer, chance), equal


# Values put together at random, so that no list of cases is learnt by heart.


def number_tree(chance, depth):
    """LaTeX of a number, and the same number otherwise."""
    if depth == 0 or chance.maybe(0.15):
        kind = chance.randrange(6)
        if kind == 0:
            value = chance.proper(12)
            return frac(value), chance.choice([frac(value), f"\\frac{{{2 * value.numerator}}}{{{2 * value.denominator}}}"])
        if kind == 1:
            inside = chance.choice([2, 3, 5, 6, 7])
            scale = chance.randint(1, 4)
            return term(scale, f"\\sqrt{{{inside}}}"), f"\\sqrt{{{inside * scale * scale}}}"
        if kind == 2:
            return "\\pi", "\\pi"
        value = str(chance.randint(1, 12))
        return value, value
    a, b = number_tree(chance, depth - 1), number_tree(chance, depth - 1)
    paren = lambda text: f"({text})" if any(sign in text[1:] for sign in "+-") or text.startswith("-") else text
    how = chance.randrange(6)
    if how == 0:
        return f"{a[0]}+{paren(b[0]) if b[0].startswith('-') else b[0]}", f"{paren(b[1]) if b[1].startswith('-') else b[1]} + {paren(a[1]) if a[1].startswith('-') else a[1]}"
    if how == 1:
        return f"{a[0]}-{paren(b[0])}", f"-{paren(b[1])}+{paren(a[1]) if a[1].startswith('-') else a[1]}"
    if how == 2:
        return f"{paren(a[0])}\\cdot {paren(b[0])}", f"{paren(b[1])} \\times {paren(a[1])}"
    if how == 3:
        return f"\\frac{{{a[0]}}}{{{b[0]}}}", chance.choice([f"\\frac{{1}}{{{b[1]}}}\\cdot {paren(a[1])}", f"\\dfrac{{{a[1]}}}{{{b[1]}}}", f"\\frac{{-{paren(a[1])}}}{{-{paren(b[1])}}}"])
    if how == 4:
        return f"{paren(a[0]) if a[0].isdigit() else '(' + a[0] + ')'}^2", f"({a[1]})\\cdot ({a[1]})"
    return f"\\sqrt{{{a[0]}+20}}", f"(20+{paren(a[1]) if a[1].startswith('-') else a[1]})^{{\\frac{{1}}{{2}}}}"


@kind
def composed_numbers(chance):
    gold, answer = number_tree(chance, chance.choice([1, 2, 2, 3]))
    if chance.maybe(0.65):
        return gold, said(answer, chance), True
    return gold, said(chance.choice([answer + "+1", f"-({answer})", f"2\\cdot({answer})"]), chance), None


def symbol_tree(chance, depth, names):
    if depth == 0 or chance.maybe(0.2):
        if chance.maybe(0.6):
            name = chance.choice(names)
            return name, name
        value = str(chance.randint(1, 9))
        return value, value
    a, b = symbol_tree(chance, depth - 1, names), symbol_tree(chance, depth - 1, names)
    how = chance.randrange(7)
    if how == 0:
        return f"{a[0]}+{b[0]}", f"{b[1]}+{a[1]}"
    if how == 1:
        return f"{a[0]}-({b[0]})", f"-({b[1]})+{a[1]}"
    if how == 2:
        return f"({a[0]})({b[0]})", chance.choice([f"({b[1]})({a[1]})", f"({b[1]})\\cdot({a[1]})"])
    if how == 3:
        return f"\\frac{{{a[0]}}}{{{b[0]}+x}}", f"\\frac{{1}}{{x+{b[1]}}}({a[1]})"
    if how == 4:
        return f"({a[0]})^2", f"({a[1]})({a[1]})"
    if how == 5:
        c = chance.randint(2, 5)
        return f"{c}({a[0]}+{b[0]})", f"{c}({a[1]})+{c}({b[1]})"
    inner = chance.choice(["\\sin", "\\cos", "e^", "\\sqrt", "\\ln"])
    if inner == "e^":
        return f"e^{{{a[0]}+{b[0]}}}", f"e^{{{a[1]}}}e^{{{b[1]}}}"
    if inner == "\\sqrt":
        return f"\\sqrt{{({a[0]})^2+1}}", f"\\sqrt{{1+({a[1]})^2}}"
    return f"{inner}({a[0]}+{b[0]})", f"{inner}({b[1]}+{a[1]})"


@kind
def composed_algebra(chance):
    names = chance.choice([["x"], ["x", "y"], ["x", "n"], ["x", "a", "b"]])
    gold, answer = symbol_tree(chance, chance.choice([1, 2, 2, 3]), names)
    if chance.maybe(0.65):
        return gold, said(answer, chance), True
    return gold, said(chance.choice([answer + "+1", f"-({answer})", f"2({answer})", answer.replace("x", "y")]), chance), None


@kind
def composed_objects(chance):
    """Sets, tuples, intervals, matrices and equations of composed numbers."""
    pairs = [number_tree(chance, 1) for _ in range(chance.randint(2, 4))]
    if chance.maybe(0.3):
        pairs[-1] = number_tree(chance, 1)[0], number_tree(chance, 1)[0]
    golds, answers = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    how = chance.randrange(6)
    if how == 0:
        chance.shuffle(answers)
        return ", ".join(golds), said(", ".join(answers), chance), None
    if how == 1:
        chance.shuffle(answers)
        return "\\{" + ", ".join(golds) + "\\}", said("\\left\\{" + ",".join(answers) + "\\right\\}", chance), None
    if how == 2:
        return "(" + ", ".join(golds) + ")", said("\\left(" + ",".join(answers) + "\\right)", chance), None
    if how == 3:
        return f"[{golds[0]}, \\infty)", said(f"\\left[{answers[0]},\\infty\\right)", chance), None
    if how == 4:
        write = lambda items: "\\begin{pmatrix}" + " \\\\ ".join(items) + "\\end{pmatrix}"
        return write(golds), said(write(answers), chance), None
    return f"x={golds[0]}", said(chance.choice([answers[0], f"x = {answers[0]}"]), chance), None


STYLED = [
    ("%s", "%s"), ("%s", "x = %s"), ("x=%s", "%s"), ("%s", "%s \\text{ cm}"), ("%s", "\\approx %s"), ("%s", "\\textbf{%s}"), ("%s", "{%s}"), ("%s", "\\mathbf{%s}"), ("%s", "\\displaystyle %s"), ("%s", "%s."), ("%s", "\\,%s\\,"), ("%s", "\\; %s"),
    ("%s", "\\mathrm{%s}"), ("%s", "\\(%s\\)"), ("%s", "\\$%s"), ("%s", "$%s$"), ("\\(%s\\)", "%s"), ("$%s$", "%s"), ("\\text{%s}", "%s"), ("%s", "\\text{%s}"), ("%s", "a = b = %s"), ("%s", "%s \\text{ or so}"), ("%s", "\\frac{%s}{1}"), ("%s", "1 \\cdot %s"),
    ("%s", "+%s"), ("%s", "%s + 0"), ("%s", "(%s)"), ("%s", "[%s]"), ("%s", "\\{%s\\}"), ("%s", "%s,"), ("%s", "%s\\\\"), ("%s", "%s\\quad"), ("%s", "\\boxed{%s}"), ("%s", "f(x)=%s"), ("%s", "y=%s"), ("%s", "%s \\mod 7"), ("%s", "%s \\pmod{7}"), ("%s", "%s^\\circ"), ("%s", "%s^{\\circ}"),
    ("%s", "\\color{red}{%s}"), ("%s", "\\underline{%s}"), ("%s", "\\left(%s\\right)"), ("%s", "\\text{Answer: } %s"), ("%s", "n \\geq %s"), ("%s", "\\overline{%s}"), ("%s", "|%s|"), ("%s", "-(-%s)"), ("%s", "%s \\text{ and } 7"), ("%s", "%s \\%%"), ("%s", "%s\\text{ (approximately)}"),
    ("%s \\text{ cm}", "%s\\text{ cm}"), ("%s\\text{ units}", "%s"), ("\\{%s\\}", "%s"), ("%s", "\\emph{%s}"), ("%s", "\\textit{%s}"), ("%s", "\\dfrac{%s}{1}"), ("%s", "%s \\, \\text{m/s}"), ("%s", "%s \\ \\text{sq units}"), ("%s", "\\hspace{1em}%s"), ("%s", "%s \\text{ for all } x"), ("%s", "\\mathbb{%s}"),
    ("%s", "\\bigl(%s\\bigr)"), ("%s", "\\Big(%s\\Big)"), ("%s", "%s \\quad \\text{or} \\quad 5"), ("%s", "\\therefore %s"), ("%s", "\\therefore x = %s"), ("%s", "%s \\implies x"), ("%s", "\\text{Yes, } %s"), ("%s", "~%s"), ("%s", "%s~"), ("%s", "\\phantom{0}%s"), ("%s", "\\operatorname{lcm}(%s, 1)"),
]
CORES = ["7", "12", "-3", "\\frac{3}{4}", "\\dfrac{5}{2}", "2\\sqrt{3}", "\\pi", "x+1", "2x", "n(n+1)", "0.75", "1,000", "10^6", "\\frac{\\pi}{3}", "3+4i", "(1,2)", "1,2", "\\sqrt{5}-1", "e^2", "\\ln 2", "A", "50", "a+b", "-\\frac{1}{2}", "\\frac{1+\\sqrt{5}}{2}", "x^2-1", "\\frac{x}{y}", "100", "2^{10}", "\\alpha", "\\infty", "\\begin{pmatrix}1\\\\2\\end{pmatrix}"]


@kind
def styled(chance):
    """The same core in two styles that models have."""
    gold, answer = chance.choice(STYLED)
    core = chance.choice(CORES)
    return gold.replace("%s", core).replace("%%", "%"), said(answer.replace("%s", core if chance.maybe(0.9) else chance.choice(CORES)).replace("%%", "%"), chance), None


NUMBERS = ["3", "12", "-7", "1,234", "0.5", "2/3", "100", "1 234", "42.0", ".75", "-0.25", "7%", "50 percent", "1,23", "3.14159", "2 + 2", "3*4", "10^2", "(3+4)*2", "1234567", "8 / 2", "12:30", "$5", "€20", "1-2", "2^10", "5-"]
PLAIN = ["The answer is %s.", "Answer: %s", "answer is: %s", "The final answer is: %s. I hope it is correct.", "Final answer: %s", "final answer to this is %s", "So x = %s", "we get %s, which is even", "Result: **%s**", "(%s)", "there are %s apples", "ANSWER: x = %s", "answer = %s = 4", "The answers are %s and 5", "%s", "=%s", "Therefore %s is it\n", "the answer: y=2, so %s", "it is %s.\n\nDone"]
MATHS = ["3", "\\frac{1}{2}", "x+1", "5\\%", "\\sqrt{2}", "x=4", "1,2", "\\{1,2\\}", "(1,2)", "-7", "12", "2^{10}", "\\frac12", "0.5", "a", "\\text{yes}"]
CHAINS = ["$%s$", "\\(%s\\)", "\\[%s\\]", "$$%s$$", " [%s] ", "$%s$%%", "$%s$ percent"]
JOINTS = [" and ", ", ", ", and ", " or ", ",or ", " , ", " then ", "\nand\n", ""]
HEADS = ["", "The answer is ", "Answer: ", "Final answer: ", "The final answer is ", "so the final answer of it is: ", "We know ", "answer\n", "I think the answer could be "]
TAILS = ["", ".", ". I hope it is correct.", "\n", " apples", " = 5", ", I hope", "I hope"]


@kind
def plain_prose(chance):
    number = chance.choice(NUMBERS)
    text = chance.choice(PLAIN) % number + chance.choice(["", "", "", " Then 5 more.", " = 3", "\n", " I hope"])
    gold = chance.choice([number, number, "3", "12", "100", "1234", "14", "2"])
    return gold.replace("%", "\\%").replace("$", "").replace("€", ""), text, None


@kind
def prose(chance):
    chain = "".join(chance.choice(CHAINS) % chance.choice(MATHS) + chance.choice(JOINTS) for _ in range(chance.randint(0, 3)))
    text = chance.choice(HEADS) + chain + chance.choice(CHAINS) % chance.choice(MATHS) + chance.choice(TAILS)
    return chance.choice(MATHS), text, None


@kind
def boxes(chance):
    gaps = ["", " ", " and ", " or ", ", ", "; ", " wait ", " wait, it should be something else entirely here so ", " therefore ", " but on second thoughts and with a longer look at all of it, which takes more than seventy letters, it is ", "$ and $", "\n\n"]
    count = chance.choice([1, 1, 2, 2, 3])
    shells = ["\\boxed{%s}", "\\boxed{%s}", "\\boxed {%s}", "\\fbox{%s}", "\\boxed{\\boxed{%s}}", "$\\boxed{%s}$", "\\boxed{\\text{%s}}", "\\boxed{ %s }", "\\boxed{{%s}}", "\\boxed{$%s$}", "\\boxed{\\(%s\\)}", "\\boxed{x = %s}", "\\boxed{%s"]
    values = [chance.choice(MATHS) for _ in range(count)]
    text = chance.choice(["", "We get ", "$", "The answer is 7 and "])
    for index, value in enumerate(values):
        text += (chance.choice(gaps) if index else "") + chance.choice(shells) % value
    text += chance.choice(["", ".", "$", "$.", " and 12.", " }", "\n"])
    return chance.choice([values[-1], values[0], ",".join(values), chance.choice(MATHS)]), text, None


FRAGMENTS = ["\\frac", "{", "}", "(", ")", "[", "]", "1", "2", "3", "12", "0.5", ".", ",", ";", "+", "-", "*", "/", "^", "_", "=", "<", ">", "\\le", "\\sqrt", "x", "y", "n", "i", "e", "\\pi", "\\alpha", "\\text{", "\\cdot", "\\times", "!", "|", "\\%", "%",
             "\\sin", "\\log", "\\left", "\\right", "\\{", "\\}", "\\infty", "\\cup", "\\in", "\\pm", " ", "  ", "\n", "\\\\", "&", "\\begin{pmatrix}", "\\end{pmatrix}", "$", "\\boxed{", "answer", "final answer is", ":", "**", "and", "or", "\\circ", "'", "\\binom", "\\sum", "\\int", "\\lim", "\\to", "é", "x^2", "\\mathbb{R}", "~", "\\,", "\\;"]


def malformed(chance):
    pieces = lambda most: "".join(chance.choices(FRAGMENTS, k=chance.randint(1, most)))
    if chance.maybe(0.5):
        return pieces(6), "\\boxed{" + pieces(6) + "}", None
    gold = chance.choice(["1", "x", "\\frac{1}{2}", "12", "0"])
    return gold, chance.choice(["", "$", "\\boxed{", "answer: "]) + pieces(9) + chance.choice(["", "$", "}"]), None


# The library, asked as NeMo Gym asks it.

METRIC = None
# It gives up after five seconds for each text, and after as many for each comparison.
PATIENCE = 4.8


def metric():
    from math_verify.metric import math_metric
    from math_verify.parser import ExprExtractionConfig, LatexExtractionConfig

    gold, predictions = (LatexExtractionConfig(),), (ExprExtractionConfig(), LatexExtractionConfig())
    return math_metric(gold_extraction_target=gold, pred_extraction_target=predictions)


def verdict(pair):
    global METRIC
    if METRIC is None:
        logging.disable(logging.CRITICAL)
        warnings.simplefilter("ignore")
        METRIC = metric()
        # The first parse builds the grammar's tables, which may take longer than the library allows.
        METRIC(["\\boxed{1}"], ["\\boxed{2}"])
    found = dict(pair, reward=0.0, extracted=None, golds=None, predictions=None)
    started = time.monotonic()
    try:
        reward, shown = METRIC(["\\boxed{" + pair["gold"] + "}"], [pair["answer"]])
        if shown is not None:
            golds, predictions = shown
            known = {gold.strip() for gold in golds if gold.strip()}
            matching = [one for one in predictions if one.strip() in known]
            found.update(golds=golds, predictions=predictions)
            found.update(extracted=matching[0] if matching else predictions[0])
        found.update(reward=float(reward))
    except BaseException as error:  # its timeouts are no `Exception`
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        found["extracted"] = None
        found["error"] = type(error).__name__
    if found["reward"] == 0.0 and time.monotonic() - started > PATIENCE:
        found["late"] = True
    return found


def pairs(seed, rows):
    kinds = dict(GENERATORS, malformed=malformed)
    wanted = os.environ.get("KINDS")
    kinds = {name: kinds[name] for name in wanted.split(",")} if wanted else kinds
    chances = {name: Chance(f"{seed} {name}") for name in kinds}
    for turn in range(rows // len(kinds) + 1):
        for name, make in kinds.items():
            # The library takes seconds for many of these.
            if name.startswith("composed") and turn % 4 and not wanted:
                continue
            gold, answer, equal = make(chances[name])
            yield {"kind": name, "gold": gold, "answer": answer, "equal": equal}


def judged(pairs):
    # Each process takes a few hundred pairs and is replaced: the library never lets go of what it has seen.
    with multiprocessing.Pool(os.cpu_count(), maxtasksperchild=20) as pool:
        yield from pool.imap(verdict, pairs, chunksize=20)


def timed(pair):
    started = time.perf_counter()
    verdict(pair)
    return time.perf_counter() - started


def main(seed, rows, folder, mode="generate"):
    if mode == "times":
        with open(folder, encoding="utf-8") as given:
            given = [json.loads(line) for line in given]
        verdict({"gold": "1", "answer": "2"})
        print(json.dumps([timed(pair) for pair in given]))
        return
    if mode == "pairs":
        with open(folder, encoding="utf-8") as given:
            for found in judged([json.loads(line) for line in given]):
                print(json.dumps(found, ensure_ascii=False))
        return
    with open(os.path.join(folder, "pairs.jsonl"), "w", encoding="utf-8") as out:
        for found in judged(pairs(seed, rows)):
            print(json.dumps(found, ensure_ascii=False), file=out)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
