"""What kind of file begins with some bytes, for messages about files of another kind."""

_KINDS = (
    (b"\x1f\x8b", "a gzip file"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x89HDF", "an HDF5 file"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"PAR1", "a Parquet file"),
    (b"%PDF-", "a PDF"),
    (b"matlab 5.0", "a MATLAB file"),
    (b"version https://git-lfs", "a pointer of Git LFS, without the content"),
    (b"<!doctype html", "a web page, as servers send it for an error or a wrong address"),
    (b"<html", "a web page, as servers send it for an error or a wrong address"),
)


def recognise(content: bytes) -> str | None:
    """Say what kind of file begins with these bytes, for messages; None if that is not known."""
    content = content[:64]
    start = content.lstrip(b"\xef\xbb\xbf \t\r\n")[:32]
    for mark, kind in _KINDS:
        if content.startswith(mark) or start.lower().startswith(mark):
            return kind
    # A pickle begins with its protocol.
    pickled = len(content) > 1 and content[0] == 0x80 and 2 <= content[1] <= 5
    return "a Python pickle" if pickled else None
