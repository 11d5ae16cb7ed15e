# The dashboard in a container; docs/deploy.md says how to build and run it.
FROM python:3.11-slim-bookworm

ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1

WORKDIR /app

# The CPU build of torch has no CUDA libraries and is a tenth of the size; --build-arg TORCH_INDEX=https://pypi.org/simple has them.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
COPY requirements.txt ./
RUN pip install --extra-index-url "$TORCH_INDEX" -r requirements.txt Authlib==1.9.9 httpx==0.28.1

COPY app.py ./
COPY .streamlit/config.toml .streamlit/
COPY pages pages
COPY ui ui
COPY ssrvae_core ssrvae_core

# Nothing of the program belongs to the user it runs as; the store does.
RUN useradd --uid 10001 --user-group --create-home --shell /usr/sbin/nologin ssrvae \
    && install -d -o ssrvae -g ssrvae /store
USER 10001:10001
VOLUME /store

# Whoever starts a container for others to look at has to ask for more, not for less.
ENV SSRVAE_STORE=/store \
    SSRVAE_MODE=viewer \
    SSRVAE_CONTAINER=1
EXPOSE 8501

HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; p = os.environ.get('STREAMLIT_SERVER_BASE_URL_PATH', '').strip('/'); r.urlopen('http://127.0.0.1:8501' + (p and '/' + p) + '/_stcore/health', timeout=4)"]

# All addresses of the container; which of the host's reach it is the business of `docker run --publish`.
CMD ["python", "-m", "ui.serve", "0.0.0.0", "8501"]
