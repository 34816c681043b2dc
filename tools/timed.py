#!/usr/bin/env python3
"""Runs a command and says last how long it took: `timed.py CMD…`; its exit code."""

import subprocess
import sys
import time

if __name__ == "__main__":
    began = time.monotonic()
    code = subprocess.run(sys.argv[1:], check=False).returncode
    print(f"{time.monotonic() - began:.0f} s: {' '.join(sys.argv[1:])}", flush=True)
    sys.exit(code)
