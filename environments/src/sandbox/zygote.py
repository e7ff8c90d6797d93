"""The first program of a sandbox: imports what executions need once, then forks one per execution.

Rust starts it as the launcher, inside fresh namespaces, with the control socket as its standard input.
The launcher forks the zygote, which is process 1 of the sandbox, so that its end is everybody's end.
An execution is a fork of the zygote in a process and mount namespace of its own; it gives up
everything that it does not need before it touches foreign code, and any step that fails ends it.

In a container it is the only program, and serves one execution itself: what keeps that inside is the
container, made for it and thrown away with it.
"""

import ctypes
import gc
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
import threading  # So that it is not imported by each execution.

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWPID = 0x00020000, 0x10000000, 0x20000000
CLONE_NEWNET, CLONE_NEWIPC = 0x40000000, 0x08000000
MS_NOSUID, MS_NODEV, MS_NOEXEC = 2, 4, 8
MNT_DETACH = 2
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP = 1, 4, 22, 24
PR_SET_SECUREBITS, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 28, 36, 38, 47
SECCOMP_MODE_FILTER = 2
# noroot, no_setuid_fixup and no_cap_ambient_raise, each with its lock.
SECUREBITS_ALL = 0b11001111
CAPABILITY_LAST = 63
CHANNEL = 3
#: How an execution ends that could not be confined, and one that ran out of memory.
EXIT_UNCONFINED, EXIT_OUT_OF_MEMORY = 119, 118

libc = ctypes.CDLL(None, use_errno=True)


def checked(result, what):
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def prctl(option, *arguments):
    values = [ctypes.c_ulong(value) for value in (*arguments, 0, 0, 0, 0)[:4]]
    return libc.prctl(option, *values)


def mount(source, target, kind, flags, options):
    encoded = [text.encode() if text is not None else None for text in (source, target, kind, options)]
    source, target, kind, options = encoded
    checked(libc.mount(source, target, kind, ctypes.c_ulong(flags), options), f"mount {kind.decode()}")


class Channel:
    """Frames to and from the host: a length of four bytes, the most significant first, then as many."""

    def __init__(self, stream):
        self._stream = stream

    def receive(self):
        """The next frame, or None once the host has no more."""
        header = self._exactly(4)
        return None if header is None else self._exactly(int.from_bytes(header, "big"))

    def send(self, frame):
        self._stream.sendall(len(frame).to_bytes(4, "big") + frame)

    def _exactly(self, count):
        taken = bytearray()
        while len(taken) < count:
            part = self._stream.recv(min(count - len(taken), 1 << 20))
            if not part:
                return None
            taken += part
        return bytes(taken)


class Pipes:
    """What a container has in place of a socket."""

    def __init__(self, source, sink):
        self._source, self._sink = source, sink

    def recv(self, count):
        return os.read(self._source, count)

    def sendall(self, data):
        view = memoryview(data)
        while view:
            view = view[os.write(self._sink, view) :]


class Filter:
    """A seccomp program, ready to be installed."""

    class Program(ctypes.Structure):
        _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_void_p)]

    def __init__(self, text):
        code = bytes.fromhex(text)
        self._code = ctypes.create_string_buffer(code, len(code))
        self._program = self.Program(len(code) // 8, ctypes.addressof(self._code))

    def install(self):
        address = ctypes.addressof(self._program)
        checked(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, address), "seccomp")


class Landlock:
    """Rules by which files are found: all may be read, some folders written."""

    class Attributes(ctypes.Structure):
        _fields_ = [("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scope", ctypes.c_uint64)]

    class PathBeneath(ctypes.Structure):
        _pack_ = 1
        _fields_ = [("access", ctypes.c_uint64), ("folder", ctypes.c_int32)]

    CREATE, ADD, RESTRICT = 444, 445, 446

    def __init__(self, config):
        self._attributes = self.Attributes(config["files"], config["network"], config["scope"])
        self._size = config["size"]
        self._rules = config["rules"]

    def restrict(self):
        ruleset = libc.syscall(
            ctypes.c_long(self.CREATE), ctypes.byref(self._attributes), ctypes.c_size_t(self._size), 0
        )
        checked(ruleset, "landlock_create_ruleset")
        for path, access in self._rules:
            folder = os.open(path, os.O_PATH | os.O_CLOEXEC)
            rule = self.PathBeneath(access, folder)
            added = libc.syscall(ctypes.c_long(self.ADD), ruleset, 1, ctypes.byref(rule), 0)
            checked(added, f"landlock_add_rule {path}")
            os.close(folder)
        checked(libc.syscall(ctypes.c_long(self.RESTRICT), ruleset, 0), "landlock_restrict_self")
        os.close(ruleset)


class Driver:
    """The driver of a profile, with what it has imported."""

    def __init__(self, config):
        self.filters = [Filter(text) for text in config["filters"]]
        self.missing = [name for name in config["preload"] if not preload(name)]
        self.namespace = {"__name__": "driver", "missing": frozenset(self.missing)}
        exec(compile(config["driver"], "<driver>", "exec"), self.namespace)
        gc.collect()
        gc.freeze()

    def run(self, frames, confine):
        """An execution, from its confinement to its end."""
        code = 1
        try:
            try:
                confine()
            except BaseException as error:
                frames.send(f"not confined: {error}".encode())
                os._exit(EXIT_UNCONFINED)
            frames.send(b"")
            self.namespace["serve"](frames)
            code = 0
        except MemoryError:
            code = EXIT_OUT_OF_MEMORY
        except SystemExit:
            code = 0
        finally:
            os._exit(code)

    def limit(self, resources):
        checked(prctl(PR_SET_DUMPABLE, 0), "dumpable")
        for name, value in resources.items():
            number = getattr(resource, name, None)
            if number is not None:
                resource.setrlimit(number, (value, value))

    def filter(self):
        for program in self.filters:
            program.install()


class Zygote:
    """Forks executions, tells of their ends, and kills those that it is told to."""

    def __init__(self, control, config):
        self.control = control
        self.isolated = config["isolated"]
        self.programs = config["programs"]
        self.has_processes = self.isolated and self.programs and cover_processes()
        self.folders = config["folders"]
        self.landlock = Landlock(config["landlock"]) if config["landlock"] else None
        self.running = {}
        self.driver = Driver(config)
        self.itself = os.pidfd_open(os.getpid())

    def serve(self):
        woken, wakes = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        poll = select.poll()
        poll.register(woken, select.POLLIN)
        poll.register(self.control, select.POLLIN)
        self.tell({"ready": {"missing": self.driver.missing}}, self.itself)
        while True:
            for ready, _ in poll.poll():
                if ready == woken:
                    drain(woken)
                    self.reap()
                elif not self.obey():
                    return

    def tell(self, message, *descriptors):
        data = [json.dumps(message).encode()]
        socket.send_fds(self.control, data, descriptors) if descriptors else self.control.send(data[0])

    def obey(self):
        """Takes one message; whether there may be more."""
        data, descriptors, _, _ = socket.recv_fds(self.control, 1 << 16, 1, socket.MSG_CMSG_CLOEXEC)
        if not data:
            return False
        message = json.loads(data)
        if "start" in message:
            self.start(message["start"], message["limits"], descriptors[0])
        return True

    def start(self, number, limits, channel):
        try:
            if self.isolated:
                checked(libc.setns(self.itself, CLONE_NEWPID), "setns")
                checked(libc.unshare(CLONE_NEWPID), "unshare")
            pid = os.fork()
        except OSError as error:
            os.close(channel)
            self.tell({"refused": number, "error": str(error)})
            return
        if pid == 0:
            self.execute(channel, limits)
        os.close(channel)
        handle = os.pidfd_open(pid)
        self.running[pid] = number
        self.tell({"started": number}, handle)
        os.close(handle)

    def reap(self):
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            number = self.running.pop(pid, None)
            if number is None:
                continue
            cpu = usage.ru_utime + usage.ru_stime
            if not self.isolated:
                kill_group(pid)
            self.tell({"ended": number, "status": status, "cpu": cpu, "memory": usage.ru_maxrss * 1024})

    def execute(self, channel, limits):
        """An execution, from the fork to its end."""
        try:
            frames = Channel(self.detach(channel))
            self.driver.run(frames, lambda: self.confine(limits))
        finally:
            os._exit(1)

    def detach(self, channel):
        """Lets go of everything that belongs to the zygote, except memory."""
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        self.control.detach()
        os.dup2(channel, CHANNEL, inheritable=False)
        os.closerange(CHANNEL + 1, 1 << 20)
        os.setsid()
        return socket.socket(fileno=CHANNEL)

    def confine(self, limits):
        if self.isolated:
            # Without sockets and shared memory, which are filtered, there is nothing to keep apart.
            apart = CLONE_NEWNET | CLONE_NEWIPC if self.programs else 0
            checked(libc.unshare(CLONE_NEWNS | apart), "unshare")
            for path, size in self.folders:
                flags = MS_NOSUID | MS_NODEV | (0 if self.programs else MS_NOEXEC)
                mount("tmpfs", path, "tmpfs", flags, f"size={size},nr_inodes={16 + size // 4096},mode=700")
            if self.has_processes:
                mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, None)
            checked(libc.unshare(CLONE_NEWUSER), "unshare user")
            drop_capabilities()
        os.chdir(self.folders[-1][0])
        self.driver.limit(limits["resources"])
        if self.landlock:
            self.landlock.restrict()
        self.driver.filter()


def preload(name):
    """Imports a module; whether there is one."""
    try:
        __import__(name)
        return True
    except ImportError:
        return False


def drain(descriptor):
    try:
        while os.read(descriptor, 4096):
            pass
    except BlockingIOError:
        pass


def kill_group(pid):
    try:
        os.killpg(pid, signal.SIGKILL)
    except OSError:
        pass


def drop_capabilities():
    checked(prctl(PR_SET_SECUREBITS, SECUREBITS_ALL), "securebits")
    for capability in range(CAPABILITY_LAST + 1):
        if prctl(PR_CAPBSET_DROP, capability) < 0:
            break
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    checked(libc.capset(header, (ctypes.c_uint32 * 6)()), "capset")


def cover_processes():
    """Hides the host's view of processes, which had to be there for the kernel to permit another."""
    try:
        mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, None)
        return True
    except OSError:
        mount("tmpfs", "/proc", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4k,mode=555")
        return False


def contained():
    """The only program of a container: told what it is, it serves one execution and ends."""
    source, sink = CHANNEL, CHANNEL + 1
    os.dup2(0, source, inheritable=False)
    os.dup2(1, sink, inheritable=False)
    # Some engines hand on what the host forgot to close.
    os.closerange(sink + 1, 1 << 20)
    frames = Channel(Pipes(source, sink))
    go_nowhere(0, 1)
    config = frames.receive()
    if config is None:
        return
    driver = Driver(json.loads(config))
    with open("/proc/self/statm") as pages:
        memory = int(pages.read().split()[0]) * resource.getpagesize()
    frames.send(json.dumps({"missing": driver.missing, "memory": memory}).encode())
    go_nowhere(2)
    limits = frames.receive()
    if limits is None:
        return

    def confine():
        checked(prctl(PR_SET_NO_NEW_PRIVS, 1), "no_new_privs")
        driver.limit(json.loads(limits)["resources"])
        driver.filter()

    driver.run(frames, confine)


def go_nowhere(*descriptors):
    nowhere = os.open("/dev/null", os.O_RDWR)
    for descriptor in descriptors:
        os.dup2(nowhere, descriptor)
    os.close(nowhere)


def main():
    if sys.argv[1:] == ["contained"]:
        return contained()
    zygote = os.fork()
    if zygote:
        os.close(0)
        _, status = os.waitpid(zygote, 0)
        code = os.waitstatus_to_exitcode(status)
        os._exit(code if code >= 0 else 128 - code)
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    control = socket.socket(fileno=os.dup(0))
    go_nowhere(0, 1)
    config = json.loads(control.recv(1 << 20))
    # Its own input and output are nowhere; what it has to say before it is ready goes to the host's log.
    zygote = Zygote(control, config)
    go_nowhere(2)
    zygote.serve()


main()
