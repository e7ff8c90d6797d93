"""Amounts of money, rounded to the cent."""

from decimal import ROUND_HALF_EVEN, Decimal

CENT = Decimal("0.01")


def decimal_of(number):
    """A number as it is written; a float by its shortest form."""
    return number if isinstance(number, Decimal) else Decimal(str(number))


def to_cents(amount):
    """The amount rounded to the cent."""
    return decimal_of(amount).quantize(CENT, rounding=ROUND_HALF_EVEN)


def line_total(quantity, unit_price, tax_percent=0):
    """What a line of an invoice costs, with tax."""
    net = decimal_of(quantity) * decimal_of(unit_price)
    return to_cents(net * (100 + decimal_of(tax_percent)) / 100)
