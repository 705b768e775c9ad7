#!/usr/bin/env python3
"""Reads off the Go declarations of Kubernetes' API how each field stands in JSON when it is empty.

  Tools/kubernetes_presence.py DIR     DIR holds checkouts of the modules api, apimachinery and
                                       apiextensions-apiserver (Apache-2.0) as folders of those names

Writes Tools/data/kubernetes/presence.txt, which Tools/kubernetes_schemas.py packs: a line a type, its name and the
fields that differ from what is left out only when it was never said (a pointer):
  name-   left out when empty: a string, number, boolean, list or map that is no pointer, with omitempty
  name+   always written: empty where it was never said; null for lists and maps, {} for structs
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
OUT = ROOT / "Tools" / "data" / "kubernetes" / "presence.txt"
PACKAGES = {
    "apimachinery/pkg/apis/meta": "apimachinery.pkg.apis.meta",
    "apiextensions-apiserver/pkg/apis/apiextensions": "apiextensions-apiserver.pkg.apis.apiextensions",
}
SCALARS = {"string", "bool", "int", "int32", "int64", "uint32", "uint64", "float64", "byte"}
# Structs whose JSON is a value: null when empty, or never empty.
VALUES = {"metav1.Time", "metav1.MicroTime", "Time", "MicroTime"}
OTHER_VALUES = {"resource.Quantity", "intstr.IntOrString"}

STRUCT = re.compile(r"^type (\w+) struct \{\n(.*?)^\}", re.M | re.S)
NAMED = re.compile(r"^type (\w+) ([\w\[\]\.\*]+)", re.M)
FIELD = re.compile(r'^\s+(?:(\w+)\s+)?([\w\[\]\.\*]+)\s+`[^`]*?json:"([^"]*)"', re.M)


def package(path, root):
    parts = path.relative_to(root).parent.as_posix()
    for prefix, name in PACKAGES.items():
        if parts.startswith(prefix + "/"):
            return name + "." + parts[len(prefix) + 1:]
    return parts.replace("/", ".")


def main():
    root = pathlib.Path(sys.argv[1])
    structs, named = {}, {}
    for path in sorted(root.glob("**/types*.go")):
        name = package(path, root)
        if not re.search(r"\.v[0-9][a-z0-9]*$", name):
            continue
        text = path.read_text()
        for match in STRUCT.finditer(text):
            structs[name, match[1]] = [
                (f[1] or "", f[2], f[3].split(",")) for f in FIELD.finditer(match[2])
            ]
        for match in NAMED.finditer(text):
            if match[2] != "struct":
                named[name, match[1]] = match[2]

    def resolve(owner, kind):
        """scalar, collection or struct."""
        if kind in SCALARS:
            return "scalar"
        if kind.startswith("[]") or kind.startswith("map["):
            return "collection"
        if kind in ("types.UID", "metav1.UID"):
            return "scalar"
        where = owner
        if "." in kind:
            alias, kind = kind.split(".", 1)
            where = {
                "metav1": "apimachinery.pkg.apis.meta.v1", "v1": "api.core.v1", "corev1": "api.core.v1",
                "authenticationv1": "api.authentication.v1", "rbacv1": "api.rbac.v1",
            }.get(alias, "")
            if not where:
                return "scalar" if kind in ("StatusReason",) else "struct"
        if (where, kind) in named:
            return resolve(where, named[where, kind])
        return "struct"

    def fields(owner, name, seen=()):
        for _, kind, tag in structs.get((owner, name), []):
            if "inline" in tag or (tag[0] == "" and "inline" in tag[1:]):
                base = kind.lstrip("*")
                if base.split(".")[-1] in ("TypeMeta",):
                    continue
                where = owner
                if base.startswith("v1."):
                    where, base = "api.core.v1", base[3:]
                elif "." in base:
                    continue
                yield from fields(where, base)
                continue
            if tag[0] in ("", "-"):
                continue
            yield tag[0], kind, tag[1:]

    schemas = (ROOT / "Sources" / "CGenerated" / "kubernetes" / "schemas.txt").read_text().splitlines()
    served = {line.split("\t")[1] for line in schemas if line.startswith("T\t")}
    out = []
    for owner, name in sorted(structs):
        marks = {}
        for field, kind, options in fields(owner, name):
            if kind.startswith("*"):
                continue
            if kind in VALUES:
                form = "struct"
            elif kind in OTHER_VALUES:
                continue
            elif kind in ("runtime.RawExtension", "JSON", "FieldsV1", "runtime.Object"):
                continue
            else:
                form = resolve(owner, kind)
            if "omitzero" in options or ("omitempty" in options and form != "struct"):
                marks[field] = "-"
            else:
                marks[field] = "+"
        if marks and f"{owner}.{name}" in served:
            out.append(f"{owner}.{name}\t" + " ".join(f + m for f, m in sorted(marks.items())))
    OUT.write_text("\n".join(out) + "\n")
    print(f"{OUT.name}: {len(out)} types")


if __name__ == "__main__":
    main()
