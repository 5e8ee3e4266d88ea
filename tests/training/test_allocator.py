import platform
import subprocess
import sys

import pytest

from inkwise.training.allocator import keep_freed_memory

GLIBC = platform.libc_ver()[0] == "glibc"

# Uses and frees one large block again and again, and prints how many pages the kernel had to map.
COUNT_PAGE_FAULTS = """
import ctypes, resource, sys
from inkwise.training.allocator import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
def use(size):
    block = ctypes.c_void_p(libc.malloc(ctypes.c_size_t(size)))
    ctypes.memset(block, 1, size)
    libc.free(block)
use(64 << 20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    use(64 << 20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(how: str) -> int:
    command = [sys.executable, "-c", COUNT_PAGE_FAULTS, how]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout)


@pytest.mark.skipif(not GLIBC, reason="only glibc's malloc is told")
def test_memory_that_is_kept_is_not_mapped_again() -> None:
    usual, kept = page_faults("usual"), page_faults("keep")
    assert usual > 100
    assert kept < usual / 10


def test_the_answer_is_whether_the_c_library_took_it_and_stays_the_same() -> None:
    assert keep_freed_memory() is GLIBC
    assert keep_freed_memory() is GLIBC
