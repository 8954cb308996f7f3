"""Make a document readable that is nearly XML: control characters, bytes of another encoding, several documents.

Used only after the plain reading failed: nearly all files need none of it, and it costs a pass over the file.
"""

import codecs
import re
import tempfile
from collections.abc import Iterator
from typing import IO

_CHUNK = 1 << 20
_SPOOL = 8 << 20

# What XML 1.0 allows (section 2.2): everything else makes a parser stop, even as a character reference.
_FORBIDDEN = re.compile("[^\\t\\n\\r\\x20-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
_REFERENCE = re.compile(r"&#(?:x([0-9a-fA-F]{1,8})|([0-9]{1,10}));")
_DECLARATION = re.compile(rb"\s*<\?xml[^>]*?\?>")
_ENCODING = re.compile(rb"encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")
_START = re.compile(r"<\?xml\b[^>]*\?>")


def mended(stream: IO[bytes]) -> Iterator[IO[bytes]]:
    """Yield the documents of a file, each in UTF-8 without a declaration, and with what XML forbids replaced.

    Bytes that are not of the encoding that the file declares are read as UTF-8, and what is none as Windows-1252.
    """
    stream.seek(0)
    text = _text(stream)
    document = _new()
    kept = ""
    wrote = False
    for piece in text:
        kept += piece
        # A declaration may be cut by the end of the piece; the last characters wait for the next one.
        *whole, kept = _START.split(kept)
        for part in whole:
            document.write(_clean(part).encode())
            if wrote or part.strip():
                document.seek(0)
                yield document
                document = _new()
            wrote = False
        if len(kept) > 512:
            document.write(_clean(kept[:-512]).encode())
            wrote = wrote or bool(kept[:-512].strip())
            kept = kept[-512:]
    document.write(_clean(kept).encode())
    document.seek(0)
    yield document


def _new() -> IO[bytes]:
    return tempfile.SpooledTemporaryFile(max_size=_SPOOL)


def _text(stream: IO[bytes]) -> Iterator[str]:
    """Decode a file piece by piece."""
    head = stream.read(4096)
    stream.seek(0)
    decoder = codecs.getincrementaldecoder(_encoding(head))("flakehunter-mend")
    while data := stream.read(_CHUNK):
        # A reference must not be cut in two.
        yield decoder.decode(data)
    yield decoder.decode(b"", True)


def _encoding(head: bytes) -> str:
    """Return the encoding that the bytes show, then that which the declaration names."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if head.startswith(b"\xef\xbb\xbf"):
        return "utf-8-sig"
    declaration = _DECLARATION.match(head)
    named = _ENCODING.search(declaration[0]) if declaration else None
    try:
        name = codecs.lookup(named[1].decode()).name if named else "utf-8"
        b"<".decode(name, "flakehunter-mend")
    except (LookupError, UnicodeError):
        # Among Python's codecs are some that make no text of bytes, such as hex and undefined.
        return "utf-8"
    # The declaration could be read byte by byte, so the encoding has one byte for each ASCII character.
    return "utf-8" if name.startswith(("utf-16", "utf-32")) else name


def _as_windows_1252(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error("flakehunter-mend", _as_windows_1252)


def _clean(text: str) -> str:
    def reference(found: re.Match[str]) -> str:
        code = int(found[1], 16) if found[1] else int(found[2])
        allowed = code <= 0x10FFFF and not _FORBIDDEN.match(chr(code))
        return found[0] if allowed else "\ufffd"

    return _FORBIDDEN.sub("\ufffd", _REFERENCE.sub(reference, text) if "&#" in text else text)


def is_mendable(reason: str) -> bool:
    """Whether a parser's complaint is one that mending may help against; a file that ends early is not."""
    return any(
        word in reason
        for word in (
            "invalid token",
            "junk after document",
            "declaration not at start",
            "encoding",
            "invalid character",
            "partial character",
        )
    )
