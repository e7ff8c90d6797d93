import unittest
from decimal import Decimal

from tally import Invoice, line_total


class LineTotals(unittest.TestCase):
    def test_quantity_times_price(self):
        self.assertEqual(line_total(3, "1.10"), Decimal("3.30"))

    def test_tax_is_added(self):
        self.assertEqual(line_total(1, 100, 19), Decimal("119.00"))

    def test_less_than_half_a_cent_is_dropped(self):
        self.assertEqual(line_total(1, "0.1349"), Decimal("0.13"))


class Invoices(unittest.TestCase):
    def test_the_discount_is_taken_off(self):
        invoice = Invoice(discount_percent=10)
        invoice.add("paper", 2, "4.50")
        invoice.add("ink", 1, 11)
        self.assertEqual(invoice.total(), Decimal("18.00"))

    def test_no_lines_cost_nothing(self):
        self.assertEqual(Invoice().total(), Decimal("0.00"))
