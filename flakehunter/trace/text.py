"""Take apart the text of system call arguments as strace prints them."""

import re

__all__ = ["Annotated", "file_descriptor", "integer", "members", "port_of", "split", "strings", "unquote"]

_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "v": "\v", "f": "\f", '"': '"', "\\": "\\"}
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"(?:\.\.\.)?')
_FD = re.compile(r"(-?\d+)(?:<(.*)>)?", re.DOTALL)
_PORT = re.compile(r"sin6?_port=htons\((\d+)\)")
_OPEN = {"(": ")", "[": "]", "{": "}"}

Annotated = tuple[int, str]
"""A file descriptor and what strace's -y says that it is (a path, `pipe:[INODE]`, `socket:[INODE]`), or ''."""


def split(arguments: str) -> list[str]:
    """Return the arguments of a call: split at commas outside of quotes, brackets and `<…>` of descriptors."""
    parts: list[str] = []
    depth = start = position = 0
    while position < len(arguments):
        character = arguments[position]
        if character == '"':
            end = _STRING.match(arguments, position)
            position = end.end() if end else len(arguments)
            continue
        if character == "<" and position and (arguments[position - 1].isdigit() or arguments[position - 1] == "D"):
            end_of_path = arguments.find(">", position)
            position = end_of_path + 1 if end_of_path != -1 else len(arguments)
            continue
        if character in _OPEN:
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif character == "," and depth <= 0:
            parts.append(arguments[start:position].strip())
            start = position + 1
        position += 1
    parts.append(arguments[start:].strip())
    return parts


def unquote(text: str) -> str:
    """Return the content of a C string as strace prints it: octal and letter escapes undone, latin-1 kept."""

    def escape(found: re.Match[str]) -> str:
        code = found[1]
        return chr(int(code, 8)) if code[0] in "01234567" else _ESCAPES.get(code, code)

    return re.sub(r"\\([0-7]{1,3}|.)", escape, text, flags=re.DOTALL)


def strings(text: str) -> list[str]:
    """Return all quoted strings in `text`, unquoted."""
    return [unquote(found) for found in _STRING.findall(text)]


def integer(text: str) -> int | None:
    """Return the number `text` begins with (decimal, hexadecimal), without an annotation; None when there is none."""
    found = re.match(r"-?(?:0x[0-9a-fA-F]+|\d+)", text.strip())
    return int(found[0], 0) if found else None


def file_descriptor(text: str) -> Annotated | None:
    """Return the descriptor and its annotation; None when `text` is none (NULL, a constant)."""
    found = _FD.match(text.strip())
    return (int(found[1]), found[2] or "") if found else None


def port_of(text: str) -> int | None:
    """Return the TCP or UDP port of a socket address; None for other families."""
    found = _PORT.search(text)
    return int(found[1]) if found else None


def members(text: str) -> list[int]:
    """Return the descriptors in a set such as `[4<pipe:[1]> 5]` or in pollfds `[{fd=4, revents=POLLIN}]`."""
    named = re.findall(r"fd=(-?\d+)", text)
    if named:
        return [int(number) for number in named]
    return [int(number) for number in re.findall(r"(?:^|[\[ ,])(\d+)(?=[<\], ]|$)", text)]
