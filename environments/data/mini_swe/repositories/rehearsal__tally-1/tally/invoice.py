"""An invoice: lines, and perhaps a discount on their sum."""

from decimal import Decimal

from .amounts import decimal_of, line_total, to_cents


class Invoice:
    """Lines in the order in which they were added."""

    def __init__(self, discount_percent=0):
        self.discount_percent = decimal_of(discount_percent)
        self.lines = []

    def add(self, text, quantity, unit_price, tax_percent=0):
        """Adds a line and returns what it costs."""
        total = line_total(quantity, unit_price, tax_percent)
        self.lines.append((text, total))
        return total

    def discount(self):
        """What is taken off the sum of the lines."""
        gross = sum((total for _, total in self.lines), Decimal(0))
        return to_cents(gross * self.discount_percent / 100)

    def total(self):
        """What is to be paid."""
        gross = sum((total for _, total in self.lines), Decimal(0))
        return to_cents(gross) - self.discount()
