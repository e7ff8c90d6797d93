"""Conversion by the table of symbols."""

SYMBOLS = [
    ("M", 1000), ("CM", 900), ("D", 500), ("CD", 400),
    ("C", 100), ("XC", 90), ("L", 50), ("XL", 40),
    ("X", 10), ("IX", 9), ("V", 5), ("IV", 4), ("I", 1),
]
VALUES = {symbol: value for symbol, value in SYMBOLS if len(symbol) == 1}


def to_roman(number):
    """A number's numeral."""
    if not 1 <= number <= 3999:
        raise ValueError(f"{number} has no Roman numeral")
    text = ""
    for symbol, value in SYMBOLS:
        count, number = divmod(number, value)
        text += symbol * count
    return text


def from_roman(text):
    """A numeral's number."""
    letters = text.upper()
    if not letters or any(letter not in VALUES for letter in letters):
        raise ValueError(f"{text!r} is not a Roman numeral")
    values = [VALUES[letter] for letter in letters]
    number = 0
    for value, following in zip(values, values[1:] + [0]):
        number += -value if value < following else value
    return number
