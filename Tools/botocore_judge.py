#!/usr/bin/env python3
"""botocore as the judge of our AWS codecs. Used by the tests; prints and reads one JSON value per line.

  requests   makes inputs for every operation of every packed service and prints how botocore writes them
  signed     prints requests that botocore has signed, by header and by query
  answers    reads answers that we wrote, with what they should say, and prints what botocore reads otherwise
"""

import base64
import datetime
import json
import random
import sys
from urllib.parse import quote, urlencode, urlsplit

import botocore.loaders
import botocore.model
import botocore.parsers
import botocore.serialize
from botocore import auth, awsrequest, credentials
from botocore.awsrequest import HeadersDict

from aws_models import SERVICES

DEPTH = 5


def formats(service):
    """The formats in which a service is judged, the one that we prefer first."""
    metadata = botocore.loaders.Loader().load_service_model(service, "service-2")["metadata"]
    found = metadata.get("protocols", [metadata["protocol"]])
    return sorted(found, key=lambda name: "cbor" in name)


def model(service, protocol):
    loader = botocore.loaders.Loader()
    data = loader.load_service_model(service, "service-2")
    data["metadata"]["protocol"] = protocol
    return botocore.model.ServiceModel(data, service)


class Maker:
    """Values for shapes: as botocore takes them, and in our canonical form."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def make(self, shape, depth=0):
        kind = shape.type_name
        r = self.random
        if kind == "structure":
            given, canonical = {}, {}
            for name, member in shape.members.items():
                is_place = member.serialization.get("location") == "uri"
                if not is_place and (depth >= DEPTH or r.random() < 0.35):
                    continue
                given[name], canonical[name] = self.make(member, depth + 1)
            return given, canonical
        if kind == "list":
            pairs = [self.make(shape.member, depth + 1) for _ in range(r.randint(1, 2))]
            return [p[0] for p in pairs], [p[1] for p in pairs]
        if kind == "map":
            given, canonical = {}, {}
            for _ in range(r.randint(1, 2)):
                key = f"k{r.randint(0, 99)}" if not shape.key.enum else r.choice(shape.key.enum)
                given[key], canonical[key] = self.make(shape.value, depth + 1)
            return given, canonical
        if kind == "string":
            if shape.enum:
                value = r.choice(shape.enum)
            else:
                value = r.choice(["a", "b c", "arn:aws:iam::111122223333:role/x", 'x<&">y', "ключ", "1+1=2&3%20", "~-._"])
            return value, value
        if kind == "character":
            return "c", "c"
        if kind in ("integer", "long"):
            value = r.choice([0, 1, 7, -3, 65535])
            return value, value
        if kind in ("double", "float"):
            value = r.choice([0.5, 2.25, -1.5])
            return value, value
        if kind == "boolean":
            value = r.random() < 0.5
            return value, value
        if kind == "timestamp":
            value = r.choice([1704164645, 0, 1893456000])
            return datetime.datetime.fromtimestamp(value, datetime.timezone.utc), value
        if kind == "blob":
            value = r.choice([b"", b"a", b"bytes\x00\xff"])
            return value, base64.b64encode(value).decode()
        raise SystemExit(f"a shape of kind {kind}")


def requests():
    for service, protocol in [(service, protocol) for service in SERVICES for protocol in formats(service)]:
        described = model(service, protocol)
        serializer = botocore.serialize.create_serializer(protocol, include_validation=False)
        for name in described.operation_names:
            operation = described.operation_model(name)
            for seed in range(3):
                maker = Maker(f"{service}.{name}.{seed}")
                given, canonical = maker.make(operation.input_shape) if operation.input_shape else ({}, {})
                # Tokens are made up by botocore where they lack.
                for token in operation.idempotent_members:
                    given.setdefault(token, "token")
                    canonical.setdefault(token, "token")
                out = serializer.serialize_to_request(given, operation)
                body = out["body"]
                if isinstance(body, dict):
                    body = urlencode(body, doseq=True, quote_via=quote)
                if isinstance(body, str):
                    body = body.encode()
                path, _, fixed = out["url_path"].partition("?")
                query = out["query_string"]
                if not isinstance(query, str):
                    query = urlencode(query, doseq=True, quote_via=quote) if query else ""
                query = "&".join(part for part in (fixed, query) if part)
                print(
                    json.dumps(
                        {
                            "service": service,
                            "format": protocol,
                            "operation": name,
                            "input": canonical,
                            "method": out["method"],
                            "path": quote(path, safe="/%~-._") or "/",
                            "query": query,
                            "headers": {k: v for k, v in out["headers"].items()},
                            "body": base64.b64encode(body).decode(),
                        }
                    )
                )


def signed():
    """Requests with a signature each, of 2024-01-02T03:04:05Z."""
    maker = random.Random("signed")
    stamp = "20240102T030405Z"
    paths = ["/", "/clusters/demo", "/clusters/a%2Fb/access-entries/arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fx", "/a//b/../c/./d/", "/~-._"]
    queries = ["", "Action=GetCallerIdentity&Version=2011-06-15", "b=2&a=1&a=0&c", "tagKeys=a%20b&tagKeys=%D0%BA", "x=%2F%3D&y="]
    bodies = [b"", b"{}", b"Action=X&Y=\xff\x00"]
    for turn in range(200):
        token = maker.choice([None, "IQoJb3JpZ2luX2VjE+/=="])
        keys = credentials.Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", token)
        by_query = maker.random() < 0.4
        query = maker.choice(queries)
        url = "http://localhost:4566" + maker.choice(paths) + ("?" + query if query else "")
        headers = {}
        if maker.random() < 0.5:
            headers["X-K8s-Aws-Id"] = maker.choice(["demo", "  a   b "])
        method = "GET" if by_query else maker.choice(["GET", "POST", "PUT"])
        request = awsrequest.AWSRequest(
            method=method, url=url, headers=headers, data=b"" if by_query else maker.choice(bodies)
        )
        region, name = maker.choice([("us-east-1", "sts"), ("eu-west-1", "eks")])
        signer = (auth.SigV4QueryAuth if by_query else auth.SigV4Auth)(keys, name, region)
        request.context["timestamp"] = stamp
        auth.get_current_datetime = lambda: datetime.datetime(2024, 1, 2, 3, 4, 5)
        signer.add_auth(request)
        parts = urlsplit(request.url)
        print(
            json.dumps(
                {
                    "method": method,
                    "path": parts.path,
                    "query": parts.query,
                    "headers": [["Host", "localhost:4566"]] + [[k, v] for k, v in request.headers.items()],
                    "body": base64.b64encode(request.data or b"").decode(),
                    "region": region,
                    "service": name,
                    "token": token,
                }
            )
        )


def plain(value):
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, datetime.datetime):
        return round(value.timestamp() * 1000) / 1000
    if isinstance(value, (bytes, bytearray)):
        return base64.b64encode(bytes(value)).decode()
    return value


def answers():
    models = {}
    for line in sys.stdin:
        case = json.loads(line)
        name = case["service"], case["format"]
        if name not in models:
            models[name] = model(*name), botocore.parsers.create_parser(case["format"])
        described, parser = models[name]
        operation = described.operation_model(case["operation"])
        response = {
            "status_code": case["status"],
            "headers": HeadersDict({k: v for k, v in case["headers"]}),
            "body": base64.b64decode(case["body"]),
        }
        try:
            found = plain(parser.parse(response, operation.output_shape))
        except Exception as error:
            found = {"failed": repr(error)}
        meta = found.pop("ResponseMetadata", {})
        if case["status"] >= 300:
            found = found.get("Error", {})
            found = {"Code": found.get("Code"), "Message": found.get("Message")}
        problems = []
        if found != case["output"]:
            problems.append({"expected": case["output"], "found": found})
        # Of an empty CBOR answer botocore keeps the id among the headers only.
        if meta.get("RequestId", meta.get("HTTPHeaders", {}).get("x-amzn-requestid")) != case["requestID"]:
            problems.append({"expected": case["requestID"], "found": meta})
        for problem in problems:
            print(json.dumps({"service": case["service"], "format": case["format"], "operation": case["operation"], **problem}))


if __name__ == "__main__":
    {"requests": requests, "signed": signed, "answers": answers}[sys.argv[1]]()
