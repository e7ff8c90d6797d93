"""The driver of a workspace: runs commands in folders that stay, and moves files in and out.

A request is a line of JSON, then bytes; so is its answer. Everything that touches the folders happens
here, inside, so that no link in them can lead the host anywhere.
"""

import errno
import io
import json
import os
import selectors
import signal
import subprocess
import tarfile
import time

#: How long a command's output may still come after its first process has ended.
DRAIN_SECONDS = 0.05
#: The bytes of UTF-8 that continue a character.
CONTINUATION = bytes(range(0x80, 0xC0))


def serve(channel):
    while (request := channel.receive()) is not None:
        header, _, payload = request.partition(b"\n")
        try:
            answer, content = handle(json.loads(header), payload)
        except MemoryError:
            raise
        except (OSError, ValueError, tarfile.TarError) as error:
            answer, content = {"error": f"{type(error).__name__}: {error}"}, b""
        channel.send(json.dumps(answer).encode() + b"\n" + content)


def handle(request, payload):
    if "run" in request:
        return run(request["run"])
    if "put" in request:
        for file in request["put"]:
            content, payload = payload[: file["length"]], payload[file["length"] :]
            put(file, content)
        return {}, b""
    if "read" in request:
        return read(**request["read"])
    if "pack" in request:
        return {}, pack(request["pack"])
    if "unpack" in request:
        with tarfile.open(fileobj=io.BytesIO(payload)) as archive:
            archive.extractall(request["unpack"])
        return {}, b""
    raise ValueError("unknown request")


def put(file, content):
    os.makedirs(os.path.dirname(file["path"]) or ".", exist_ok=True)
    with open(file["path"], "wb") as target:
        target.write(content)
    os.chmod(file["path"], 0o755 if file["is_executable"] else 0o644)


def read(path, length_max):
    # Not a pipe or a device, which would never end.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as source:
        if not os.path.isfile(path):
            raise OSError(errno.EINVAL, "not a file", path)
        content = source.read(length_max + 1)
    if len(content) > length_max:
        raise OSError(errno.EFBIG, f"longer than {length_max} bytes", path)
    return {}, content


def pack(folder):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as archive:
        archive.add(folder, arcname=".")
    return packed.getvalue()


def run(command):
    process = subprocess.Popen(
        command["argv"],
        cwd=command["folder"],
        env={**os.environ, **command["env"]},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    kept = Kept(command["output_max"])
    is_timed_out = not collect(process, kept, time.monotonic() + command["timeout"])
    kill_all(process)
    process.stdout.close()
    code = process.wait()
    reap()
    output, dropped = kept.finish()
    return {"code": code, "is_timed_out": is_timed_out, "dropped": dropped}, output


class Kept:
    """The first and the last bytes of an output, half of what may be kept each, in whole characters."""

    def __init__(self, size_max):
        self.head, self.tail, self.dropped = bytearray(), bytearray(), 0
        self.is_whole = True
        self.tail_max = size_max // 2
        self.head_max = size_max - self.tail_max

    def add(self, data):
        room = self.head_max - len(self.head)
        self.head += data[:room]
        self.tail += data[room:]
        excess = len(self.tail) - self.tail_max
        if excess > 0:
            self.is_whole = False
            self.dropped += characters(self.tail[:excess])
            del self.tail[:excess]

    def finish(self):
        """What was kept, and how many characters were dropped in its middle."""
        if self.is_whole:
            return bytes(self.head + self.tail), 0
        # The characters that the middle begins and ends in count as dropped.
        start = next((at for at in range(1, 5) if characters(self.head[-at:][:1])), 1)
        is_broken = bool(self.head) and not self.head[-start:].decode("utf-8", "ignore")
        head = self.head[:-start] if is_broken else self.head
        tail = self.tail[:4].lstrip(CONTINUATION) + self.tail[4:]
        return bytes(head + tail), self.dropped + is_broken


def characters(text):
    """How many characters begin in a part of a text."""
    return len(text.translate(None, CONTINUATION))


def collect(process, kept, deadline):
    """Takes the output until the command has ended; whether it has by the deadline."""
    output = process.stdout.fileno()
    os.set_blocking(output, False)
    handle = os.pidfd_open(process.pid)
    selector = selectors.DefaultSelector()
    selector.register(output, selectors.EVENT_READ)
    selector.register(handle, selectors.EVENT_READ)
    has_ended = False
    try:
        while (left := deadline - time.monotonic()) > 0:
            # Processes in the background may hold the output open for ever.
            ready = selector.select(min(left, DRAIN_SECONDS) if has_ended else left)
            if has_ended and not ready:
                return True
            for key, _ in ready:
                if key.fd == handle:
                    selector.unregister(handle)
                    has_ended = True
                elif not take(output, kept):
                    selector.unregister(output)
            if has_ended and not selector.get_map():
                return True
        return has_ended
    finally:
        os.close(handle)
        selector.close()


def take(output, kept):
    """Takes a part of the output; whether more may come."""
    try:
        data = os.read(output, 1 << 16)
    except BlockingIOError:
        return True
    kept.add(data)
    return bool(data)


def kill_all(process):
    """Kills everything that the command has started, in the background too."""
    try:
        if os.getpid() == 1:
            os.kill(-1, signal.SIGKILL)
        else:
            os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def reap():
    """Waits until everything that was killed is gone, so that the next command meets nothing of it."""
    # Only process 1 has killed all its children, and inherits those of others.
    options = 0 if os.getpid() == 1 else os.WNOHANG
    try:
        while os.waitpid(-1, options)[0]:
            pass
    except ChildProcessError:
        pass
