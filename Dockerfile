# A slim image that serves an index:
#   python -m build --wheel && docker build -t xetrieval .
#   docker run -p 8321:8321 -e XETRIEVAL_TOKEN=secret -v "$PWD/my-index:/index" xetrieval
FROM python:3.12-slim
SHELL ["/bin/bash", "-o", "pipefail", "-c"]

# PyTorch without graphics cards, then the wheel with its page, its search by words and its encoder.
COPY constraints.txt dist/*.whl /tmp/install/
RUN pip install --no-cache-dir --index-url https://download.pytorch.org/whl/cpu torch==2.13.0 \
    && pip install --no-cache-dir -c /tmp/install/constraints.txt "$(ls /tmp/install/*.whl)[minilm,ui,index]" \
    && rm -r /tmp/install \
    && useradd --create-home --uid 1000 xetrieval

USER 1000
ENV XETRIEVAL_CACHE=/tmp/xetrieval HF_HUB_OFFLINE=1
VOLUME /index
EXPOSE 8321
# Any answer below 500 is a server that is up; without the token it is 401.
HEALTHCHECK --start-period=60s CMD ["python", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8321, timeout=5); c.request('GET', '/v1/health'); exit(c.getresponse().status >= 500)"]
ENTRYPOINT ["xetrieval", "serve"]
CMD ["/index", "--host", "0.0.0.0"]
