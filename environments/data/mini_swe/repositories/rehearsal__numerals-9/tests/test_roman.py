import unittest

from numerals import from_roman, to_roman


class ToRoman(unittest.TestCase):
    def test_some_numbers(self):
        for number, text in [(1, "I"), (4, "IV"), (1994, "MCMXCIV"), (3999, "MMMCMXCIX")]:
            self.assertEqual(to_roman(number), text)

    def test_others_have_none(self):
        for number in [0, -1, 4000]:
            with self.assertRaises(ValueError):
                to_roman(number)


class FromRoman(unittest.TestCase):
    def test_every_numeral_comes_back(self):
        for number in range(1, 4000):
            self.assertEqual(from_roman(to_roman(number)), number)

    def test_lower_case_is_fine(self):
        self.assertEqual(from_roman("xiv"), 14)

    def test_other_letters_are_an_error(self):
        for text in ["", "ABC", "X I"]:
            with self.assertRaises(ValueError, msg=text):
                from_roman(text)
