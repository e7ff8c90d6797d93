"""The driver of a session's interpreter: runs pieces of code, one after the other, in one namespace."""

import ast
import io
import json
import linecache
import os
import signal
import sys
import time

#: Modules under the names that code finds them by without importing them, where there are any.
PRELOADED = {"np": "numpy", "numpy": "numpy", "scipy": "scipy", "pd": "pandas", "pandas": "pandas", "sympy": "sympy"}
#: How soon an interruption that the code has caught comes again.
INSIST_SECONDS = 0.05


class TimedOut(BaseException):
    """The time is up. No ordinary exception, so that `except Exception` lets it pass."""


class Kept(io.TextIOBase):
    """A text that is kept up to its limit; what is beyond is counted."""

    def __init__(self, size_max):
        self.parts, self.left, self.cut = [], size_max, 0

    def writable(self):
        return True

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError(f"string argument expected, got '{type(text).__name__}'")
        kept = text[: self.left]
        self.left -= len(kept)
        self.cut += len(text) - len(kept)
        if kept:
            self.parts.append(kept)
        return len(text)

    def text(self):
        text = "".join(self.parts)
        if self.cut:
            text += f"\n... ({self.cut} more characters were cut)"
        return text


def serve(channel):
    names = {"__name__": "__main__", "__builtins__": __builtins__}
    for name, module in PRELOADED.items():
        if module in sys.modules and module not in missing:
            names[name] = sys.modules[module]
    while (request := channel.receive()) is not None:
        request = json.loads(request)
        answer = run(request["code"], request["seconds"], request["output_max"], names)
        # Half of a surrogate pair, which Python allows in a text, is none in JSON.
        text = json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace")
        channel.send(text)


def interrupt(*_):
    raise TimedOut


def run(code, seconds, output_max, names):
    out, err = Kept(output_max), Kept(output_max)
    sys.stdout, sys.stderr = out, err
    result = error = None
    success, deadline = True, time.monotonic() + seconds
    # Set for each piece: the one before may have changed them.
    signal.signal(signal.SIGALRM, interrupt)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
    try:
        try:
            signal.setitimer(signal.ITIMER_REAL, seconds, INSIST_SECONDS)
            result = execute(code, names, output_max)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except TimedOut:
        success, error = False, "code timed-out"
    except SystemExit as exit:
        if exit.code not in (None, 0):
            success, error = False, str(exit.code)
    except MemoryError:
        success, error = False, "out of memory"
    except BaseException as exception:
        success, error = False, explain(exception)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.stdout = sys.stderr = sys.__stdout__
    if not success and time.monotonic() >= deadline:
        # Whatever the code made of the interruption, such as an exception of its own.
        error = "code timed-out"
    return {
        "success": success,
        "stdout": out.text(),
        "stderr": err.text(),
        "error_message": error,
        "result": result if success else None,
    }


def execute(code, names, size_max):
    """Runs the code once; the text of its last statement's value if that is an expression."""
    tree = ast.parse(code, "<string>")
    last = tree.body[-1] if tree.body else None
    if not isinstance(last, ast.Expr) or is_print(last.value):
        exec(compile(tree, "<string>", "exec"), names)
        return None
    tree.body.pop()
    exec(compile(tree, "<string>", "exec"), names)
    value = eval(compile(ast.Expression(last.value), "<string>", "eval"), names)
    try:
        text = str(value)
    except Exception:
        return None
    return text if len(text) <= size_max else text[:size_max] + "..."


def is_print(expression):
    return (
        isinstance(expression, ast.Call)
        and isinstance(expression.func, ast.Name)
        and expression.func.id == "print"
    )


def explain(exception):
    """The exception's own text, and what it does not say: that a module is not there at all."""
    try:
        text = str(exception)
    except Exception:
        text = ""
    name = getattr(exception, "name", None)
    module = PRELOADED.get(name, name)
    is_absent = isinstance(exception, (NameError, ModuleNotFoundError)) and module in missing
    return f"{text} ({module} is not installed in this interpreter)" if is_absent else text
