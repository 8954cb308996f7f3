"""XML that tests or build tools write and that is no JUnit: named, so that the refusal says what the file is."""

from xml.etree.ElementTree import Element

_OTHER_DIALECTS = {
    "TestRun": "MSTest (TRX)",
    "test-run": "NUnit 3",
    "test-results": "NUnit 2",
    "assemblies": "xUnit.net 2",
    "assembly": "xUnit.net 1",
    "Site": "CTest dashboard",
    "testng-results": "TestNG",
    "testExecutions": "SonarQube generic",
    "coverage": "a coverage report",
    "report": "a JaCoCo report",
    "checkstyle": "Checkstyle",
    "testResults": "JMeter",
    "robot": "Robot Framework output; its --xunit option writes JUnit",
    "test-suite": "Allure 1",
    "project": "a build file",
    "html": "a web page",
}


def dialect_of(root: Element) -> str:
    """Return ` (NAME)` for a root element that is known; else nothing."""
    known = _OTHER_DIALECTS.get(root.tag.rpartition("}")[2], "")
    return f" ({known})" if known else ""
