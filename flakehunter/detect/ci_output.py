"""Put a detection into the forms that CI servers show: SARIF 2.1.0, and GitHub's annotations."""

import json
from typing import Any

from flakehunter import __version__
from flakehunter.detect.assess import Assessment, Detection
from flakehunter.detect.output import listed, percent
from flakehunter.model import Mechanism, Verdict

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
UNKNOWN_CAUSE = "flaky-test"
"""Rule id of flaky tests whose mechanism is not known."""

ANNOTATIONS = 10
"""GitHub shows at most ten warnings of a step."""


def _flaky(detection: Detection) -> list[Assessment]:
    return [one for one in listed(detection) if one.weighed.verdict is Verdict.FLAKY]


def _rule_id(one: Assessment) -> str:
    return one.weighed.mechanism.value if one.weighed.mechanism else UNKNOWN_CAUSE


def message(one: Assessment) -> str:
    """Return verdict, rate and strongest evidence of a flaky test in one sentence or two."""
    weighed = one.weighed
    cause = f" by {weighed.mechanism}" if weighed.mechanism else ""
    reason = f": {weighed.evidence[0].text}" if weighed.evidence else ""
    return f"{one.test.identity.label} is flaky{cause}, flake rate {percent(weighed.rate.value)}{reason}"


def as_sarif(detection: Detection, *, everything: bool = False) -> str:
    """Return a SARIF 2.1.0 log with one result for each flaky test; `everything` changes nothing."""
    rules = [*Mechanism, UNKNOWN_CAUSE]
    run = {
        "tool": {
            "driver": {
                "name": "flakehunter detect",
                "version": __version__,
                "rules": [_rule(str(rule)) for rule in rules],
            }
        },
        "columnKind": "utf16CodeUnits",
        "results": [_result(one, [str(rule) for rule in rules].index(_rule_id(one))) for one in _flaky(detection)],
    }
    return json.dumps({"$schema": SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)


def _rule(name: str) -> dict[str, Any]:
    words = "flaky test of unknown cause" if name == UNKNOWN_CAUSE else f"flaky test: {name.replace('-', ' ')}"
    return {"id": name, "shortDescription": {"text": words}, "defaultConfiguration": {"level": "warning"}}


def _result(one: Assessment, rule: int) -> dict[str, Any]:
    identity = one.test.identity
    location: dict[str, Any] = {"logicalLocations": [{"fullyQualifiedName": identity.label, "kind": "function"}]}
    if one.test.file:
        location["physicalLocation"] = {
            "artifactLocation": {"uri": one.test.file.replace("\\", "/")},
            "region": {"startLine": one.test.line or 1},
        }
    return {
        "ruleId": _rule_id(one),
        "ruleIndex": rule,
        "level": "warning",
        "message": {"text": message(one)},
        "locations": [location],
        "partialFingerprints": {"flakehunterTest/v1": identity.key.hex()},
        "rank": round(100.0 * one.weighed.p_flaky, 1),
    }


def as_github(detection: Detection, *, everything: bool = False) -> str:
    """Return workflow commands that annotate the flaky tests, worst first; `everything` changes nothing."""
    flaky = _flaky(detection)
    lines = []
    for one in flaky[:ANNOTATIONS]:
        properties = {"title": f"Flaky test: {one.test.identity.name}"}
        if one.test.file:
            properties |= {"file": one.test.file, "line": str(one.test.line or 1)}
        shown = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
        lines.append(f"::warning {shown}::{_data(message(one))}")
    if len(flaky) > ANNOTATIONS:
        lines.append(f"::notice title=Flaky tests::{len(flaky) - ANNOTATIONS} more flaky tests are in the summary")
    return "\n".join(lines)


def _data(text: str) -> str:
    """Escape a message as workflow commands want it."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
