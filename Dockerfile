# The service alone: no embedded PostgreSQL, no test tools. Set ESCALATION_DATABASE_URL.
FROM python:3.13-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE requirements.lock ./
COPY service service
COPY machines machines
COPY sql sql
# The lock's versions, of those packages that the service needs. (Its hashes would be asked of `.` too.)
RUN sed -e '/--hash/d' -e 's/ \\$//' requirements.lock > pins.txt \
    && python -m venv /app \
    && /app/bin/pip install --no-cache-dir --constraint pins.txt .

FROM python:3.13-slim
RUN useradd --system --no-create-home escalation
COPY --from=build /app /app
USER escalation
ENV PATH=/app/bin:$PATH ESCALATION_HOST=0.0.0.0
EXPOSE 8080
HEALTHCHECK CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8080/readyz', timeout=3)"]
ENTRYPOINT ["escalation-matrix"]
CMD ["serve"]
