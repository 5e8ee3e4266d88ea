"""Keeping freed memory in the process, because returning it takes a third of a training step."""

import ctypes
import functools
import platform

# From glibc's malloc.h.
_M_TRIM_THRESHOLD = -1
_M_TOP_PAD = -2
_M_MMAP_MAX = -4
_LARGE = 1 << 29


@functools.cache
def keep_freed_memory() -> bool:
    """Tell glibc's malloc not to return memory to the kernel between steps.

    By default every large tensor is mapped afresh and unmapped when freed, so that each step causes
    page faults for all of its feature maps. The settings apply to the whole process.

    Returns
    -------
    bool
        Whether the C library is glibc and accepted the settings. With another one, nothing is done.

    References
    ----------
    mallopt(3), Linux man-pages.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    settings = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, _LARGE), (_M_TOP_PAD, 64 << 20))
    return sum(mallopt(*setting) for setting in settings) == len(settings)
