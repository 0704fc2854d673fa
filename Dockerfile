# The gateway as an image: docker build -t wazzup-gateway .
#
# Another base, such as a mirror of your own or another Python (3.11 or newer, glibc):
#   docker build --build-arg BASE_IMAGE=python:3.12-slim -t wazzup-gateway .
# Both stages need the same one: the virtual environment points to the Python of its base.
ARG BASE_IMAGE=python:3.13-slim

FROM ${BASE_IMAGE} AS build

# The base's pip installs into an environment that has none of its own. Wheels only, so that no compiler is ever
# needed; hashes, so that what was reviewed is what runs. Before app/, so that a change there does not repeat it.
# phonenumbers' names of places, for a geocoder that nobody here asks, would be a third of it all.
# Bytecode is made here, since a read-only root cannot keep any; unchecked, since nothing changes in an image.
COPY requirements.lock /tmp/
RUN python -m venv --without-pip /opt/venv \
    && pip --python /opt/venv install --no-cache-dir --no-compile --disable-pip-version-check \
        --only-binary :all: --require-hashes -r /tmp/requirements.lock \
    && rm -r /opt/venv/lib/python3*/site-packages/phonenumbers/geodata \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /opt/venv/lib

# Readable by the user below, also when the checkout was made under a strict umask.
COPY app /srv/app
RUN chmod -R a+rX /srv/app \
    && python -m compileall -q --invalidation-mode unchecked-hash /srv/app \
    && mkdir /data


FROM ${BASE_IMAGE}

LABEL org.opencontainers.image.title="Wazzup Gateway" \
      org.opencontainers.image.description="Issues Wazzup chat links to CRM pages and carries the chat window's events back, signed and surely." \
      org.opencontainers.image.licenses="MIT"

ENV PATH=/opt/venv/bin:$PATH \
    HOST=0.0.0.0 \
    PORT=8000 \
    DATA_DIR=/data \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1

WORKDIR /srv
COPY --from=build /opt/venv /opt/venv
COPY --from=build /srv/app ./app
# The embedded store lives here if REDIS_URL is not set; with REDIS_URL nothing is written anywhere.
COPY --from=build --chown=10001:10001 /data /data

# Official Python images come without the standard library's bytecode: this keeps what the gateway imports,
# and fails the build if it cannot even be imported.
RUN PYTHONDONTWRITEBYTECODE='' python -m app openapi > /dev/null

# By number, so that Kubernetes' runAsNonRoot can see that it is not root. The code belongs to root.
USER 10001:10001
VOLUME /data
EXPOSE 8000
STOPSIGNAL SIGTERM

# http.client, unlike urllib, does not ask a proxy from the environment.
HEALTHCHECK --interval=10s --timeout=5s --start-period=15s --retries=3 \
    CMD ["python", "-I", "-S", "-c", "import http.client as h, os, sys; c = h.HTTPConnection('localhost', int(os.environ['PORT']), timeout=4); c.request('GET', '/health/live'); sys.exit(c.getresponse().status != 200)"]

# Other commands: docker run wazzup-gateway token --user ID
ENTRYPOINT ["python", "-m", "app"]
CMD ["serve"]
