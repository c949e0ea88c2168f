# A Segue worker: Segue's wheel at the pinned versions, and the modules to serve in /app.
# The project's test machine has no container engine: its tests read this file, nobody there has built it.
ARG PYTHON=3.13.14-slim

FROM python:${PYTHON} AS build
WORKDIR /src
COPY constraints.txt ./
RUN python -m venv /opt/segue \
    && /opt/segue/bin/pip install --no-cache-dir --constraint constraints.txt pip
COPY pyproject.toml README.md LICENSE CHANGELOG.md ./
COPY activities activities
COPY workflows workflows
COPY client client
COPY workers workers
# Every extra but `dev`, which brings the embedded server: this worker has a real one.
RUN /opt/segue/bin/pip wheel --no-cache-dir --no-deps --build-constraint constraints.txt --wheel-dir /wheels . \
    && set -- /wheels/segue-*.whl \
    && /opt/segue/bin/pip install --no-cache-dir --constraint constraints.txt "$1[documents,objects,otlp,postgres,retrieval,sql]"

FROM python:${PYTHON}
COPY --from=build /opt/segue /opt/segue
ENV PATH=/opt/segue/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1
# What a volume mounted here inherits: written to by the worker, and by it alone.
RUN install --directory --owner=10001 --group=10001 /var/lib/segue
WORKDIR /app
# The modules to serve: the example's, where yours go.
COPY examples examples
# A number, so that a cluster that forbids root (runAsNonRoot) can tell.
USER 10001:10001
ENTRYPOINT ["segue"]
