"""The outcome of a scan as SARIF 2.1.0, for GitHub code scanning and other viewers.

Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0", 2020. The fingerprint keeps a
finding the same when lines above it move (`partialFingerprints`, section 3.27.17).
"""

import json
from typing import Any
from urllib.parse import quote

from flakehunter import __version__
from flakehunter.model import Mechanism
from flakehunter.scan.findings import Confidence, Finding, Report

SCHEMA_URI = "https://json.schemastore.org/sarif-2.1.0.json"
FINGERPRINT = "flakehunterScan/v1"
"""Name of the fingerprint; a change of what goes into it is a new version."""

_WHAT = {
    Mechanism.CHECK_BEFORE_EXIT: ("Liveness is looked at right after the signal", "Poll to a deadline, or wait on the process."),  # noqa: E501
    Mechanism.ZOMBIE_COUNTED_ALIVE: (
        "A dead process that nobody reaped is counted as alive",
        "Wait as the parent or subreaper, treat state Z as gone, run containers with an init.",
    ),
    Mechanism.FIXED_SLEEP: ("A constant pause stands for a wait", "Poll to a deadline."),
    Mechanism.SIGNAL_BEFORE_READY: ("The child is signalled before it is ready", "Wait for a readiness line."),
    Mechanism.ASSIGN_AFTER_EXIT: (
        "The child may have ended before its container takes it",
        "Create it inside, or suspended; tolerate the exit.",
    ),
    Mechanism.SURVIVOR: (
        "A member left the group or was never signalled",
        "Use a backend that cannot be left: cgroup, job, namespace.",
    ),
    Mechanism.RESOURCE_STILL_HELD: ("A resource is used again before its holder's exit", "Wait for the release."),
    Mechanism.DEADLINE_TOO_SHORT: (
        "A wait is shorter than a loaded machine needs",
        "Use a deadline from the measured time to death, many times its tail.",
    ),
}  # fmt: skip


def as_sarif(report: Report) -> str:
    """Return the SARIF log of one run as text."""
    return json.dumps(document(report), indent=2)


def document(report: Report) -> dict[str, Any]:
    """Return the SARIF log of one run: a rule a mechanism, a result a finding, notifications for files left out."""
    order = list(Mechanism)
    notifications = [_notification(path, "syntax errors: scanned as far as it parses") for path in report.broken]
    notifications += [_notification(skipped.file, f"skipped: {skipped.reason}") for skipped in report.skipped]
    return {
        "$schema": SCHEMA_URI,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "flakehunter",
                        "semanticVersion": __version__,
                        "rules": [_rule(mechanism) for mechanism in order],
                    }
                },
                "columnKind": "utf16CodeUnits",
                "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": notifications}],
                "results": [_result(finding, order.index(finding.mechanism)) for finding in report.findings],
            }
        ],
    }


def _rule(mechanism: Mechanism) -> dict[str, Any]:
    what, fix = _WHAT[mechanism]
    return {
        "id": mechanism.value,
        "name": "".join(part.capitalize() for part in mechanism.value.split("-")),
        "shortDescription": {"text": what},
        "help": {"text": f"{what}. {fix}", "markdown": f"**{what}.** {fix}"},
        "defaultConfiguration": {"level": "warning"},
        "properties": {"tags": ["flaky-tests", "processes"]},
    }


def _result(finding: Finding, rule: int) -> dict[str, Any]:
    signal = _location(finding, finding.signal_line, finding.signal_source)
    look = _location(finding, finding.look_line, finding.look_source)
    steps = sorted(
        ((finding.signal_line, signal, "signals here"), (finding.look_line, look, "looks here")),
        key=lambda step: step[0],
    )
    return {
        "ruleId": finding.mechanism.value,
        "ruleIndex": rule,
        "level": "warning" if finding.confidence is Confidence.LIKELY else "note",
        "message": {"text": f"{finding.message[:1].upper()}{finding.message[1:]}. In {finding.function}."},
        "locations": [look | {"logicalLocations": [{"name": finding.function, "kind": "function"}]}],
        "relatedLocations": [signal | {"id": 1, "message": {"text": "signals here"}}],
        "partialFingerprints": {FINGERPRINT: finding.fingerprint},
        "codeFlows": [
            {
                "threadFlows": [
                    {"locations": [{"location": place | {"message": {"text": role}}} for _, place, role in steps]}
                ]
            }
        ],
    }


def _location(finding: Finding, line: int, source: str) -> dict[str, Any]:
    return {
        "physicalLocation": {
            "artifactLocation": _artifact(finding.file),
            "region": {"startLine": line, "snippet": {"text": source}},
        }
    }


def _artifact(path: str) -> dict[str, str]:
    if path.startswith("/"):
        return {"uri": "file://" + quote(path)}
    return {"uri": quote(path), "uriBaseId": "%SRCROOT%"}


def _notification(path: str, text: str) -> dict[str, Any]:
    return {
        "level": "note",
        "message": {"text": text},
        "locations": [{"physicalLocation": {"artifactLocation": _artifact(path)}}],
    }
