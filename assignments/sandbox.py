"""Running a student's notebook where it can do no harm.

Every run has a sandbox of its own, made by bubblewrap and thrown away: a view of the file system that holds Python, the
installed packages and an empty /tmp; no network; no other processes; limits on time, memory, files and output. Nothing
comes out but what the cells show. That is read as data from a stranger: sizes are bounded, only plain text and PNG
pictures are kept.
"""

import base64
import binascii
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from nbformat.v4 import new_output

HERE = Path(__file__).resolve().parent
SYSTEM = ("/usr", "/bin", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts", "/etc/localtime")
LONGEST, PICTURE, RESULT = 20_000, 400_000, 16 * 2**20     # characters of a text and of a picture; bytes of a run
OUTPUTS = 100                                               # a cell
MACHINE = ("/proc/sys", "/proc/irq", "/proc/bus", "/proc/fs")   # root could write there, also from a sandbox


class NoSandbox(Exception):
    """There is no bubblewrap here, or it does not work."""


@dataclass(frozen=True)
class Limits:
    """What a notebook may use: seconds a cell and in all, bytes of memory and of files, threads of all processes."""

    cell: int = 60
    total: int = 240
    memory: int = 4 * 2**30
    disk: int = 256 * 2**20
    threads: int = 400


def available():
    """Why there is no sandbox, in a sentence; None if there is one."""
    if shutil.which("bwrap") is None:
        return "bubblewrap is not installed (Debian, Ubuntu: apt install bubblewrap)."
    found = subprocess.run([*bubblewrap(Limits()), "true"], capture_output=True, text=True)
    return None if found.returncode == 0 else f"bubblewrap does not work here: {found.stderr.strip()}"


def bubblewrap(limits):
    """The command line before the command."""
    import recbook

    size = ["--size", str(limits.disk // 2)]            # one half for /tmp, one for /dev/shm
    python = dict.fromkeys(os.path.realpath(prefix) for prefix in (sys.prefix, sys.base_prefix))
    seen = dict.fromkeys([*SYSTEM, *python, sys.prefix, str(Path(recbook.__file__).resolve().parent)])
    line = ["bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL"]
    line += [*size, "--tmpfs", "/tmp"]                  # before what may lie in it: a checkout in /tmp
    for path in seen:
        line += ["--ro-bind-try", path, path]
    line += ["--proc", "/proc"]
    for path in MACHINE:
        line += ["--ro-bind-try", path, path]
    line += ["--dev", "/dev", *size, "--tmpfs", "/dev/shm", "--remount-ro", "/dev",
             "--ro-bind", str(HERE / "inside.py"), "/run/inside.py", "--remount-ro", "/",
             "--chdir", "/tmp"]
    for name, value in environment().items():
        line += ["--setenv", name, value]
    return line


def environment():
    """Variables that the notebook sees: none of the grader's own."""
    return {"HOME": "/tmp", "TMPDIR": "/tmp", "IPYTHONDIR": "/tmp/ipython", "JUPYTER_RUNTIME_DIR": "/tmp/jupyter",
            "MPLCONFIGDIR": "/tmp/matplotlib", "PATH": f"{sys.prefix}/bin:/usr/bin:/bin", "LANG": "C.UTF-8",
            "PYTHONWARNINGS": "ignore", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1",
            "TF_CPP_MIN_LOG_LEVEL": "2", "TF_ENABLE_ONEDNN_OPTS": "0"}


def run(sources, limits=Limits(), unprotected=False):
    """Run code cells one after the other.

    Parameters
    ----------
    sources : list of str
    limits : Limits
    unprotected : bool
        Without a sandbox, as the instructor's own user: only for code that is trusted.

    Returns
    -------
    outputs : list of list
        The outputs of each cell (nbformat). A cell that failed ends with an error; so do all cells that were not
        reached, and the first of them says why.

    Raises
    ------
    NoSandbox
        If there is none, and `unprotected` is not said.
    """
    if unprotected:
        command, options = [sys.executable, str(HERE / "inside.py")], {"env": {**os.environ, **environment()}}
    else:
        why = available()
        if why:
            raise NoSandbox(why)
        command, options = [*bubblewrap(limits), f"{sys.prefix}/bin/python", "/run/inside.py"], {}
    asked = {"cells": list(sources), "limits": {"cell": limits.cell, "memory": limits.memory, "disk": limits.disk}}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               start_new_session=True, **options)
    watch = Watch(process, limits)
    watch.start()
    lines, size = [], 0
    try:
        process.stdin.write(json.dumps(asked).encode())
        process.stdin.close()
        while size < RESULT and (line := process.stdout.readline(RESULT)):
            size += len(line)
            lines.append(line)
    except BrokenPipeError:
        pass
    finally:
        kill(process)
        watch.join()
    if size >= RESULT:
        watch.why = "it wrote too much"
    return assemble(lines, len(sources), watch.why, limits)


class Watch(threading.Thread):
    """Ends a run that takes too long, too much memory or too many threads; `why` says which."""

    def __init__(self, process, limits):
        super().__init__(daemon=True)
        self.process, self.limits, self.why = process, limits, ""

    def run(self):
        start = time.monotonic()
        while self.process.poll() is None:
            memory, threads = usage(self.process.pid)
            if time.monotonic() - start > self.limits.total:
                self.why = f"the notebook took more than {self.limits.total} seconds in all"
            elif memory > self.limits.memory:
                self.why = too_much(self.limits)
            elif threads > self.limits.threads:
                self.why = f"it started more than {self.limits.threads} threads"
            if self.why:
                kill(self.process)
                return
            time.sleep(0.1)


def too_much(limits):
    return f"it took more than {limits.memory / 2**30:.1f} GB of memory"


def usage(pid):
    """Bytes of memory and number of threads of a run."""
    memory, threads = 0, 0
    try:
        for process in psutil.Process(pid).children(recursive=True):
            try:
                memory += process.memory_info().rss
                threads += process.num_threads()
            except psutil.NoSuchProcess:
                pass
    except psutil.NoSuchProcess:
        pass
    return memory, threads


def kill(process):
    """End a run with all its processes: in a sandbox they go with the first one."""
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    for member in [process, *family]:
        try:
            member.kill()
        except (psutil.NoSuchProcess, ProcessLookupError):
            pass
    process.wait()


def assemble(lines, n_cells, why, limits=Limits()):
    """The outputs of each cell from what the run told of itself, which may be anything."""
    outputs = [None] * n_cells
    for line in lines:
        try:
            told = json.loads(line)
            index = told.get("cell")
        except (ValueError, AttributeError, RecursionError):
            continue
        if not isinstance(index, int) or not 0 <= index < n_cells or outputs[index] is not None:
            continue
        if told.get("died"):
            why = why or "the kernel died: it was ended, or took too much memory"
            continue
        found = told.get("outputs")
        found = found[:OUTPUTS] if isinstance(found, list) else []
        outputs[index] = [known for output in found if (known := checked(output))]
        if told.get("late"):
            outputs[index].append(failure("Stopped", "the cell took too long"))
        elif any(map(out_of_memory, outputs[index])):           # it met the limit before the watch
            outputs[index].append(failure("Stopped", too_much(limits)))
        if told.get("status") != "ok" and not any(output.output_type == "error" for output in outputs[index]):
            outputs[index].append(failure("Error", "the cell failed and shows no error"))
    missing = [index for index, known in enumerate(outputs) if known is None]
    for place, index in enumerate(missing):
        outputs[index] = [failure("Stopped", why or "the run ended early") if place == 0
                          else failure("NotReached", "an earlier cell ended the run")]
    return outputs


def out_of_memory(output):
    """Whether an error says that there was no memory, as Python, NumPy, PyTorch or the system put it."""
    return output.output_type == "error" and (output.ename.endswith("MemoryError") or "allocate memory" in output.evalue)


def checked(output):
    """One output as nbformat wants it, cut to size; None for what is not shown."""
    kind = output.get("output_type") if isinstance(output, dict) else None
    if kind == "stream":                            # a warning is no mistake: all text is standard output
        return new_output("stream", name="stdout", text=cut(output.get("text")))
    if kind == "error":
        traceback = output.get("traceback")
        lines = [cut(line) for line in traceback[-100:]] if isinstance(traceback, list) else []
        return new_output("error", ename=cut(output.get("ename")), evalue=cut(output.get("evalue")),
                          traceback=lines or [cut(output.get("ename"))])
    if kind in ("display_data", "execute_result"):
        data = output.get("data")
        kept = {}
        if isinstance(data, dict):
            if "text/plain" in data:
                kept["text/plain"] = cut(data["text/plain"])
            if is_picture(data.get("image/png")):
                kept["image/png"] = data["image/png"]
        return new_output("display_data", data=kept) if kept else None
    return None


def failure(name, why):
    return new_output("error", ename=name, evalue=why, traceback=[f"{name}: {why}."])


def cut(text):
    text = "".join(map(str, text)) if isinstance(text, list) else str(text)
    text = re.sub(r"[^\x09\x0a\x1b\x20-\x7e\xa0-\ud7ff\ue000-\U0010ffff]", "", text[:2 * LONGEST])
    return text if len(text) <= LONGEST else text[:LONGEST] + "\n[cut off]"


def is_picture(data):
    try:
        return (isinstance(data, str) and len(data) < PICTURE
                and base64.b64decode("".join(data.split()), validate=True).startswith(b"\x89PNG"))
    except (binascii.Error, ValueError):
        return False
