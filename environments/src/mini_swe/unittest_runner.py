"""Runs files of `unittest` tests and says of each test how it ended, in pytest's words and names.

Run in the folder of a repository, with the files as arguments. The report goes to the standard output as
it was at the start; whatever tests and tested code print goes elsewhere, so that it is not taken for a
report. Only the standard library is needed, and it is imported before anything of the repository can
stand in its place.
"""

import os
import sys
import traceback
import unittest


class Report(unittest.TestResult):
    """How each test ended, the worst of several ends of it."""

    ORDER = ["PASSED", "SKIPPED", "XFAIL", "FAILED", "ERROR"]

    def __init__(self, path):
        super().__init__()
        self.path = path
        self.ends = {}

    def note(self, test, end):
        parts = test.id().split(".")
        name = "::".join([self.path, *parts[-2:]]) if isinstance(test, unittest.TestCase) else self.path
        known = self.ends.get(name, end)
        self.ends[name] = max(known, end, key=self.ORDER.index)

    def addSuccess(self, test):
        self.note(test, "PASSED")

    def addSkip(self, test, reason):
        self.note(test, "SKIPPED")

    def addExpectedFailure(self, test, error):
        self.note(test, "XFAIL")

    def addUnexpectedSuccess(self, test):
        self.note(test, "FAILED")

    def addFailure(self, test, error):
        self.note(test, "FAILED")
        traceback.print_exception(*error)

    def addError(self, test, error):
        self.note(test, "ERROR")
        traceback.print_exception(*error)

    def addSubTest(self, test, subtest, error):
        if error is not None:
            self.addFailure(test, error)


def tests_of(path):
    """The tests of a file, imported by the name that it has in the repository."""
    name = path[: -len(".py")].replace("/", ".")
    __import__(name)
    return unittest.defaultTestLoader.loadTestsFromModule(sys.modules[name])


def main(paths):
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.dont_write_bytecode = True
    sys.path.insert(0, os.getcwd())
    lines = []
    for path in paths:
        report = Report(path)
        try:
            tests_of(path).run(report)
        except BaseException:
            traceback.print_exc()
            report.ends[path] = "ERROR"
        lines += [f"{end} {name}" for name, end in report.ends.items()]
    out.write("".join(line + "\n" for line in lines))
    out.flush()
    sys.stdout.flush()
    # What else the tested code has registered for the end has no say any more.
    os._exit(0 if all(line.split()[0] in ("PASSED", "SKIPPED", "XFAIL") for line in lines) else 1)


main(sys.argv[1:])
