# The service alone: no embedded PostgreSQL, no test tools. Set ESCALATION_DATABASE_URL.
# It writes nothing but its log: run it with a read-only root, as compose.yaml does.
FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE requirements-test.lock ./
COPY service service
COPY machines machines
COPY sql sql
# The locked versions, of those packages that the service needs. (Their hashes would be asked of `.` too.)
RUN sed -e '/--hash/d' -e 's/ \\$//' requirements-test.lock > pins.txt \
    && python -m venv /app \
    && /app/bin/pip install --no-cache-dir --constraint pins.txt ".[otel]"

FROM python:3.13-slim
# By number, so that a cluster that lets nobody be root can see that it isn't.
RUN useradd --system --no-create-home --uid 10001 escalation
COPY --from=build /app /app
USER 10001:10001
ENV PATH=/app/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    ESCALATION_HOST=0.0.0.0 \
    ESCALATION_PORT=8080
EXPOSE 8080
# Whether it lives. Whether it is ready is for balancers (/readyz): to start it again mends no database.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['ESCALATION_PORT'] + '/healthz', timeout=3)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["escalation-matrix"]
CMD ["serve"]
