"""The fixes of the mechanism pages are real code of their languages, in every language that `scan` reads."""

import pytest

from flakehunter.model import Mechanism
from flakehunter.report.guide import GUIDES, Fix, Snippet
from flakehunter.scan.languages import all_specs

FIXES = {fix.says: fix for guide in GUIDES.values() for fix in guide.fixes}
SNIPPETS = [(fix.says, snippet) for fix in FIXES.values() for snippet in fix.snippets if snippet.grammar]

SAME = {"typescript": "javascript", "tsx": "javascript", "cpp": "c"}
"""Languages that share their snippets with another."""

FRAMES = {
    "php": "<?php\n{}",
    "c": "void test(void) {{\n{}\n}}",
    "csharp": "class Test {{ async Task Run() {{\n{}\n}} }}",
    "java": "class Test {{ void run() throws Exception {{\n{}\n}} }}",
    "go": "package test\nfunc run() {{\n{}\n}}",
    "rust": "fn test() -> Result<()> {{\n{}\n}}",
    "kotlin": "fun test() {{\n{}\n}}",
    "javascript": "async function test() {{\n{}\n}}",
}
"""What a snippet of statements stands in."""


def parses(snippet: Snippet) -> bool:
    parser = all_specs()[snippet.grammar].parser
    framed = FRAMES.get(snippet.grammar, "{}").format(snippet.code)
    alone = {"java": f"class Test {{\n{snippet.code}\n}}", "go": f"package test\n{snippet.code}"}
    forms = [framed, alone.get(snippet.grammar, snippet.code)]
    return any(not parser.parse(form.encode()).root_node.has_error for form in forms)


@pytest.mark.parametrize(("says", "snippet"), SNIPPETS, ids=lambda value: getattr(value, "language", value))
def test_snippet_is_code_of_its_language(says: str, snippet: Snippet) -> None:
    assert parses(snippet), snippet.code
    assert max(len(line) for line in snippet.code.splitlines()) <= 110, "wider than the page"


@pytest.mark.parametrize(
    "mechanism", [m for m in Mechanism if m not in (Mechanism.ASSIGN_AFTER_EXIT, Mechanism.SURVIVOR)]
)
def test_mechanism_is_mended_in_every_language_that_scan_reads(mechanism: Mechanism) -> None:
    shown = {snippet.grammar for fix in GUIDES[mechanism].fixes for snippet in fix.snippets}
    assert {SAME.get(name, name) for name in all_specs()} <= shown


@pytest.mark.parametrize("mechanism", Mechanism)
def test_fix_names_each_language_once(mechanism: Mechanism) -> None:
    fixes: tuple[Fix, ...] = tuple(GUIDES[mechanism].fixes)
    assert fixes
    for fix in fixes:
        languages = [snippet.language for snippet in fix.snippets]
        assert len(languages) == len(set(languages))
