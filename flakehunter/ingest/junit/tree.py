"""An XML tree that grows while it is read and shrinks while it is used: C speed, flat memory, no entities.

The tree is built by the standard library's C `TreeBuilder`, without a call into Python per element; after each chunk
the reader takes the finished elements out. `iterparse` makes two Python objects and a generator step for each element,
and would halve the rate.
"""

from xml.etree import ElementTree
from xml.parsers import expat

from flakehunter.ingest.limits import Limits

Element = ElementTree.Element


class XmlDamage(Exception):  # noqa: N818 (it is what was found in a file, not a failure of ours)
    """The document is not well-formed, or refused; `position` is `line L, column C` or empty."""

    def __init__(self, position: str, reason: str, *, refused: bool = False, line: int = 0) -> None:
        super().__init__(reason)
        self.position = position
        self.reason = reason
        self.refused = refused
        """Whether nothing of the file may be used: DTDs and documents beyond the limits."""
        self.line = line


class _RootSeen(Exception):  # noqa: N818
    pass


class _Guard:
    """Reads up to the root element with plain expat and refuses a DOCTYPE: no DTD, no entities, no external files.

    expat gets the same bytes as the tree, so both see the same document, whatever its encoding.
    """

    def __init__(self, encoding: str | None) -> None:
        self.root: tuple[str, dict[str, str]] | None = None
        self._parser = expat.ParserCreate(encoding)
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._start
        self._bytes = 0

    def _doctype(self, *_: object) -> None:
        position = _position(self._parser.CurrentLineNumber, self._parser.CurrentColumnNumber)
        raise XmlDamage(position, "it has a DOCTYPE; document types and entities are refused", refused=True)

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self.root = (tag, attributes)
        raise _RootSeen

    def feed(self, data: bytes, limits: Limits) -> None:
        self._bytes += len(data)
        try:
            self._parser.Parse(data, False)
        except _RootSeen:
            return
        except expat.ExpatError as error:
            raise _damage(error.lineno, error.offset, expat.ErrorString(error.code)) from error
        except (LookupError, ValueError) as error:
            # Python's codecs know nothing of that name, or nothing that has one byte for each character.
            line, column = self._parser.CurrentLineNumber, self._parser.CurrentColumnNumber
            raise _damage(line, column, "an encoding that cannot be read") from error
        if self._bytes > limits.xml_prolog:
            raise XmlDamage("", f"no root element in the first {limits.xml_prolog} bytes", refused=True)


def _position(line: int, column: int) -> str:
    return f"line {line}, column {column + 1}"


def _damage(line: int, column: int, reason: str) -> XmlDamage:
    known = {
        "no element found": "the file ends before the document does",
        "unclosed token": "the file ends inside a tag",
        "unclosed CDATA section": "the file ends inside a CDATA section",
    }
    return XmlDamage(_position(line, column), known.get(reason, f"not well-formed XML: {reason}"), line=line)


class GrowingTree:
    """Feed it bytes, look at `root` and its children, take out what is finished."""

    def __init__(self, limits: Limits, encoding: str | None = None) -> None:
        self._limits = limits
        self._guard = _Guard(encoding)
        self._builder = ElementTree.TreeBuilder()
        self._parser = ElementTree.XMLParser(target=self._builder, encoding=encoding)
        self._root: Element | None = None

    @property
    def root(self) -> Element | None:
        """The root element, as far as it has been read; None before its start tag."""
        return self._root

    def feed(self, data: bytes) -> None:
        """Parse some more bytes.

        Raises:
            XmlDamage: they are not well-formed, or refused.
        """
        if self._guard.root is None:
            self._guard.feed(data, self._limits)
        try:
            self._parser.feed(data)
        except ElementTree.ParseError as error:
            raise self._error(error) from error
        finally:
            self._find_root()

    def close(self) -> None:
        """Say that the file has ended.

        Raises:
            XmlDamage: the document has not.
        """
        try:
            self._parser.close()
        except ElementTree.ParseError as error:
            raise self._error(error) from error

    def _find_root(self) -> None:
        if self._root is None and self._guard.root is not None:
            # The C builder gives its root at any time; it does not end anything.
            self._root = self._builder.close()

    @staticmethod
    def _error(error: ElementTree.ParseError) -> XmlDamage:
        line, column = error.position
        return _damage(line, column, expat.ErrorString(error.code) or "unknown error")

    def open_elements(self) -> list[Element]:
        """Return the elements that are still open, outermost first; for use once, after the damage."""
        root = self._root
        if root is None:
            return []
        # A probe lands in the innermost open element: nothing else tells whether the last child was closed.
        try:
            probe = self._builder.start("probe", {})
        except ElementTree.ParseError:
            # The root was closed, and the damage comes after it.
            return []
        chain = [root]
        while len(chain[-1]) and chain[-1][-1] is not probe:
            chain.append(chain[-1][-1])
        if not len(chain[-1]):
            return []
        del chain[-1][-1]
        return chain

    def depth(self) -> int:
        """Return how deep the last elements lie in each other, an upper bound of what is open."""
        depth, element = 0, self._root
        while element is not None:
            depth += 1
            element = element[-1] if len(element) else None
        return depth
