"""``python -m tasks.imported NAME``: what an interpreter takes that has imported a framework, and does nothing with it.

It imports what the framework's worker imports for its tasks, and prints what memory it has itself as one JSON line:
``rss_bytes``, ``pss_bytes``, ``uss_bytes``.
"""

import json
import os
import sys

from tasks.contract import load_framework
from tasks.proc_files import memory_bytes

if __name__ == "__main__":
    load_framework(sys.argv[1])
    print(json.dumps(dict(zip(("rss_bytes", "pss_bytes", "uss_bytes"), memory_bytes(os.getpid()), strict=True))))
