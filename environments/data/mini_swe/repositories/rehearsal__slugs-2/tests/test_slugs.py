import unittest

from slugs import Registry, slugify, unique_slug


class Slugs(unittest.TestCase):
    def test_words_are_joined(self):
        self.assertEqual(slugify("  Hello,  World! "), "hello-world")

    def test_accents_are_dropped(self):
        self.assertEqual(slugify("Caf\u00e9 cr\u00e8me"), "cafe-creme")

    def test_nothing_is_untitled(self):
        self.assertEqual(slugify("!?"), "untitled")


class UniqueSlugs(unittest.TestCase):
    def test_a_free_slug_is_taken_as_it_is(self):
        self.assertEqual(unique_slug("News", set()), "news")

    def test_the_second_is_numbered(self):
        self.assertEqual(unique_slug("News", {"news"}), "news-2")

    def test_what_has_a_slug_keeps_it(self):
        registry = Registry()
        first = registry.add(7, "News")
        self.assertEqual(registry.add(7, "Other"), first)
