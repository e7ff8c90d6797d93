import unittest

from depsort import CycleError, needed_by, order


class Order(unittest.TestCase):
    def test_what_is_needed_comes_first(self):
        self.assertEqual(order({"a": ["b"], "b": ["c"]}), ["c", "b", "a"])

    def test_what_needs_nothing_comes_as_it_is(self):
        self.assertEqual(order({"b": [], "a": []}), ["b", "a"])

    def test_two_that_need_each_other_are_an_error(self):
        with self.assertRaises(CycleError):
            order({"a": ["b"], "b": ["a"]})

    def test_one_that_needs_itself_is_an_error(self):
        with self.assertRaises(CycleError):
            order({"a": ["a"]})


class Graph(unittest.TestCase):
    def test_needs_are_followed(self):
        needs = {"a": ["b"], "b": ["c"], "d": []}
        self.assertEqual(needed_by(needs, "c"), {"a", "b"})
