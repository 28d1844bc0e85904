"""An exported model behind KServe's server, asked over the Open Inference Protocol v2: python benchmarks/model_server.py

Run by itself, a minute; the first run makes an environment of its own for KServe and tritonclient, `.venv-servers`
(`requirements-servers.txt`); RECBOOK_SERVERS=FOLDER names one that is there. A GRU4Rec is trained on the shop and exported
to ONNX. KServe's Python server (ONNX Runtime inside) answers; NVIDIA's tritonclient, which is no part of KServe, asks a
hundred questions of many sizes. The scores are compared with those of the model in PyTorch.
"""

import json
import os
import socket
import subprocess
import tempfile
import time
import urllib.request
import venv
from pathlib import Path

import common
import numpy as np
from model_server_side import MODEL

NAME = "model_server"
TITLE = "An exported model behind KServe, asked by tritonclient"
PROTOCOL = ("Open Inference Protocol v2 over HTTP on loopback, a hundred questions of 1 to 64 histories of 1 to 50 events; "
            "scores beside those of the model in PyTorch")
QUESTIONS, SIDE = 100, common.HERE / "model_server_side.py"


def servers_python():
    """The Python of the servers' environment; made and filled when it is absent."""
    folder = Path(os.environ.get("RECBOOK_SERVERS") or common.HERE.parent / ".venv-servers")
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "-r", common.HERE / "requirements-servers.txt"], check=True)
    return python


def make_files(folder):
    """Train and export the model, and write the questions down: (shop, the model's own scores for each)."""
    import recbook
    import torch

    shop = recbook.load("shop")
    split = recbook.by_time(shop)
    recbook.seed_everything(0)
    model = recbook.GRU4Rec(shop.n_users, shop.n_items, dim=32, hidden=64, length=50)
    recbook.fit(model, split, epochs=1, batch_size=4096, learning_rate=0.01, progress=False)
    recbook.export(model, folder / f"{MODEL}.onnx")
    rng, questions, scores = np.random.default_rng(0), {}, {}
    for number in range(QUESTIONS):
        first, count, length = int(rng.integers(500)), int(rng.integers(1, 65)), int(rng.integers(1, 51))
        context = split.test.context(slice(first, first + count), length=length)
        questions[str(number)] = context.items.numpy()
        with torch.no_grad():
            scores[str(number)] = model.scores(context).numpy()
    np.savez(folder / "questions.npz", **questions)
    return shop, scores


def wait_for(address, server, seconds=120):
    """Until the server answers that it is ready."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"the server is not ready at {address}")


def main():
    import recbook

    start = time.perf_counter()
    python = servers_python()
    with tempfile.TemporaryDirectory(prefix="recbook-model-server-") as name, socket.socket() as free:
        folder = Path(name)
        shop, scores = make_files(folder)
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
        free.close()
        with open(folder / "log", "w") as log:
            server = subprocess.Popen([python, SIDE, "serve", folder, port], stdout=log, stderr=log)
        try:
            wait_for(f"http://127.0.0.1:{port}/v2/models/{MODEL}/ready", server)
            asked = subprocess.run([python, SIDE, "ask", folder, port], check=True, text=True, capture_output=True)
        except (RuntimeError, subprocess.CalledProcessError) as problem:
            raise SystemExit(f"{problem}\n{getattr(problem, 'stderr', '')}\n{(folder / 'log').read_text()}") from None
        finally:
            server.kill()
            server.wait()
        learned, told = json.loads(asked.stdout.splitlines()[-1]), np.load(folder / "told.npz")
        largest = max(float(abs(told[number] - own).max()) for number, own in scores.items())
        best = sum(int((told[number].argmax(1) == own.argmax(1)).sum()) for number, own in scores.items())
        lists = sum(map(len, scores.values()))
    if not learned["ready"] or len(learned["refused"]) != 2:
        raise SystemExit(f"the server answered otherwise than the protocol asks: {learned}")
    print(learned["metadata"], learned["refused"])
    versions = subprocess.run([python, "-m", "pip", "list", "--format=json"], check=True, text=True, capture_output=True).stdout
    versions = {each["name"]: each["version"] for each in json.loads(versions) if each["name"] in ("kserve", "tritonclient", "onnxruntime")}
    measured = {"largest difference": {"value": largest}, "questions": {"value": len(scores)}, "histories": {"value": lists},
                "same first item": {"value": best}}
    row = {"title": "GRU4Rec, KServe's Python server", "measured": measured, "published": {}, "source": "",
           "settings": {"versions": versions, "metadata": learned["metadata"], "refused": learned["refused"]},
           "targets": {"largest difference": 1e-4}}
    recbook.results.save(NAME, TITLE, PROTOCOL, {"kserve": row}, shop, time.perf_counter() - start)
    print(measured)


if __name__ == "__main__":
    main()
