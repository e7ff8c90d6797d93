import unittest

from ringbuf import Ring, moving_average


class Rings(unittest.TestCase):
    def test_one_that_is_not_full_holds_all(self):
        ring = Ring(5)
        for number in range(3):
            ring.append(number)
        self.assertEqual(list(ring), [0, 1, 2])
        self.assertFalse(ring.is_full())

    def test_one_that_is_just_full_holds_all(self):
        ring = Ring(3)
        for number in range(3):
            ring.append(number)
        self.assertEqual(list(ring), [0, 1, 2])
        self.assertEqual((ring[0], ring[-1]), (0, 2))

    def test_it_never_holds_more(self):
        ring = Ring(3)
        for number in range(50):
            ring.append(number)
        self.assertEqual(len(ring), 3)
        self.assertEqual(set(ring), {47, 48, 49})

    def test_what_is_not_there_is_an_error(self):
        ring = Ring(2)
        ring.append(1)
        for index in [1, -2]:
            with self.assertRaises(IndexError):
                ring[index]


class Averages(unittest.TestCase):
    def test_a_window_of_two(self):
        self.assertEqual(moving_average([1, 3, 5, 9], 2), [2.0, 4.0, 7.0])
