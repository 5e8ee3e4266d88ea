# The service alone: what it takes to predict and to serve, without PyTorch. See docs/serving.md.

# The Python that constraints.txt was made with.
FROM python:3.11-slim AS build
WORKDIR /source
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src ./src
RUN python -m venv /opt/inkwise \
 && /opt/inkwise/bin/pip install --no-cache-dir --constraint constraints.txt '.[serve]'

FROM python:3.11-slim
COPY --from=build /opt/inkwise /opt/inkwise
ENV PATH=/opt/inkwise/bin:$PATH PYTHONUNBUFFERED=1
USER 10001:10001
EXPOSE 8000
# In the shell's place, so that SIGTERM and SIGHUP reach it.
ENTRYPOINT ["inkwise", "serve", "--host", "0.0.0.0", "--port", "8000"]
HEALTHCHECK --interval=10s --timeout=3s --start-period=15s CMD ["python", "-c", \
  "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/v2/health/ready', timeout=2)"]
