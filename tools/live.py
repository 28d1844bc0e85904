"""Writes the numbers of the live figures: `_static/live/NAME.data.js`, and the static frame `chapters/figures/live-NAME.*`.

    python tools/live.py [NAME ...]     then `make live`, which bundles the programs beside them

A figure's module in `tools/live_figures/` has `export()`, which returns (arrays, values), and `draw(folder)`, which
saves the frame. Arrays are stored in the type that they have: float16, float32, uint8, uint16, int16 or int32. Values are what
JSON holds. The version is a digest of all of it, and a program that was bundled beside another version refuses it.
"""

import base64
import hashlib
import importlib
import json
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
FOLDER, FRAMES = ROOT / "_static" / "live", ROOT / "chapters" / "figures"
MODULES = Path(__file__).parent / "live_figures"
KINDS = {"float16": "f2", "float32": "f4", "uint8": "u1", "uint16": "u2", "int16": "i2", "int32": "i4"}


def names():
    return sorted(path.stem for path in MODULES.glob("*.py") if not path.stem.startswith("_"))


def script(name, arrays, values):
    """The text of a data script."""
    stored = {key: {"kind": KINDS[array.dtype.name], "shape": list(array.shape),
                    "base64": base64.b64encode(np.ascontiguousarray(array)).decode()}
              for key, array in arrays.items()}
    content = json.dumps({"arrays": stored, "values": values}, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    version = hashlib.sha256(content.encode()).hexdigest()[:12]
    return f'window.recbookLive.data["{name}"]={{"version":"{version}",{content[1:]};\n'


def stored(name, folder=FOLDER):
    """(arrays, values) of a data script as a page reads them."""
    text = (folder / f"{name}.data.js").read_text(encoding="utf-8")
    content = json.loads(text[text.index("=") + 1:].rstrip(";\n"))
    kinds = {short: kind for kind, short in KINDS.items()}
    arrays = {key: np.frombuffer(base64.b64decode(one["base64"]), kinds[one["kind"]]).reshape(one["shape"])
              for key, one in content["arrays"].items()}
    return arrays, content["values"]


def main(chosen):
    unknown = set(chosen) - set(names())
    if unknown:
        sys.exit(f"There is no live figure {min(unknown)}; there are {', '.join(names())}.")
    FOLDER.mkdir(exist_ok=True)
    for name in chosen or names():
        module = importlib.import_module(f"live_figures.{name}")
        text = script(name, *module.export())
        (FOLDER / f"{name}.data.js").write_text(text, encoding="utf-8")
        module.draw(FRAMES)
        print(f"{name}: {len(text) / 1000:.0f} kB of data")


if __name__ == "__main__":
    main(sys.argv[1:])
