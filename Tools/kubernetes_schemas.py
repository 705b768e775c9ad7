#!/usr/bin/env python3
"""Packs the facts about Kubernetes' API into the data files embedded in the program.

Out of:
  * the PyPI package kubernetes-validate (Apache-2.0): fields, types, merge and list keys of every kind,
    per version of Kubernetes;
  * Tools/data/kubernetes/*.json: discovery documents answered by kube-apiserver 1.36: the resource table;
  * Tools/data/kubernetes/protobuf.txt: field numbers of the protobuf encoding;
  * Tools/data/kubernetes/presence.txt: how fields stand when they are empty;
  * Tools/data/kubernetes/columns.txt: printer columns, kept by hand.
Into: Sources/CGenerated/kubernetes/*.txt, described at each writer below.

  Tools/kubernetes_schemas.py           writes the files
  Tools/kubernetes_schemas.py --check   fails when a committed file is not what would be written
  --definitions DIR                     an unpacked kubernetes-validate; else it is fetched with pip
"""

import argparse
import json
import pathlib
import subprocess
import sys
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
DATA = ROOT / "Tools" / "data" / "kubernetes"
OUT = ROOT / "Sources" / "CGenerated" / "kubernetes"
PACKAGE = "kubernetes-validate==1.37.0"
VERSIONS = [32, 33, 34, 35, 36]
ALL = (1 << len(VERSIONS)) - 1

# Subresources that came with a later version than their resource.
SUBRESOURCE_SINCE = {("pods", "resize"): 33}

# Defaults of fields that may be keys of a list and yet be absent; the schemas do not carry them.
KEY_DEFAULTS = {
    ("io.k8s.api.core.v1.ContainerPort", "protocol"): "TCP",
    ("io.k8s.api.core.v1.ServicePort", "protocol"): "TCP",
}

# Types that are a value and not an object with fields.
VALUES = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "q",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "o",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": "t",
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": "u",
    "io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1": "x",
    "io.k8s.apimachinery.pkg.runtime.RawExtension": "x",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Patch": "x",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSON": "X",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrArray": "X",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrBool": "X",
    "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaPropsOrStringArray": "X",
}


def presence():
    """`-` or `+` by type and field."""
    marks = {}
    for text in (DATA / "presence.txt").read_text().splitlines():
        owner, fields = text.split("\t")
        for field in fields.split():
            marks[owner, field[:-1]] = [field[-1]]
    return marks


PRESENCE = presence()


def definitions(folder):
    """The definitions of every version, by minor version and name."""
    if folder is None:
        cache = ROOT / ".build" / "kubernetes-validate"
        folder = cache / "unpacked"
        if not folder.exists():
            cache.mkdir(parents=True, exist_ok=True)
            subprocess.run(
                [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(cache), PACKAGE],
                check=True,
            )
            with zipfile.ZipFile(next(cache.glob("kubernetes_validate-*.whl"))) as wheel:
                wheel.extractall(folder)
    base = pathlib.Path(folder) / "kubernetes_validate" / "kubernetes-json-schema"
    return {
        minor: json.loads((base / f"v1.{minor}.0-local" / "_definitions.json").read_text())["$defs"]
        for minor in VERSIONS
    }


# --- schemas.txt -------------------------------------------------------------------------------------------
# Tab-separated lines. Masks are hexadecimal, bit 0 for 1.32; left out when all versions share the line.
#   T <name> [mask]                    a type; the lines up to the next T are its own
#   A                                  the type is atomic (x-kubernetes-map-type)
#   K <group> <version> <kind> [mask]  a group, version and kind that it has
#   F <name> <shape> <attributes> [mask]
# Shapes: s string, b bool, i int32, l int64, d double, B bytes, q Quantity, t Time, u MicroTime,
#   o IntOrString, x any object, X any value, [S list, {S map, &name a type (io.k8s. left out).
# Attributes, separated by blanks: ! required, L=list type, k=list map keys, M=merge key, P=patch strategies,
#   A atomic map, D=default, E=the values it may have, - left out when empty, + always written.


def main_type(schema):
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next(k for k in kind if k != "null")
    return kind


def shape(schema):
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        return VALUES.get(name, "&" + name.removeprefix("io.k8s."))
    kind, form = main_type(schema), schema.get("format")
    if kind == "string":
        return {"byte": "B", "date-time": "t"}.get(form, "s")
    if kind == "boolean":
        return "b"
    if kind == "integer":
        return "i" if form == "int32" else "l"
    if kind == "number":
        return "d"
    if kind == "array":
        return "[" + shape(schema["items"])
    if kind == "object":
        return "{" + shape(schema["additionalProperties"]) if "additionalProperties" in schema else "x"
    return "X"


def attributes(owner, name, schema, required):
    out = []
    if name in required:
        out.append("!")
    if "x-kubernetes-list-type" in schema:
        out.append("L=" + schema["x-kubernetes-list-type"])
    if "x-kubernetes-list-map-keys" in schema:
        out.append("k=" + ",".join(schema["x-kubernetes-list-map-keys"]))
    if "x-kubernetes-patch-merge-key" in schema:
        out.append("M=" + schema["x-kubernetes-patch-merge-key"])
    if "x-kubernetes-patch-strategy" in schema:
        out.append("P=" + schema["x-kubernetes-patch-strategy"])
    if schema.get("x-kubernetes-map-type") == "atomic":
        out.append("A")
    if (owner, name) in KEY_DEFAULTS:
        out.append("D=" + KEY_DEFAULTS[owner, name])
    out += PRESENCE.get((owner.removeprefix("io.k8s."), name), [])
    values = [v for v in schema.get("enum", []) if isinstance(v, str)]
    if values and name not in ("apiVersion", "kind"):
        assert all(" " not in v and "," not in v for v in values), values
        out.append("E=" + ",".join(values))
    return " ".join(out)


def masked(entries):
    """Entries of each version, in the order of their first appearance, with the mask of versions that have them."""
    masks = {}
    for bit, entry in entries:
        masks[entry] = masks.get(entry, 0) | 1 << bit
    return masks.items()


def line(fields, mask, whole):
    return "\t".join(list(fields) + ([f"{mask:x}"] if mask != whole else []))


def schemas(all_definitions):
    names = sorted({name for version in all_definitions.values() for name in version} - set(VALUES))
    out = []
    for name in names:
        present = [(bit, all_definitions[minor][name]) for bit, minor in enumerate(VERSIONS)
                   if name in all_definitions[minor]]
        whole = sum(1 << bit for bit, _ in present)
        out.append(line(["T", name.removeprefix("io.k8s.")], whole, ALL))
        if any(d.get("x-kubernetes-map-type") == "atomic" for _, d in present):
            out.append("A")
        kinds = [(bit, (k["group"], k["version"], k["kind"])) for bit, d in present
                 for k in d.get("x-kubernetes-group-version-kind", [])]
        out += [line(["K", *kind], mask, whole) for kind, mask in masked(kinds)]
        fields = [(bit, (f, shape(s), attributes(name, f, s, d.get("required", [])))) for bit, d in present
                  for f, s in d.get("properties", {}).items()]
        out += [line(["F", *field], mask, whole)
                for field, mask in sorted(masked(fields), key=lambda e: (e[0][0], e[1]))]
    return out


# --- resources.txt -----------------------------------------------------------------------------------------
# Tab-separated lines in the order in which kube-apiserver tells its groups.
#   R <group> <version> <plural> <singular> <kind> <N|C> <verbs> <short names> <categories> <since> <storage hash>
#   S <name> <group> <version> <kind> <verbs> <since>      a subresource of the resource above


def resources(all_definitions):
    since = {}
    for minor in reversed(VERSIONS):
        for definition in all_definitions[minor].values():
            for kind in definition.get("x-kubernetes-group-version-kind", []):
                since[kind["group"], kind["version"], kind["kind"]] = minor
    legacy = json.loads((DATA / "api-v1-legacy.json").read_text())
    hashes = {r["name"]: r.get("storageVersionHash", "") for r in legacy["resources"]}
    out = []
    for name in ("api-v2.json", "apis-v2.json"):
        for group in json.loads((DATA / name).read_text())["items"]:
            group_name = group["metadata"].get("name", "")
            for version in group["versions"]:
                for r in version["resources"]:
                    kind = r["responseKind"]["kind"]
                    out.append("\t".join([
                        "R", group_name, version["version"], r["resource"], r["singularResource"], kind,
                        r["scope"][0], ",".join(r["verbs"]), ",".join(r.get("shortNames", [])),
                        ",".join(r.get("categories", [])),
                        str(since.get((group_name, version["version"], kind), VERSIONS[0])),
                        hashes.get(r["resource"], "") if group_name == "" else "",
                    ]))
                    for s in r.get("subresources", []):
                        answer = s["responseKind"]
                        out.append("\t".join([
                            "S", s["subresource"], answer["group"], answer["version"], answer["kind"],
                            ",".join(s["verbs"]),
                            str(SUBRESOURCE_SINCE.get((r["resource"], s["subresource"]), VERSIONS[0])),
                        ]))
    return out


# --- protobuf.txt ------------------------------------------------------------------------------------------
# Tab-separated lines.
#   P <short package> <package>
#   M <message>                                a message of that package
#   <number> <json name> <type> <marks>        its fields; [] after a type for repeated, map<k,v>
# Marks: ! always written, ~ its fields stand in the object around it, - not in JSON, 0 left out of JSON at zero.


def protobuf():
    out = []
    for text in (DATA / "protobuf.txt").read_text().splitlines():
        if text.startswith("## "):
            short, package = text[3:].split()
            out.append(f"P\t{short}\t{package.strip('()')}")
        elif ":" in text and text[0].isupper() and out:
            name, fields = text.split(":", 1)
            out.append("M\t" + name)
            for field in filter(None, (f.strip() for f in fields.split(";"))):
                number, proto, kind, *marks = field.split()
                json_name, flags = proto, ""
                for mark in marks:
                    if mark.startswith("="):
                        json_name = mark[1:]
                    else:
                        flags += {"!": "!", "~inline": "~", "~none": "-", "~zero": "0"}[mark]
                out.append("\t".join([number, json_name, kind] + ([flags] if flags else [])))
    return out


def columns():
    return [text for text in (DATA / "columns.txt").read_text().splitlines() if text and not text.startswith("#")]


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--check", action="store_true")
    options.add_argument("--definitions")
    options = options.parse_args()
    all_definitions = definitions(options.definitions)
    files = {
        "schemas.txt": schemas(all_definitions),
        "resources.txt": resources(all_definitions),
        "protobuf.txt": protobuf(),
        "columns.txt": columns(),
    }
    stale = []
    OUT.mkdir(parents=True, exist_ok=True)
    for name, lines in files.items():
        text = "\n".join(lines) + "\n"
        if options.check:
            path = OUT / name
            if not path.exists() or path.read_text() != text:
                stale.append(name)
        else:
            (OUT / name).write_text(text)
            print(f"{name}: {len(text)} bytes")
    if stale:
        sys.exit("stale: " + ", ".join(stale) + "; run Tools/kubernetes_schemas.py")


if __name__ == "__main__":
    main()
