#!/usr/bin/env python3
"""Packs the rules of the time zones that CronJobs may name into Sources/CTimeZones/zones.txt.

Reads the machine's /usr/share/zoneinfo. A line holds an offset east of UTC in seconds, a tab, and the names of the
zones that are there; zones with summer time have `OFFSET SUMMER BEGIN END` before the tab, where BEGIN and END are
month.week.weekday/seconds of the local day, as a POSIX TZ string has them. Zones that follow no such rule have their
coming changes instead: `@ OFFSET TIME=OFFSET TIME=OFFSET ...`, in seconds since 1970.
"""
import pathlib, re, struct, zoneinfo

ROOT = pathlib.Path("/usr/share/zoneinfo")
OUT = pathlib.Path(__file__).resolve().parent.parent / "Sources/CTimeZones/zones.txt"
SINCE = 1767225600  # 2026-01-01


def seconds(text):
    sign = -1 if text.startswith("-") else 1
    parts = [int(part) for part in text.lstrip("+-").split(":")] + [0, 0]
    return sign * (parts[0] * 3600 + parts[1] * 60 + parts[2])


NAME = r"(?:<[^>]+>|[A-Za-z]+)"
TIME = r"[+-]?\d+(?::\d+)*"


def posix(text):
    match = re.fullmatch(rf"{NAME}({TIME})(?:{NAME}({TIME})?,M([\d.]+)(?:/({TIME}))?,M([\d.]+)(?:/({TIME}))?)?", text)
    if not match:
        raise SystemExit(f"a rule of another form: {text}")
    offset = -seconds(match[1])
    if not match[3]:
        return str(offset)
    summer = -seconds(match[2]) if match[2] else offset + 3600
    ends = [f"{match[i]}/{seconds(match[i + 1] or '2')}" for i in (3, 5)]
    return f"{offset} {summer} {ends[0]} {ends[1]}"


def rule(path):
    data = path.read_bytes()
    counts = struct.unpack(">6l", data[20:44])
    utc, std, leap, times, types, chars = counts
    skip = 44 + times * 5 + types * 6 + chars + leap * 8 + std + utc
    utc, std, leap, times, types, chars = struct.unpack(">6l", data[skip + 20:skip + 44])
    at = skip + 44
    moments = struct.unpack(f">{times}q", data[at:at + times * 8])
    indexes = data[at + times * 8:at + times * 9]
    infos = at + times * 9
    offsets = [struct.unpack(">l", data[infos + i * 6:infos + i * 6 + 4])[0] for i in range(types)]
    footer = data[infos + types * 6 + chars + leap * 12 + std + utc:].decode().strip()
    coming = [(moment, offsets[index]) for moment, index in zip(moments, indexes) if moment >= SINCE]
    if len(coming) < 4:
        return posix(footer)
    before = [offsets[index] for moment, index in zip(moments, indexes) if moment < SINCE][-1]
    return " ".join([f"@ {before}"] + [f"{moment}={offset}" for moment, offset in coming])


zones = {}
for name in sorted(zoneinfo.available_timezones()):
    if (ROOT / name).is_file():
        zones.setdefault(rule(ROOT / name), []).append(name)
OUT.write_text("".join(f"{key}\t{' '.join(names)}\n" for key, names in sorted(zones.items())))
