import unittest

from pinver import Version, best, satisfies


class Order(unittest.TestCase):
    def test_numbers_compare_as_numbers(self):
        self.assertLess(Version("1.9.0"), Version("1.10.0"))

    def test_a_release_comes_after_its_pre_releases(self):
        self.assertLess(Version("1.0.0-rc.1"), Version("1.0.0"))

    def test_words_compare_as_text(self):
        self.assertLess(Version("1.0.0-alpha"), Version("1.0.0-beta"))

    def test_the_build_does_not_count(self):
        self.assertEqual(Version("1.0.0+a"), Version("1.0.0+b"))

    def test_other_text_is_no_version(self):
        for text in ["1.0", "v1.0.0", "1.0.0-", ""]:
            with self.assertRaises(ValueError, msg=text):
                Version(text)


class Requirements(unittest.TestCase):
    def test_all_parts_have_to_hold(self):
        self.assertTrue(satisfies(Version("1.5.0"), ">=1.2.0, <2.0.0"))
        self.assertFalse(satisfies(Version("2.0.0"), ">=1.2.0, <2.0.0"))

    def test_the_latest_is_best(self):
        versions = [Version(text) for text in ["1.0.0", "1.4.2", "2.0.0"]]
        self.assertEqual(best(versions, "<2.0.0"), Version("1.4.2"))
        self.assertIsNone(best(versions, ">3.0.0"))
