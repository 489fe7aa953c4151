# docker build -f docker/cpu.Dockerfile -t ib-bench:cpu .
FROM python:3.11-slim

# PyPI's torch for Linux carries CUDA; PyTorch's own index has the build without it.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu

# Layers in the order in which they change: torch, the other dependencies, the package.
WORKDIR /opt/ib_bench
COPY constraints.txt ./
RUN pip install --no-cache-dir --index-url "${TORCH_INDEX}" "$(grep '^torch==' constraints.txt)"
COPY pyproject.toml ./
RUN python -c "import tomllib; print('\n'.join(tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies']))" \
        > requirements.txt \
    && pip install --no-cache-dir --constraint constraints.txt --requirement requirements.txt
COPY README.md LICENSE ./
COPY configs ./configs
COPY ib_bench ./ib_bench
RUN pip install --no-cache-dir --no-deps .

# Not in the home: a user with another id (--user) may not enter that.
RUN useradd --create-home --uid 1000 bench && install --directory --owner bench --group bench /work
USER bench
# Stores, figures and W&B runs go to the working folder: mount one there to keep them.
WORKDIR /work
ENTRYPOINT ["ib-bench"]
CMD ["--help"]
