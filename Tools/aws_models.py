#!/usr/bin/env python3
"""Packs AWS service models into Sources/CGenerated/aws, without any of their prose.

The models come from the PyPI package botocore (Apache-2.0). Run without arguments to write,
with --check to fail when what is committed differs from what would be written. The check needs
the botocore version that is named in aws/VERSION.

One text per service. Line 1 tells the service, then come the operations in alphabetical order, then
the shapes; a shape is referred to by its number. Fields are parted by tabs.

  operation  name method uri input output errors @key=value…
  structure  {  @key=value…  member…
  list       [  @key=value…  element
  map        :  @key=value…  key value
  string     s  @key=value…  enum value…
  others     i l d f b t x (integer long double float boolean timestamp blob)  @key=value…

  member     name shape [!] [key=value]…  parted by spaces, where ! is required, u q h H c its place
             (path, query, header, header prefix, status), n the name on the wire, Q that of EC2's query,
             ~ flattened, A an XML attribute, * an idempotency token, S a stream, x an XML namespace,
             t a timestamp format
"""

import gzip
import json
import os
import sys

SERVICES = [
    "autoscaling",
    "cloudformation",
    "cloudtrail",
    "cloudwatch",
    "ec2",
    "eks",
    "eks-auth",
    "elbv2",
    "iam",
    "kms",
    "logs",
    "organizations",
    "route53",
    "ssm",
    "sts",
]

KINDS = {
    "string": "s",
    "character": "s",
    "integer": "i",
    "long": "l",
    "double": "d",
    "float": "f",
    "boolean": "b",
    "timestamp": "t",
    "blob": "x",
}

LOCATIONS = {"uri": "u", "querystring": "q", "header": "h", "headers": "H", "statusCode": "c"}

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "Sources", "CGenerated")


def clean(text):
    text = str(text)
    if any(c in text for c in "\t\n\r"):
        raise SystemExit(f"a tab or line break in {text!r}")
    return text


def word(text):
    text = clean(text)
    if " " in text:
        raise SystemExit(f"a space in {text!r}")
    return text


def number(value):
    return str(int(value)) if float(value).is_integer() else repr(value)


class Packer:
    def __init__(self, model, paginators):
        self.model = model
        self.paginators = paginators
        self.shapes = model["shapes"]
        self.line_of = {}
        self.number_of_line = {}
        self.lines = []
        self.stack = []

    def attributes(self, pairs):
        return ["@" + key if value is True else f"@{key}={clean(value)}" for key, value in pairs if value]

    def member(self, name, ref, required=False):
        shape = self.shapes[ref["shape"]]
        parts = [word(name), str(self.shape(ref["shape"]))]
        if required:
            parts.append("!")
        wire = ref.get("locationName")
        if ref.get("location"):
            parts.append(f"{LOCATIONS[ref['location']]}={word(wire or name)}")
        elif wire and wire != name:
            parts.append(f"n={word(wire)}")
        if ref.get("queryName"):
            parts.append(f"Q={word(ref['queryName'])}")
        if ref.get("flattened"):
            parts.append("~")
        if ref.get("xmlAttribute"):
            parts.append("A")
        if ref.get("idempotencyToken"):
            parts.append("*")
        if ref.get("streaming") or shape.get("streaming"):
            parts.append("S")
        if ref.get("xmlNamespace"):
            namespace = ref["xmlNamespace"]
            parts.append("x=" + word(namespace["uri"] if isinstance(namespace, dict) else namespace))
        if ref.get("timestampFormat"):
            parts.append("t=" + word(ref["timestampFormat"]))
        return " ".join(parts)

    def shape(self, name):
        """The number of a shape; equal lines share one, shapes that hold themselves keep one of their own."""
        if name in self.line_of:
            return self.line_of[name]
        if name in self.stack:
            # A cycle: the number is given before the line is known.
            self.line_of[name] = len(self.lines)
            self.lines.append(None)
            return self.line_of[name]
        self.stack.append(name)
        shape = self.shapes[name]
        kind = shape["type"]
        bounds = [(key, number(shape[key]) if key in shape else None) for key in ("min", "max")]
        if kind == "structure":
            error = shape.get("error", {})
            is_error = shape.get("exception") or error
            fields = ["{"] + self.attributes(
                [
                    ("name", name if is_error else None),
                    ("code", error.get("code") if error.get("code") != name else None),
                    ("status", error.get("httpStatusCode")),
                    ("fault", bool(shape.get("fault"))),
                    ("payload", shape.get("payload")),
                    ("element", shape.get("locationName")),
                    ("namespace", (shape.get("xmlNamespace") or {}).get("uri")),
                    ("union", bool(shape.get("union"))),
                    ("stream", bool(shape.get("eventstream"))),
                ]
            )
            needed = set(shape.get("required", []))
            fields += [self.member(key, ref, key in needed) for key, ref in shape["members"].items()]
        elif kind == "list":
            fields = ["["] + self.attributes(bounds + [("flat", bool(shape.get("flattened")))])
            fields.append(self.member("-", shape["member"]))
        elif kind == "map":
            fields = [":"] + self.attributes(bounds + [("flat", bool(shape.get("flattened")))])
            fields += [self.member("-", shape["key"]), self.member("-", shape["value"])]
        else:
            fields = [KINDS[kind]] + self.attributes(
                bounds
                + [
                    ("p", shape.get("pattern")),
                    ("t", shape.get("timestampFormat")),
                    ("secret", bool(shape.get("sensitive"))),
                ]
            )
            for value in shape.get("enum", []):
                if value.startswith("@"):
                    raise SystemExit(f"an enum value that starts as an attribute: {value}")
                fields.append(clean(value))
        line = "\t".join(fields)
        self.stack.pop()
        if name in self.line_of:
            self.lines[self.line_of[name]] = line
        elif line in self.number_of_line:
            self.line_of[name] = self.number_of_line[line]
        else:
            self.line_of[name] = self.number_of_line[line] = len(self.lines)
            self.lines.append(line)
        return self.line_of[name]

    def operation(self, name):
        operation = self.model["operations"][name]
        http = operation["http"]
        given = operation.get("input", {})
        result = operation.get("output", {})

        def of(ref):
            return str(self.shape(ref["shape"])) if ref.get("shape") else "-"

        errors = ",".join(str(self.shape(error["shape"])) for error in operation.get("errors", []))
        page = self.paginators.get(name, {})

        def listed(key):
            value = page.get(key)
            return ",".join(value) if isinstance(value, list) else value

        namespace = given.get("xmlNamespace") or {}
        fields = [word(name), word(http["method"]), word(http["requestUri"]), of(given), of(result), errors or "-"]
        fields += self.attributes(
            [
                ("status", http.get("responseCode") if http.get("responseCode") != 200 else None),
                ("wrapper", result.get("resultWrapper")),
                ("element", given.get("locationName")),
                ("namespace", namespace.get("uri") if isinstance(namespace, dict) else namespace),
                ("unsigned", operation.get("authtype") == "none"),
                ("host", operation.get("endpoint", {}).get("hostPrefix")),
                ("tokenin", listed("input_token")),
                ("tokenout", listed("output_token")),
                ("more", page.get("more_results")),
                ("limit", page.get("limit_key")),
                ("pages", listed("result_key")),
            ]
        )
        return "\t".join(fields)

    def text(self, service):
        meta = self.model["metadata"]
        operations = [self.operation(name) for name in sorted(self.model["operations"])]
        formats = [p for p in meta.get("protocols", [meta["protocol"]]) if p != "smithy-rpc-v2-cbor"]
        namespace = meta.get("xmlNamespace")
        if service == "ec2":
            # The answers of EC2 end it with a slash.
            namespace = namespace.rstrip("/") + "/"
        if service == "route53":
            # The model has it on the inputs only.
            namespace = "https://route53.amazonaws.com/doc/2013-04-01/"
        head = [service] + self.attributes(
            [
                ("id", meta["serviceId"]),
                ("formats", ",".join(formats)),
                ("version", meta["apiVersion"]),
                ("signing", meta.get("signingName", meta["endpointPrefix"])),
                ("endpoint", meta["endpointPrefix"]),
                ("global", meta.get("globalEndpoint")),
                ("target", meta.get("targetPrefix")),
                ("json", meta.get("jsonVersion")),
                ("namespace", namespace),
                ("querycompatible", "awsQueryCompatible" in meta),
                ("operations", len(operations)),
                ("shapes", len(self.lines)),
            ]
        )
        return "\n".join(["\t".join(head)] + operations + self.lines) + "\n"


def accessors(names):
    """The C file that embeds the texts."""
    out = ["// Written by Tools/aws_models.py.", '#include "CGenerated.h"', ""]
    for index, name in enumerate(names):
        out += [f"static const unsigned char model{index}[] = {{", f'#embed "aws/{name}.txt"', "};", ""]
    out += ["static const struct { const unsigned char *bytes; size_t size; } models[] = {"]
    out += [f"  {{model{index}, sizeof model{index}}}," for index in range(len(names))]
    out += [
        "};",
        "",
        "size_t ekswhy_aws_model_count(void) { return sizeof models / sizeof models[0]; }",
        "const unsigned char *ekswhy_aws_model(size_t index) { return models[index].bytes; }",
        "size_t ekswhy_aws_model_size(size_t index) { return models[index].size; }",
    ]
    return "\n".join(out) + "\n"


def load(path):
    for name, opener in ((path, open), (path + ".gz", gzip.open)):
        if os.path.exists(name):
            with opener(name, "rt", encoding="utf-8") as file:
                return json.load(file)
    return {}


def generate():
    import botocore

    data = os.path.join(os.path.dirname(botocore.__file__), "data")
    files = {"aws/VERSION": f"botocore {botocore.__version__}\n", "aws_models.c": accessors(SERVICES)}
    for service in SERVICES:
        version = sorted(os.listdir(os.path.join(data, service)))[-1]
        folder = os.path.join(data, service, version)
        model = load(os.path.join(folder, "service-2.json"))
        extras = load(os.path.join(folder, "service-2.sdk-extras.json"))
        for part, values in extras.get("merge", {}).items():
            model[part].update(values)
        paginators = load(os.path.join(folder, "paginators-1.json")).get("pagination", {})
        files[f"aws/{service}.txt"] = Packer(model, paginators).text(service)
    return files


def main():
    if "--check" in sys.argv[1:]:
        import botocore

        made_with = open(os.path.join(ROOT, "aws", "VERSION"), encoding="utf-8").read().split()[-1]
        if made_with != botocore.__version__:
            print(f"the models were made with botocore {made_with}, this is {botocore.__version__}", file=sys.stderr)
            sys.exit(3)
    files = generate()
    if "--check" in sys.argv[1:]:
        stale = []
        for name, text in files.items():
            path = os.path.join(ROOT, name)
            if not os.path.exists(path) or open(path, encoding="utf-8").read() != text:
                stale.append(name)
        folder = os.path.join(ROOT, "aws")
        stale += [f"aws/{name}" for name in os.listdir(folder) if f"aws/{name}" not in files]
        if stale:
            sys.exit("stale, run Tools/aws_models.py: " + ", ".join(sorted(stale)))
        return
    os.makedirs(os.path.join(ROOT, "aws"), exist_ok=True)
    for name, text in files.items():
        with open(os.path.join(ROOT, name), "w", encoding="utf-8") as file:
            file.write(text)


if __name__ == "__main__":
    main()
