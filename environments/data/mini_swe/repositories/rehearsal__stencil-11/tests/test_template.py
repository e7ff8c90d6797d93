import unittest

from stencil import MissingName, names, render


class Rendering(unittest.TestCase):
    def test_names_are_filled_in(self):
        self.assertEqual(render("{a}-{b}-{a}", {"a": 1, "b": "x"}), "1-x-1")

    def test_text_without_names_stays(self):
        self.assertEqual(render("a { b } c {}", {}), "a { b } c {}")

    def test_values_are_not_templates(self):
        self.assertEqual(render("{a}", {"a": "{b}"}), "{b}")

    def test_a_name_without_a_value_is_an_error(self):
        with self.assertRaises(MissingName):
            render("{a}", {})


class Names(unittest.TestCase):
    def test_each_is_told_once(self):
        self.assertEqual(names("{b} {a} {b}"), ["b", "a"])
