"""A store on this machine that speaks S3, and what was asked of it."""

import os
from collections import Counter
from contextlib import contextmanager
from urllib.parse import unquote, urlsplit

import pytest

from audit import remote

BUCKET = "photos-of-tests"
_SETTINGS = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing",
             "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
             "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "AWS_CONFIG_FILE": os.devnull}


class Bucket:
    """One bucket of a local S3 server.

    `requests` holds method, key (with the query for a listing) and status of each request.
    """

    def __init__(self, client, endpoint, requests):
        self.client, self.endpoint, self.requests = client, endpoint, requests
        self.url = f"s3://{BUCKET}"
        self.environment = {**_SETTINGS, "AWS_ENDPOINT_URL": endpoint}

    def put(self, key, content):
        self.client.put_object(Bucket=BUCKET, Key=key, Body=content)

    def remove(self, key):
        self.client.delete_object(Bucket=BUCKET, Key=key)

    def content(self, key):
        return self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def upload(self, folder, prefix):
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                self.put(f"{prefix}/{path.relative_to(folder).as_posix()}", path.read_bytes())

    def contents(self):
        """Key → ETag of all objects."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        return {one["Key"]: one["ETag"]
                for page in pages for one in page.get("Contents", [])}

    def read(self):
        """How often each key was read."""
        return Counter(key for method, key, _ in self.requests
                       if method == "GET" and "list-type" not in key)

    def listings(self):
        return [key for _, key, _ in self.requests if "list-type" in key]

    def others(self):
        """Requests that neither list nor read."""
        return [one for one in self.requests if one[0] != "GET"]


@contextmanager
def served_bucket():
    """A `Bucket` whose settings are in the environment."""
    server_of = pytest.importorskip("moto.server", reason="moto is not installed")
    pytest.importorskip("flask", reason="moto's server needs flask")
    pytest.importorskip("s3fs", reason="the extra [remote] is not installed")
    boto3 = pytest.importorskip("boto3")
    handler = pytest.importorskip("werkzeug.serving").WSGIRequestHandler
    requests = []

    def log_request(self, code="-", _size="-"):
        address = urlsplit(self.path)
        key = unquote(address.path).removeprefix(f"/{BUCKET}").removeprefix("/")
        requests.append((self.command, f"{key}?{address.query}" if address.query else key,
                         int(code)))

    with pytest.MonkeyPatch.context() as patch:
        for name in [one for one in os.environ if one.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in _SETTINGS.items():
            patch.setenv(name, value)
        patch.setattr(handler, "log_request", log_request)
        server = server_of.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        endpoint = f"http://{host}:{port}"
        patch.setenv("AWS_ENDPOINT_URL", endpoint)
        client = boto3.client("s3", endpoint_url=endpoint)
        client.create_bucket(Bucket=BUCKET)
        requests.clear()
        try:
            yield Bucket(client, endpoint, requests)
        finally:
            forget_stores()
            server.stop()


def forget_stores():
    """Let the next URL open its store anew, with the settings of then."""
    fsspec = pytest.importorskip("fsspec", reason="the extra [remote] is not installed")
    remote._store.cache_clear()
    for one in ("s3", "memory"):
        fsspec.get_filesystem_class(one).clear_instance_cache()
