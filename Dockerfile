# syntax=docker/dockerfile:1
ARG PYTHON=3.13

# The first stage compiles what each request passes through, builds wheels and lays them out; nothing of pip or a compiler reaches the image that is shipped.
FROM python:${PYTHON}-slim AS build
WORKDIR /source
RUN ["apt-get", "update"]
RUN ["apt-get", "install", "--yes", "--no-install-recommends", "gcc", "libc6-dev"]
ENV HATCH_BUILD_HOOK_ENABLE_MYPYC=true
COPY pyproject.toml README.md LICENSE ./
COPY gateway gateway
COPY policies policies
RUN ["python", "-m", "pip", "wheel", "--no-cache-dir", "--wheel-dir", "/wheels", ".[speed,postgres,redis]"]
RUN ["python", "-m", "venv", "/opt/tokenward"]
RUN ["/opt/tokenward/bin/python", "-m", "pip", "install", "--no-index", "--find-links", "/wheels", "tokenward[speed,postgres,redis]"]
RUN ["/opt/tokenward/bin/python", "-m", "pip", "uninstall", "--yes", "pip"]
RUN ["mkdir", "/var/lib/tokenward"]

FROM python:${PYTHON}-slim
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="Tokenward" \
      org.opencontainers.image.description="An API gateway that enforces OAuth 2.0 bearer tokens" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
COPY --from=build /opt/tokenward /opt/tokenward
# For a store in SQLite: a new volume that is mounted here belongs to the gateway.
COPY --from=build --chown=65532:65532 /var/lib/tokenward /var/lib/tokenward
ENV PATH="/opt/tokenward/bin:${PATH}" \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# A number, so that an orchestrator can see that it is not root.
USER 65532:65532
WORKDIR /
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 CMD ["tokenward", "healthcheck"]
ENTRYPOINT ["tokenward"]
CMD ["run", "--config", "/etc/tokenward/config.yaml"]
