# muybridge with pip alone. See docs/install.md.
FROM python:3.12-slim

# Torch's index: the CPU build by default; pytorch.org names those of each CUDA version.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
# Debian packages to add, "unar" for RAR archives.
ARG PACKAGES=""

RUN if [ -n "$PACKAGES" ]; then \
        apt-get update && apt-get install --yes --no-install-recommends $PACKAGES && rm -rf /var/lib/apt/lists/*; \
    fi

# Torch alone, so that a change of the sources does not load it again.
COPY constraints.txt /tmp/muybridge/
RUN python -m pip install --no-cache-dir --constraint /tmp/muybridge/constraints.txt --index-url "$TORCH_INDEX" \
        --extra-index-url https://pypi.org/simple torch==2.13.0

COPY LICENSE README.md pyproject.toml /tmp/muybridge/
COPY src /tmp/muybridge/src
RUN python -m pip install --no-cache-dir --constraint /tmp/muybridge/constraints.txt /tmp/muybridge && \
    rm -rf /tmp/muybridge && \
    useradd --create-home --uid 1000 muybridge && \
    mkdir --mode=1777 /work

USER muybridge
WORKDIR /work
# The caches of frames and weights; a folder that any user may write, for --user.
ENV HOME=/tmp PYTHONUNBUFFERED=1
ENTRYPOINT ["muybridge"]
CMD ["--help"]
