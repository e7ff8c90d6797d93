import unittest
from datetime import datetime

from cronfield import FieldError, Schedule, expand


class Fields(unittest.TestCase):
    def test_a_star_is_everything(self):
        self.assertEqual(expand("*", 1, 5), [1, 2, 3, 4, 5])

    def test_a_star_may_have_a_step(self):
        self.assertEqual(expand("*/15", 0, 59), [0, 15, 30, 45])

    def test_lists_and_ranges(self):
        self.assertEqual(expand("7,1-3,2", 0, 9), [1, 2, 3, 7])

    def test_what_is_out_of_bounds_is_an_error(self):
        for text in ["60", "5-61", "a", "", "9-3", "*/0"]:
            with self.assertRaises(FieldError, msg=text):
                expand(text, 0, 59)


class Schedules(unittest.TestCase):
    def test_working_hours(self):
        schedule = Schedule("0 9-17 * * 1-5")
        self.assertTrue(schedule.matches(datetime(2026, 3, 2, 9, 0)))
        self.assertFalse(schedule.matches(datetime(2026, 3, 1, 9, 0)))
        self.assertFalse(schedule.matches(datetime(2026, 3, 2, 9, 1)))
