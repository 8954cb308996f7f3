# flakehunter in a container: docker build -t flakehunter . && docker run --rm -v "$PWD:/work" flakehunter report
# docs/container.md says more.

FROM python:3.12-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE CHANGELOG.md requirements.lock ./
COPY alembic alembic
COPY flakehunter flakehunter
# The lock's versions without its hashes: pip would ask for a hash of our own wheel, too.
RUN python -m pip wheel --no-cache-dir --no-deps --wheel-dir wheels . \
    && sed -E '/^ +--hash/d; s/ \\$//' requirements.lock > wheels/constraints.txt

FROM python:3.12-slim-bookworm
# tini reaps the orphans that come to PID 1; git says which commit a checkout is; strace is what `trace` runs.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git strace tini \
    && rm -rf /var/lib/apt/lists/* \
    && git config --system --add safe.directory /work \
    && useradd --uid 10001 --create-home flakehunter \
    && install --directory --owner flakehunter /work
COPY --from=build /src/wheels /tmp/wheels
# hadolint ignore=DL3013
RUN python -m pip install --no-cache-dir --constraint /tmp/wheels/constraints.txt \
    "$(echo /tmp/wheels/flakehunter_ci-*.whl)[dask,postgres,parquet]"
# Any user may run it (docker run --user), also one without a home.
ENV MPLCONFIGDIR=/tmp/matplotlib PYTHONUNBUFFERED=1
USER 10001
WORKDIR /work
ENTRYPOINT ["tini", "--", "flakehunter"]
CMD ["--help"]
