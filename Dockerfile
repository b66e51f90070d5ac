# lungportal: one image for web, workers and beat.
#   docker build -t lungportal .                    CPU
#   docker build -t lungportal:gpu --build-arg GPU=1 .   with CUDA from requirements-gpu.txt

FROM python:3.11-slim-bookworm AS build
ARG GPU=0
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy
WORKDIR /build
COPY bin/requirements-uv.txt requirements.txt requirements-gpu.txt ./
RUN python -m pip install --no-cache-dir --require-hashes -r requirements-uv.txt \
 && uv venv /opt/venv \
 && extra="" && if [ "$GPU" = 1 ]; then extra="-r requirements-gpu.txt"; fi \
 && uv pip install --no-cache --python /opt/venv/bin/python --require-hashes -r requirements.txt $extra

FROM python:3.11-slim-bookworm
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    TF_CPP_MIN_LOG_LEVEL=2 \
    LUNGPORTAL_ENV=production \
    LUNGPORTAL_DATA=/data
RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin lungportal \
 && install -d -o lungportal -g lungportal -m 0700 /data /data/beat /data/storage /data/tmp
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY . .
# The values below only let the settings load; nothing of them stays in the image.
RUN LUNGPORTAL_SECRET_KEY="$(python -c 'import secrets; print(secrets.token_urlsafe(50))')" \
    LUNGPORTAL_ALLOWED_HOSTS=build.invalid DATABASE_URL=postgresql://x@x/x REDIS_URL=redis://x \
    python manage.py collectstatic --no-input --verbosity 0 \
 && python -m compileall -q core accounts patients scans inference reports lungportal
USER 10001:10001
VOLUME /data
EXPOSE 8000
CMD ["gunicorn", "-c", "deploy/gunicorn.conf.py", "lungportal.wsgi:application"]
