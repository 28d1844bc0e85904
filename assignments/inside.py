"""What runs inside the sandbox: one notebook, cell by cell.

Reads {"cells": [source, ...], "limits": {...}} from standard input and writes one line of JSON a cell to standard
output as soon as the cell is done, so that what was reached is known however the run ends. Imports nothing of this
project: all that it sees of it is the installed package.
"""

import ctypes
import json
import os
import platform
import resource
import sys
import time
from subprocess import DEVNULL

sys.modules["rfc3987_syntax"] = None    # jsonschema does without: a second's import, for addresses no notebook has

import nbformat  # noqa: E402
from nbclient import NotebookClient  # noqa: E402
from nbclient.exceptions import DeadKernelError  # noqa: E402

PRINTED = ("stream", "display_data", "execute_result", "update_display_data")
TIMED_OUT = {"ename": "TimeoutError", "evalue": "", "status": "error",
             "traceback": ["TimeoutError: the cell took too long and was stopped."]}


class Client(NotebookClient):
    """Drops what a cell prints beyond `limit` characters, and tells of every cell that failed."""

    limit = 100_000

    def process_message(self, message, cell, index):
        if message["msg_type"] in PRINTED:
            self.printed = getattr(self, "printed", 0) + len(json.dumps(message["content"], default=str))
            if self.printed > self.limit:
                return None
        return super().process_message(message, cell, index)

    def run(self, cell, index):
        """The outputs of one cell; "error" if it failed, whether or not it shows an error; whether it was stopped."""
        self.printed, start = 0, time.monotonic()
        self.execute_cell(cell, index, store_history=False)
        late = time.monotonic() - start > self.timeout
        outputs = [dict(output) for output in cell.outputs]
        if self.printed > self.limit:
            outputs.append({"output_type": "stream", "name": "stdout",
                            "text": f"\n[stopped showing after {self.limit:,} characters]\n"})
        reply = self.reply["content"]
        if reply["status"] == "error" and not any(output["output_type"] == "error" for output in outputs):
            outputs.append({"output_type": "error", "ename": reply.get("ename", ""), "evalue": reply.get("evalue", ""),
                            "traceback": []})               # its message was lost, for want of memory, say
        return outputs, reply["status"], late


def remember(client):
    def executed(cell, cell_index, execute_reply):
        client.reply = execute_reply
    return executed


def alone():
    """Keep the kernel, which has the same user, out of this process, and let it find no messages of other runs."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    libc.prctl(4, 0, 0, 0, 0)                           # PR_SET_DUMPABLE: /proc/<pid>/fd of this process is shut
    keyctl = {"x86_64": 250, "aarch64": 219}.get(platform.machine())
    if keyctl:
        libc.syscall(keyctl, 1, None)                   # KEYCTL_JOIN_SESSION_KEYRING: a new one


def main():
    alone()
    channel = os.fdopen(os.dup(1), "w")                 # the kernel gets neither this copy nor the original
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    asked = json.load(sys.stdin)
    limits = asked["limits"]
    resource.setrlimit(resource.RLIMIT_DATA, (limits["memory"], limits["memory"]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits["disk"], limits["disk"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in asked["cells"]])
    client = Client(notebook, timeout=limits["cell"], interrupt_on_timeout=True, error_on_timeout=TIMED_OUT,
                    allow_errors=True, kernel_name="python3", startup_timeout=60)
    client.on_cell_executed = remember(client)

    def tell(**what):
        channel.write(json.dumps(what, default=str) + "\n")
        channel.flush()

    with client.setup_kernel(stdout=DEVNULL, stderr=DEVNULL):
        for index, cell in enumerate(notebook.cells):
            try:
                outputs, status, late = client.run(cell, index)
            except DeadKernelError:
                tell(cell=index, died=True)
                break
            tell(cell=index, outputs=outputs, status=status, late=late)
    tell(end=True)
    os._exit(0)


if __name__ == "__main__":
    main()
