import unittest

from spans import covers, gaps, length, merge


class Merging(unittest.TestCase):
    def test_spans_that_overlap_become_one(self):
        self.assertEqual(merge([(4, 9), (1, 5)]), [(1, 9)])

    def test_a_span_within_another_vanishes(self):
        self.assertEqual(merge([(1, 9), (2, 3)]), [(1, 9)])

    def test_spans_apart_stay_apart(self):
        self.assertEqual(merge([(6, 9), (1, 5)]), [(1, 5), (6, 9)])

    def test_empty_spans_are_dropped(self):
        self.assertEqual(merge([(3, 3), (1, 2)]), [(1, 2)])


class Measuring(unittest.TestCase):
    def test_nothing_is_counted_twice(self):
        self.assertEqual(length([(1, 5), (3, 7)]), 6)

    def test_the_end_is_not_covered(self):
        self.assertTrue(covers([(1, 5)], 1))
        self.assertFalse(covers([(1, 5)], 5))

    def test_gaps_lie_between(self):
        self.assertEqual(gaps([(2, 3), (5, 6)], 0, 8), [(0, 2), (3, 5), (6, 8)])
