"""Compiles a C++ program and runs it on one input after another.

This runs in the sandbox, in a process that serves one program and ends with it. The first message says
what to compile: {"code", "compiler", "output_max", "cpu_secs"}. Each further message is one input. An answer is a
line of JSON and, after it, what came out. Expected outputs never come here.
"""

import json
import os
import resource
import signal
import subprocess

ERROR_MAX = 4000
#: Where compilers look for their parts, and the assembler and linker are.
SEARCHED = "/usr/local/bin:/usr/bin:/bin"


def compiled(request):
    """Compiles the program, and returns what the compiler has against it."""
    with open("program.cpp", "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(request["code"])
    command = [*request["compiler"], "-o", "program", "program.cpp"]
    try:
        ended = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**os.environ, "PATH": SEARCHED, "TMPDIR": os.getcwd()},
        )
    except OSError as error:
        return f"the compiler does not run: {error}"
    text = ended.stdout.decode(errors="replace")
    return (text[:ERROR_MAX] or f"the compiler ended with {ended.returncode}") if ended.returncode else None


def run(text, output_max, cpu_secs):
    def limit():
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_secs, cpu_secs + 1))

    with open("input", "wb") as source:
        source.write(text)
    with open("input", "rb") as source, open("output", "w+b") as sink:
        try:
            ended = subprocess.run(
                ["./program"], stdin=source, stdout=sink, stderr=subprocess.DEVNULL,
                start_new_session=True, preexec_fn=limit,
            )
        except OSError as error:
            return {"error": f"the program does not run: {error}"}, b""
        size = os.fstat(sink.fileno()).st_size
        if size > output_max:
            return {"error": f"more than {output_max} bytes printed"}, b""
        sink.seek(0)
        output = sink.read()
    if ended.returncode == -signal.SIGXCPU:
        return {"timed_out": True}, b""
    if ended.returncode < 0:
        return {"error": f"killed by {signal.Signals(-ended.returncode).name}"}, output
    if ended.returncode:
        return {"error": f"ended with exit code {ended.returncode}"}, output
    return {}, output


def serve(channel):
    """What a process of the sandbox does, from its start to its end."""
    request = json.loads(channel.receive())
    hard = resource.getrlimit(resource.RLIMIT_STACK)[1]
    resource.setrlimit(resource.RLIMIT_STACK, (hard, hard))
    error = compiled(request)
    if error is not None:
        channel.send(json.dumps({"error": error}).encode() + b"\n")
        return
    channel.send(b"{}\n")
    while (text := channel.receive()) is not None:
        answer, output = run(text, request["output_max"], request["cpu_secs"])
        channel.send(json.dumps(answer).encode() + b"\n" + output)
        if os.getpid() == 1:
            # Whatever the program left behind; only a sandbox's first process may say so.
            try:
                os.kill(-1, signal.SIGKILL)
            except ProcessLookupError:
                pass
