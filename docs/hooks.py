"""What `mkdocs build` does to the pages of docs/: links that leave the folder become the paths of files."""

import re
from pathlib import PurePosixPath
from typing import Any

_LINK = re.compile(r"\[(?P<words>[^\]]+)\]\((?P<target>\.\.?/[^)#\s]+)(?:#[^)\s]*)?\)")


def on_page_markdown(markdown: str, page: Any, **_more: Any) -> str:
    """Replace links to files beside docs/, which a reader of the site has not, by their paths in the repository."""
    here = PurePosixPath(page.file.src_uri).parent

    def replaced(found: re.Match[str]) -> str:
        parts: list[str] = list(here.parts)
        for part in PurePosixPath(found["target"]).parts:
            if part != "..":
                parts.append(part)
            elif parts:
                parts.pop()
            else:
                return f"`{found['target'].lstrip('./')}`"
        return found[0]

    return _LINK.sub(replaced, markdown)
