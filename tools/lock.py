"""Print the lock file: what is installed here, as any machine can install it."""

import re
import subprocess
import sys

ON_LINUX_X86 = "sys_platform == 'linux' and platform_machine == 'x86_64'"

frozen = subprocess.run([sys.executable, "-m", "pip", "freeze", "--exclude", "recbook"], check=True,
                        capture_output=True, text=True).stdout
print("# Made by `make lock`: exact versions of everything, for Python 3.11 and newer.")
print(f"setuptools=={__import__('setuptools').__version__}")
for line in frozen.splitlines():
    name, version = re.fullmatch(r"([\w.-]+)==([\w.]+)(?:\+\w+)?", line).groups()     # without a local build's "+cpu"
    if name.replace("_", "-") == "tensorflow-cpu":  # half the size, where it exists
        print(f"tensorflow-cpu=={version} ; {ON_LINUX_X86}")
        print(f"tensorflow=={version} ; sys_platform != 'linux' or platform_machine != 'x86_64'")
    elif name not in ("setuptools", "pip"):
        print(line if "+" not in line else f"{name}=={version}")
