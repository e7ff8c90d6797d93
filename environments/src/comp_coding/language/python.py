"""Runs a program on one input after another, as `python3 program.py` would.

This runs in the sandbox, in a process that serves one program and ends with it. The first message says
what to run: {"code", "mode": "stdin" or "call", "name", "output_max"}. Each further message is one
input. An answer is a line of JSON and, after it, what came out. Expected outputs never come here.
"""

import ast
import atexit
import builtins
import io
import json
import os
import resource
import sys
import tempfile
import traceback

# What programs use without importing it.
PRELUDE = """
from string import *
from re import *
from datetime import *
from collections import *
from heapq import *
from bisect import *
from copy import *
from math import *
from random import *
from statistics import *
from itertools import *
from functools import *
from operator import *
from io import *
from sys import *
from json import *
from builtins import *
from typing import *
import string, re, datetime, collections, heapq, bisect, copy, math, random
import statistics, itertools, functools, operator, io, sys, json, builtins, typing
"""

for _name in ("exit", "quit"):
    if not hasattr(builtins, _name):  # Not every interpreter has been through `site`.
        setattr(builtins, _name, sys.exit)
NAMES = {"__name__": "__main__", "__builtins__": builtins}
exec(PRELUDE, NAMES)
BODY = "__program__"
DYNAMIC = {"eval", "exec", "globals", "locals", "vars"}
TEXT_MAX = 300
TRACEBACK_MAX = 4000
STACK_MAX = 4 << 30


def cut(text):
    """The text, or its beginning and its end."""
    if len(text) <= TEXT_MAX:
        return text
    half = TEXT_MAX // 2
    return text[:half] + "...(truncated) ..." + text[-half:]


def describe(error):
    """An exception as `repr` shows it, if it can be shown."""
    try:
        return cut(repr(error))
    except Exception:
        return type(error).__name__


def trace(error):
    """The program's own lines on the way to an exception."""
    frames = error.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename == HERE:
        frames = frames.tb_next
    try:
        text = "".join(traceback.format_exception(type(error), error, frames))
    except Exception:
        text = describe(error)
    return text[-TRACEBACK_MAX:]


class TopLevel(ast.NodeTransformer):
    """Drops `global` at the top level, where it means nothing, and notes the names of all others."""

    def __init__(self):
        self.names = set()

    def visit_Global(self, node):
        self.names.update(node.names)
        return ast.copy_location(ast.Pass(), node)

    def nested(self, node):
        for inner in ast.walk(node):
            if isinstance(inner, ast.Global):
                self.names.update(inner.names)
        return node

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = visit_Lambda = nested


HERE = trace.__code__.co_filename


def is_main_guard(node):
    return isinstance(node, ast.If) and ast.unparse(node.test) == "__name__ == '__main__'"


def is_future(node):
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def uses_dynamic_names(tree):
    return any(isinstance(node, ast.Name) and node.id in DYNAMIC for node in ast.walk(tree))


def wrapped(imports, body, shared):
    """A module that imports what the program does and has the rest of it in one function."""
    if shared:
        body = [ast.Global(names=sorted(shared), lineno=1, col_offset=0)] + body
    arguments = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
    function = ast.FunctionDef(name=BODY, args=arguments, body=body, decorator_list=[], type_params=[])
    function = ast.copy_location(function, body[-1])
    module = ast.Module(body=imports + [function], type_ignores=[])
    return compile(ast.fix_missing_locations(module), "<string>", "exec", dont_inherit=True)


def program_of(code):
    """The program as a code object, and whether it defines the function to call.

    Names of a function are found faster than those of a module, and it may return. Where a program
    cannot be told from a module, because it declares a name global or looks names up by text, the
    names in question are a module's all the same.
    """
    tree = ast.parse(code, "<string>")
    body = tree.body
    if body and is_main_guard(body[-1]):
        body = body[:-1] + body[-1].body
    imports = [node for node in body if isinstance(node, (ast.Import, ast.ImportFrom))]
    imports.sort(key=lambda node: not is_future(node))
    body = [node for node in body if node not in imports]
    if not body:
        raise IndentationError("the program has no statement but imports")
    is_dynamic = uses_dynamic_names(tree)
    top = TopLevel()
    body = [top.visit(node) for node in body]
    try:
        program = wrapped(imports, body, top.names)
        if is_dynamic:
            function = next(it for it in program.co_consts if getattr(it, "co_name", "") == BODY)
            names = top.names.union(function.co_varnames, function.co_cellvars)
            program = wrapped(imports, body, names)
        return program, True
    except SyntaxError:
        # Some statements stand in no function; what a module may not have fails here as well.
        return compile(code, "<string>", "exec", dont_inherit=True), False


def memory_file(name):
    """A file without a name in any folder."""
    try:
        return os.memfd_create(name)
    except (AttributeError, OSError):
        with tempfile.TemporaryFile() as file:
            return os.dup(file.fileno())


def open_streams(text):
    """Makes the text what the program reads, and returns a file of what it will print."""
    source, sink = memory_file("input"), memory_file("output")
    with open(source, "wb", buffering=0, closefd=False) as file:
        view = memoryview(text)
        while view:
            view = view[file.write(view):]
    os.lseek(source, 0, os.SEEK_SET)
    os.dup2(source, 0)
    os.dup2(sink, 1)
    os.close(source)
    sys.stdin = sys.__stdin__ = open(0, "r", encoding="utf-8", closefd=False)
    sys.stdout = sys.__stdout__ = open(1, "w", encoding="utf-8", closefd=False)
    return sink


def close_streams(sink, output_max):
    """Flushes what the program printed, and returns it; None if it is too much."""
    ours = sys.__stdout__
    for stream in (sys.stdout, ours):
        try:
            stream.flush()
        except Exception:
            pass  # The program closed it, which flushed it, or put something else in its place.
    size = os.fstat(sink).st_size
    output = None
    if size <= output_max:
        output = bytearray()
        while len(output) < size:
            output += os.pread(sink, size - len(output), len(output))
    os.close(sink)
    return output


def run_exit_functions():
    atexit._run_exitfuncs()
    atexit._clear()


class Program:
    """A program that reads its input and prints its output."""

    def __init__(self, request):
        self.code, self.is_function = program_of(request["code"])
        self.output_max = request["output_max"]
        if self.is_function:
            exec(self.code, dict(NAMES))

    def run(self, text):
        sink = open_streams(text)
        # Programs read `stdin` without importing it, or import it before they read.
        names = dict(NAMES, stdin=sys.stdin, stdout=sys.stdout, stderr=sys.stderr)
        answer = {}
        try:
            try:
                exec(self.code, names)
                if self.is_function:
                    names[BODY]()
            except SystemExit:
                pass
            run_exit_functions()
        except Exception as error:
            answer = {"error": describe(error), "traceback": trace(error)}
        try:
            output = close_streams(sink, self.output_max)
        except OSError as error:
            return {"error": describe(error), "traceback": trace(error)}, b""
        if output is None:
            return {"error": f"more than {self.output_max} bytes printed", "traceback": ""}, b""
        return answer, output


class Nowhere(io.TextIOBase):
    """Where a function prints to."""

    def writable(self):
        return True

    def write(self, text):
        return len(text)


class Function:
    """A function, or a method of the class `Solution`, that is called with its input."""

    def __init__(self, request):
        sys.stdin, sys.stdout = io.StringIO(), Nowhere()
        names = dict(NAMES, stdin=sys.stdin, stdout=sys.stdout, stderr=sys.stderr)
        exec(compile(request["code"], "<string>", "exec", dont_inherit=True), names)
        name = request["name"]
        if "class Solution" in request["code"]:
            self.function = getattr(names["Solution"](), name)
        elif name in names:
            self.function = names[name]
        else:
            raise AttributeError(f"the program has no function '{name}'")
        self.output_max = request["output_max"]

    def run(self, text):
        arguments = [json.loads(line) for line in text.decode().split("\n") if line.strip()]
        try:
            value = self.function(*arguments)
            if isinstance(value, tuple):
                value = list(value)
            output = json.dumps(encoded(value)).encode()
            shown = cut(str(value))
        except Exception as error:
            return {"error": describe(error), "traceback": trace(error)}, b""
        if len(output) > self.output_max:
            return {"error": f"more than {self.output_max} bytes returned", "traceback": ""}, b""
        return {"shown": shown}, output


def encoded(value):
    """A value as JSON that keeps apart what Python does: [kind, content]."""
    if value is None or value is True or value is False:
        return ["value", value]
    if isinstance(value, str):
        return ["value", str(value)]
    if isinstance(value, dict):
        return ["dict", [[encoded(key), encoded(item)] for key, item in value.items()]]
    if isinstance(value, (list, tuple)):
        kind = "tuple" if isinstance(value, tuple) else "list"
        return [kind, [encoded(item) for item in value]]
    # Numbers of all kinds, numpy's among them, are what they equal.
    for kind in (int, float):
        try:
            number = kind(value)
            if type(value) is kind or number == value:
                return ["value", number]
        except Exception:
            pass
    return ["other", None]


def serve(channel):
    """What a process of the sandbox does, from its start to its end."""
    sys.setrecursionlimit(50_000)
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    soft = STACK_MAX if hard == resource.RLIM_INFINITY else min(hard, STACK_MAX)
    resource.setrlimit(resource.RLIMIT_STACK, (soft, hard))
    if hasattr(sys, "set_int_max_str_digits"):
        sys.set_int_max_str_digits(50_000)
    atexit._clear()
    request = json.loads(channel.receive())
    owner = os.getpid()
    try:
        program = (Program if request["mode"] == "stdin" else Function)(request)
    except Exception as error:
        channel.send(json.dumps({"error": cut(str(error))}).encode() + b"\n")
        return
    channel.send(b"{}\n")
    while (text := channel.receive()) is not None:
        answer, output = program.run(text)
        if os.getpid() != owner:
            os._exit(0)  # A process that the program has forked, on its way out.
        channel.send(json.dumps(answer).encode() + b"\n" + output)
