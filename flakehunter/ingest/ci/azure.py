"""Azure Pipelines: https://learn.microsoft.com/azure/devops/pipelines/build/variables."""

from collections.abc import Mapping

from flakehunter.db.rows import RunRow
from flakehunter.ingest.ci import number

NAME = "azure"


def detect(environment: Mapping[str, str]) -> RunRow | None:
    """Return what the variables say of the run; None outside of Azure Pipelines."""
    get = environment.get
    if get("TF_BUILD", "").lower() != "true":
        return None
    return RunRow(
        provider=NAME,
        external_id=get("BUILD_BUILDID", ""),
        workflow=get("BUILD_DEFINITIONNAME", ""),
        job=get("SYSTEM_JOBDISPLAYNAME") or get("AGENT_JOBNAME", ""),
        attempt=number(get("SYSTEM_JOBATTEMPT")),
        commit=get("SYSTEM_PULLREQUEST_SOURCECOMMITID") or get("BUILD_SOURCEVERSION", ""),
        branch=(get("SYSTEM_PULLREQUEST_SOURCEBRANCH") or get("BUILD_SOURCEBRANCH", "")).removeprefix("refs/heads/"),
        runner=get("AGENT_NAME", ""),
        os=get("AGENT_OS", "").lower(),
    )
