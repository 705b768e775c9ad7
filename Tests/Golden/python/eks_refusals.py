"""Every constraint of the models of EKS and EKS Auth, broken one at a time by raw HTTP: each request must be refused
for that reason, wherever in the input it stands.

The models are botocore's, its own checks are off. Prints how many were tried, and each that was not refused as it should.
"""
import copy
import re
import sys

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

tried = 0
wrong = []


def fitting(shape, name):
    """The least that the model takes."""
    kind = shape.type_name
    if kind == "structure":
        wanted = shape.required_members
        return {m: fitting(shape.members[m], m) for m in wanted}
    if kind == "list":
        return [fitting(shape.member, name)] * max(1, shape.metadata.get("min", 1))
    if kind == "map":
        return {"a": "b"}
    if kind == "string":
        if shape.enum:
            return shape.enum[0]
        pattern = shape.metadata.get("pattern")
        for text in ("a" * max(1, shape.metadata.get("min", 1)), "arn:aws:iam::000000000000:role/a", "10.0.0.0/16"):
            if not pattern or re.fullmatch(pattern, text):
                return text
        return "a"
    if kind in ("integer", "long"):
        return shape.metadata.get("min", 1)
    return {"boolean": True, "timestamp": 1_795_000_000, "double": 1.0, "float": 1.0}.get(kind, "a")


def breaches(shape):
    """Values that break one constraint each, with what the refusal says of it."""
    kind = shape.type_name
    if kind == "string" and shape.enum:
        yield "no-such-value", "Member must satisfy enum value set"
    if kind == "string":
        if shape.metadata.get("min", 0) > 0 and not shape.enum:
            yield "a" * (shape.metadata["min"] - 1), "Member must have length greater than or equal to"
        if "max" in shape.metadata and shape.metadata["max"] < 5000:
            yield "a" * (shape.metadata["max"] + 1), "Member must have length less than or equal to"
        if "pattern" in shape.metadata and not re.fullmatch(shape.metadata["pattern"], "!!"):
            yield "!!", "Member must satisfy regular expression pattern"
    if kind in ("integer", "long"):
        if "min" in shape.metadata:
            yield shape.metadata["min"] - 1, "Member must have value greater than or equal to"
        if "max" in shape.metadata:
            yield shape.metadata["max"] + 1, "Member must have value less than or equal to"
    if kind in ("list", "map"):
        if shape.metadata.get("min", 0) > 0:
            yield ([] if kind == "list" else {}), "Member must have length greater than or equal to"
        if kind == "list" and shape.metadata.get("max", 5000) < 5000:
            yield [fitting(shape.member, "")] * (shape.metadata["max"] + 1), "Member must have length less than or equal to"


def ask(client, operation, params, what, text):
    global tried
    tried += 1
    try:
        getattr(client, xform_name(operation))(**params)
        wrong.append(f"{operation} {what}: taken")
    except ClientError as error:
        told = error.response["Error"]
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 400 or text not in told["Message"]:
            wrong.append(f"{operation} {what}: {told['Code']}: {told['Message'][:200]}")


def with_value(params, path, value):
    """The parameters with another value at a path, which is there up to its last step."""
    changed = copy.deepcopy(params)
    here = changed
    for step in path[:-1]:
        here = here[step]
    if value is None:
        here.pop(path[-1], None)
    else:
        here[path[-1]] = value
    return changed


def walk(client, operation, params, shape, path, outer):
    """The members of a structure that stands at a path of the parameters."""
    for name, member in shape.members.items():
        location = member.serialization.get("location")
        here = path + [name]
        if name in shape.required_members and location != "uri":
            ask(client, operation, with_value(params, here, None), f"{dotted(here)} missing", "Member must not be null")
        check(client, operation, params, member, here, location, outer)


def check(client, operation, params, shape, path, location, outer):
    """One value, and what stands in it."""
    for value, text in breaches(shape):
        # An empty list in a query is one that is not there, an empty name in a path another path.
        if location == "querystring" and value in ([], {}) or location == "uri" and value == "":
            continue
        ask(client, operation, with_value(params, path, value), f"{dotted(path)}={str(value)[:20]}", text)
    if shape.name in outer or location:
        return
    inside = fitting(shape, str(path[-1]))
    if shape.type_name == "structure":
        walk(client, operation, with_value(params, path, inside), shape, path, outer + [shape.name])
    if shape.type_name == "list":
        check(client, operation, with_value(params, path, inside or [None]), shape.member, path + [0], None,
              outer + [shape.name])
    if shape.type_name == "map":
        for value, text in breaches(shape.key):
            if value:
                ask(client, operation, with_value(params, path, {value: fitting(shape.value, "")}),
                    f"{dotted(path)}: key {value[:20]}", text)
        check(client, operation, with_value(params, path, {"a": fitting(shape.value, "")}), shape.value, path + ["a"],
              None, outer + [shape.name])


def dotted(path):
    return ".".join(str(step) for step in path)


count = {}
for service in ("eks", "eks-auth"):
    client = boto3.client(service, config=Config(parameter_validation=False, retries={"max_attempts": 1}))
    model = client.meta.service_model
    for operation in model.operation_names:
        shape = model.operation_model(operation).input_shape
        if shape is not None:
            before = tried
            walk(client, operation, fitting(shape, operation), shape, [], [])
            count[operation] = tried - before

print(f"tried {tried} on {len(count)} operations, wrong {len(wrong)}")
for line in wrong:
    print(line)
sys.exit(1 if wrong or tried < 240 else 0)
