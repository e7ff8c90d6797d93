import unittest

from lru import Cache, cached


class Caches(unittest.TestCase):
    def test_what_was_stored_is_there(self):
        cache = Cache(2)
        cache.put("a", 1)
        self.assertEqual(cache.get("a"), 1)
        self.assertIsNone(cache.get("b"))
        self.assertEqual((cache.hits, cache.misses), (1, 1))

    def test_there_is_never_more_than_its_size(self):
        cache = Cache(3)
        for number in range(10):
            cache.put(number, number)
        self.assertEqual(len(cache), 3)
        self.assertIn(9, cache)

    def test_storing_again_counts_as_use(self):
        cache = Cache(2)
        cache.put("a", 1)
        cache.put("b", 2)
        cache.put("a", 3)
        cache.put("c", 4)
        self.assertNotIn("b", cache)
        self.assertEqual(cache.get("a"), 3)

    def test_no_room_is_an_error(self):
        with self.assertRaises(ValueError):
            Cache(0)


class Functions(unittest.TestCase):
    def test_results_are_remembered(self):
        calls = []

        @cached(4)
        def double(number):
            calls.append(number)
            return 2 * number

        self.assertEqual([double(1), double(1), double(2)], [2, 2, 4])
        self.assertEqual(calls, [1, 2])
