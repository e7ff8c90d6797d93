import unittest

from quotecsv import parse, write


class Reading(unittest.TestCase):
    def test_fields_and_rows(self):
        self.assertEqual(parse("a,b\nc,\n"), [["a", "b"], ["c", ""]])

    def test_the_last_line_needs_no_end(self):
        self.assertEqual(parse("a\nb"), [["a"], ["b"]])

    def test_quotes_keep_commas_and_lines(self):
        self.assertEqual(parse('"a,b","c\nd"\n'), [["a,b", "c\nd"]])

    def test_lines_may_end_as_on_windows(self):
        self.assertEqual(parse("a,b\r\nc,d\r\n"), [["a", "b"], ["c", "d"]])


class Writing(unittest.TestCase):
    def test_quotes_only_where_needed(self):
        self.assertEqual(write([["a", "b,c"], ['d"', ""]]), 'a,"b,c"\n"d""",\n')

    def test_simple_tables_come_back(self):
        table = [["a", "b"], ["c, d", "e\nf"]]
        self.assertEqual(parse(write(table)), table)
