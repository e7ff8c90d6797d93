import unittest

from laps import Stopwatch, format_duration, parse_duration


class Parsing(unittest.TestCase):
    def test_units_add_up(self):
        self.assertEqual(parse_duration("1d2h3m4s"), 93784)
        self.assertEqual(parse_duration(" 90m "), 5400)

    def test_a_sign_is_for_all_of_it(self):
        self.assertEqual(parse_duration("-1m30s"), -90)

    def test_other_text_is_an_error(self):
        for text in ["", "-", "1", "1m1h", "1.5h", "h"]:
            with self.assertRaises(ValueError, msg=text):
                parse_duration(text)


class Formatting(unittest.TestCase):
    def test_units_that_are_zero_are_left_out(self):
        self.assertEqual(format_duration(3605), "1h5s")
        self.assertEqual(format_duration(93784), "1d2h3m4s")

    def test_nothing_is_no_seconds(self):
        self.assertEqual(format_duration(0), "0s")

    def test_what_is_formatted_is_read_again(self):
        for seconds in range(0, 100000, 37):
            self.assertEqual(parse_duration(format_duration(seconds)), seconds)


class Stopwatches(unittest.TestCase):
    def test_laps_are_told_apart(self):
        watch = Stopwatch(iter([100, 160, 250]).__next__)
        self.assertEqual([watch.lap(), watch.lap()], ["1m", "1m30s"])
