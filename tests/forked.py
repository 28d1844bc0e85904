"""Programs run in processes of their own that need not import the large libraries: each is forked from one that has.

Nothing of this project is imported before the fork, so that a program may change it before it is first used.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import traceback
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

LIBRARIES = ("torch", "pandas", "scipy.sparse", "scipy.stats", "matplotlib.pyplot", "tqdm.auto", "safetensors.torch")


@dataclass
class Ended:
    """How a program ended, as `subprocess.run` tells it."""

    returncode: int
    stdout: str
    stderr: str


@contextmanager
def server(folder):
    """Gives `run(program)`, which runs Python code in a folder, each time in a new process."""
    environment = os.environ | {"MPLBACKEND": "Agg"}
    if sys.platform != "linux":                                         # elsewhere large libraries may not outlive a fork
        yield lambda program, timeout=500: subprocess.run([sys.executable, "-"], input=program, cwd=folder, text=True,
                                                          capture_output=True, env=environment, timeout=timeout)
        return
    process = subprocess.Popen([sys.executable, __file__], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               text=True, env=environment)

    def run(program, timeout=500):
        process.stdin.write(json.dumps([program, timeout]) + "\n")
        process.stdin.flush()
        return Ended(*json.loads(process.stdout.readline()))

    try:
        yield run
    finally:
        process.kill()
        process.communicate()


def serve():
    asked, told = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")       # programs get neither
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.path[0] = ""                                                    # as for a program that is read from stdin
    for name in LIBRARIES:
        import_module(name)
    for line in asked:
        program, timeout = json.loads(line)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            child = os.fork()
            if child == 0:
                told.close()
                run(program, timeout, out, err)
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            texts = []
            for file in (out, err):
                file.seek(0)
                texts.append(file.read().decode(errors="replace"))
        told.write(json.dumps([code, *texts]) + "\n")
        told.flush()


def run(program, timeout, out, err):
    """In the new process: run the program and end as Python would."""
    signal.alarm(timeout)
    os.dup2(out.fileno(), 1)
    os.dup2(err.fileno(), 2)
    main = sys.modules["__main__"] = ModuleType("__main__")
    code = 0
    try:
        exec(compile(program, "<stdin>", "exec"), vars(main))
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    serve()
