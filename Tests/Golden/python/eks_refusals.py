"""Every constraint of the EKS model, broken one at a time by raw HTTP: each request must be refused for that reason.

The model is botocore's, its own checks are off. Prints how many were tried, and each that was not refused as it should.
"""
import re
import sys

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.exceptions import ClientError

eks = boto3.client("eks", config=Config(parameter_validation=False, retries={"max_attempts": 1}))
model = eks.meta.service_model
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


def ask(operation, params, what, text):
    global tried
    tried += 1
    method = xform_name(operation)
    try:
        getattr(eks, method)(**params)
        wrong.append(f"{operation} {what}: taken")
    except ClientError as error:
        told = error.response["Error"]
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 400 or text not in told["Message"]:
            wrong.append(f"{operation} {what}: {told['Code']}: {told['Message'][:200]}")


def with_value(params, path, value):
    """The parameters with one more value, at a path that is made where it is missing."""
    copy = dict(params)
    here = copy
    for step in path[:-1]:
        here[step] = dict(here.get(step) or {})
        here = here[step]
    if value is None:
        here.pop(path[-1], None)
    else:
        here[path[-1]] = value
    return copy


def walk(operation, params, shape, path, depth):
    for name, member in shape.members.items():
        location = member.serialization.get("location")
        here = path + [name]
        if name in shape.required_members and location != "uri":
            ask(operation, with_value(params, here, None), f"{'.'.join(here)} missing", "Member must not be null")
        if location != "uri":
            for value, text in breaches(member):
                # An empty list in a query is one that is not there.
                if location == "querystring" and value == []:
                    continue
                ask(operation, with_value(params, here, value), f"{'.'.join(here)}={str(value)[:20]}", text)
        if member.type_name == "structure" and depth < 3:
            inside = with_value(params, here, {**fitting(member, name), **(params.get(name) or {})} if not path else None)
            if not path:
                walk(operation, inside, member, here, depth + 1)


for operation in model.operation_names:
    shape = model.operation_model(operation).input_shape
    if shape is not None:
        walk(operation, fitting(shape, operation), shape, [], 0)

print(f"tried {tried}, wrong {len(wrong)}")
for line in wrong:
    print(line)
sys.exit(1 if wrong or tried < 150 else 0)
