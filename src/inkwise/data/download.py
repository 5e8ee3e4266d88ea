"""Downloads from several mirrors in turn, verified, and cached atomically."""

import http.client
import socket
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from inkwise.errors import DataError, DownloadError
from inkwise.system.files import storage
from inkwise.system.progress import ProgressBar, UnseenBar

PROBE_SECONDS = 2.5
"""Seconds to wait for any mirror to accept a connection before the network counts as absent."""

READ_SECONDS = 10.0
"""Seconds that a mirror may stay silent."""

GRACE_SECONDS = 10.0
"""Seconds that a download may take before its rate is judged."""

MIN_BYTES_PER_SECOND = 20_000
"""A mirror slower than this is given up for the next one."""

MAX_DOWNLOAD_BYTES = 640 << 20
"""A mirror that sends more than this for one file is not sending the file."""


_CHUNK = 1 << 16
_UNSEEN = UnseenBar()


def cache_home() -> Path:
    """Return the folder that downloads are kept in, each data set's in one of its own."""
    import pooch

    return Path(pooch.os_cache("inkwise"))


def reachable(addresses: Sequence[str], seconds: float = PROBE_SECONDS) -> bool:
    """Tell whether any of these web addresses, or its proxy, accepts a connection.

    All are tried at once and the first success decides. So the answer takes at most `seconds`, even
    if the resolver or a router does not answer.
    """
    success = threading.Event()
    finished = threading.Semaphore(0)

    def probe(address: str) -> None:
        try:
            with socket.create_connection(_endpoint(address), timeout=seconds):
                success.set()
        except (OSError, ValueError):  # the address of a proxy may be malformed
            pass
        finally:
            finished.release()

    for address in addresses:
        # Daemon threads, because a resolver that hangs must not keep the program from ending.
        threading.Thread(target=probe, args=(address,), daemon=True).start()
    deadline = time.monotonic() + seconds
    for _ in addresses:
        if success.is_set() or not finished.acquire(timeout=max(0, deadline - time.monotonic())):
            break
    return success.is_set()


def fetch(
    file_name: str,
    mirrors: Sequence[str],
    folder: Path,
    verify: Callable[[Path], None],
    bar: ProgressBar = _UNSEEN,
) -> Path:
    """Fetch one file into a folder, from the first mirror that delivers it intact.

    Parameters
    ----------
    file_name : str
        The file's name on every mirror and in the folder.
    mirrors : sequence of str
        Base addresses, each ending in a slash, in the order of preference.
    folder : Path
        Where the file goes once it has been verified; it is created if missing.
    verify : callable
        Given the path of the downloaded file, raises `DataError` where its content is not right.
    bar : ProgressBar, optional
        Progress bar of the download.

    Returns
    -------
    Path
        The file in the folder.

    Raises
    ------
    DownloadError
        No mirror delivered the file intact; the message says what each one did.
    StorageError
        The folder cannot be written.
    """
    failures = []
    with storage(folder, "write to"):
        folder.mkdir(parents=True, exist_ok=True)
        # In the cache's own folder, so that the last step is a rename and never a copy.
        with tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as scratch:
            for mirror in mirrors:
                try:
                    path = _download(mirror + file_name, Path(scratch), verify, bar)
                except DownloadError as error:
                    failures.append(f"{urllib.parse.urlsplit(mirror).netloc} {error}")
                except DataError as error:
                    failures.append(
                        f"{urllib.parse.urlsplit(mirror).netloc} sent something else: {error}"
                    )
                else:
                    return path.replace(folder / file_name)
    raise DownloadError(f"could not fetch {file_name} ({'; '.join(failures)})")


def _download(address: str, folder: Path, verify: Callable[[Path], None], bar: ProgressBar) -> Path:
    """Download and verify one file with pooch; raise `DownloadError` with a short reason."""
    import pooch
    import requests
    import urllib3

    pooch.get_logger().setLevel("ERROR")  # the exceptions already report failures

    def downloader(url: str, output_file: str, _: object) -> None:
        path = Path(output_file)
        path.unlink()  # pooch creates it readable by its owner only, and a cache may be shared
        try:
            _stream(url, path, bar)
            verify(path)
        except BaseException:
            if path.exists():
                bar.update(-path.stat().st_size)
            raise

    try:
        return Path(
            pooch.retrieve(
                address, known_hash=None, fname="download", path=folder, downloader=downloader
            )
        )
    except requests.HTTPError as error:
        status = error.response.status_code
        reason = f"{status} {http.client.responses.get(status, '')}".rstrip()
        raise DownloadError(f"answered {reason}") from error
    except requests.ConnectTimeout as error:
        raise DownloadError(f"accepted no connection within {PROBE_SECONDS:g} s") from error
    except (requests.Timeout, urllib3.exceptions.TimeoutError) as error:
        raise DownloadError(f"was silent for {READ_SECONDS:g} s") from error
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise DownloadError(f"broke off the connection ({type(error).__name__})") from error


def _stream(url: str, path: Path, bar: ProgressBar) -> None:
    """Stream a download to a file; give up if the mirror is silent, too slow, or sends too much.

    pooch's own downloader gives up only on silence: with one byte a second it would go on for days.
    """
    import requests

    start = time.monotonic()
    received = 0
    with (
        requests.get(url, stream=True, timeout=(PROBE_SECONDS, READ_SECONDS)) as response,
        path.open("wb") as file,
    ):
        response.raise_for_status()
        # A malformed length counts as unknown, and so does that of an encoded body, which differs
        # from the length of the file.
        encoded = "content-encoding" in response.headers
        bar.total = 0 if encoded else response.raw.length_remaining or 0
        while chunk := response.raw.read1(_CHUNK, decode_content=True):
            file.write(chunk)
            received += len(chunk)
            bar.update(len(chunk))
            if received > MAX_DOWNLOAD_BYTES:
                raise DownloadError(f"sent more than {MAX_DOWNLOAD_BYTES:,} bytes")
            seconds = time.monotonic() - start
            if seconds > GRACE_SECONDS and received < seconds * MIN_BYTES_PER_SECOND:
                raise DownloadError(f"was too slow ({received / seconds:,.0f} bytes/s)")


def _endpoint(address: str) -> tuple[str, int]:
    """Return host and port that a request for this address would first connect to."""
    import requests.utils

    proxies: dict[str, Any] = requests.utils.get_environ_proxies(address)
    proxy = requests.utils.select_proxy(address, proxies)
    if proxy:
        address = proxy if "://" in proxy else f"http://{proxy}"
    parts = urllib.parse.urlsplit(address)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
