"""Sends generated packets through real network namespaces and prints what became of each.

Runs as root inside `unshare -n -m`. Reads a plan from the file that is named (JSON): namespaces with their set-up
commands and rules, and flows. For each flow it sends the first packet, the answer from wherever that was delivered,
and a further packet; it prints one JSON object with what was seen of each.
"""

import ctypes
import json
import os
import select
import socket
import struct
import subprocess
import sys

libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000


def enter(fd):
    if libc.setns(fd, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


MAGIC = b"EW"


def build(p, ident, stage):
    """An IP packet with its id and stage as payload."""
    payload = MAGIC + struct.pack("!IBB", ident, stage, 0)
    src, dst = socket.inet_aton(p["src"]), socket.inet_aton(p["dst"])
    proto = p["proto"]
    if proto == 6:
        seq = {0: 1000, 1: 5000, 2: 1009}[stage]
        ack = {0: 0, 1: 1009, 2: 5009}[stage] if p["flags"] & 16 else 0
        head = struct.pack("!HHIIBBHHH", p["sport"], p["dport"], seq, ack, 5 << 4, p["flags"], 65000, 0, 0)
        at = 16
    elif proto == 17:
        head = struct.pack("!HHHH", p["sport"], p["dport"], 8 + len(payload), 0)
        at = 6
    else:
        head = struct.pack("!BBHHH", p["dport"], 0, 0, p["sport"], 1)
        at = 2
    body = head + payload
    pseudo = b"" if proto == 1 else src + dst + struct.pack("!BBH", 0, proto, len(body))
    total = checksum(pseudo + body)
    body = body[:at] + struct.pack("!H", total) + body[at + 2 :]
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), ident & 0xFFFF, 0, p["ttl"], proto, 0, src, dst)
    return ip + body


def parse(data):
    """(ident, stage, packet) of one of ours; of an ICMP error about one, with its type and code."""
    if len(data) < 28 or data[0] >> 4 != 4:
        return None
    size = (data[0] & 15) * 4
    proto = data[9]
    body = data[size:]
    p = {"src": socket.inet_ntoa(data[12:16]), "dst": socket.inet_ntoa(data[16:20]), "proto": proto, "ttl": data[8]}
    if proto == 6:
        p["sport"], p["dport"] = struct.unpack("!HH", body[:4])
        payload = body[(body[12] >> 4) * 4 :]
    elif proto == 17:
        p["sport"], p["dport"] = struct.unpack("!HH", body[:4])
        payload = body[8:]
    elif proto == 1:
        if body[0] in (3, 11):
            inner = parse(body[8:])
            if inner is None:
                return None
            return inner[0], inner[1], {"error": [body[0], body[1]], "at": p["dst"]}
        p["dport"] = body[0]
        p["sport"] = struct.unpack("!H", body[4:6])[0]
        payload = body[8:]
    else:
        return None
    if payload[:2] != MAGIC or len(payload) < 8:
        return None
    ident, stage = struct.unpack("!IB", payload[2:7])
    return ident, stage, p


class Barrier:
    """Tells when all packets that were sent have gone all their way.

    This process and so the queue of its packets keep to one processor. Each veth pair that a packet crosses puts it
    at the end of that queue; a frame that is sent after it comes out after it. A frame that went round as often as
    a packet may cross pairs has therefore seen them all off, however slow the machine is.
    """

    ROUNDS = 40

    def __init__(self, home):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        ends = []
        for name in ("barrier0", "barrier1"):
            subprocess.run(["ip", "netns", "add", name], check=True)
        subprocess.run("ip link add name b0 netns barrier0 type veth peer name b1 netns barrier1", shell=True, check=True)
        for name, device in (("barrier0", "b0"), ("barrier1", "b1")):
            fd = os.open("/run/netns/" + name, os.O_RDONLY)
            enter(fd)
            subprocess.run(["ip", "link", "set", device, "up"], check=True)
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88B5))
            s.bind((device, 0x88B5))
            ends.append(s)
        enter(home)
        self.near, self.far = ends
        self.far.settimeout(60)
        self.count = 0

    def wait(self):
        for _ in range(self.ROUNDS):
            self.count += 1
            mark = struct.pack("!Q", self.count)
            self.near.send(b"\xff" * 6 + b"\x02" + b"\0" * 5 + b"\x88\xb5" + mark + b"\0" * 40)
            while self.far.recv(2048)[14:22] != mark:
                pass


def run(plan):
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    spaces = {}
    # Names of namespaces are files; these are seen in here only, and are gone afterwards.
    os.makedirs("/run/netns", exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", "/run/netns"], check=True)
    for space in plan["spaces"]:
        subprocess.run(["ip", "netns", "add", space["name"]], check=True)
        spaces[space["name"]] = os.open("/run/netns/" + space["name"], os.O_RDONLY)
    for command in plan["links"]:
        subprocess.run(command, shell=True, check=True)
    barrier = Barrier(home)
    saved = {}
    for space in plan["spaces"]:
        enter(spaces[space["name"]])
        script = "set -e\n" + "\n".join(space["commands"])
        subprocess.run(["bash", "-c", script], check=True)
        if space.get("tables"):
            subprocess.run(["iptables-restore"], input=space["tables"], text=True, check=True)
            saved[space["name"]] = subprocess.run(["iptables-save"], capture_output=True, text=True, check=True).stdout
        quiet = "\n".join(
            [
                "iptables -t raw -A OUTPUT -p tcp --tcp-flags RST RST -j DROP",
                "" if space.get("tables") else "iptables -t raw -A OUTPUT -p icmp --icmp-type 3/3 -j DROP",
                "echo 0 > /proc/sys/net/ipv4/icmp_ratelimit",
                "echo 100000 > /proc/sys/net/ipv4/icmp_msgs_per_sec 2>/dev/null || true",
                "echo 100000 > /proc/sys/net/ipv4/icmp_msgs_burst 2>/dev/null || true",
                "echo 1 > /proc/sys/net/ipv4/icmp_echo_ignore_all",
                "echo 1 > /proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal",
                # However slow this machine is, no connection ends before its flow does.
                "cd /proc/sys/net/netfilter; for t in udp_timeout udp_timeout_stream icmp_timeout"
                " tcp_timeout_syn_sent tcp_timeout_syn_recv; do echo 7200 > nf_conntrack_$t; done",
            ]
        )
        subprocess.run(["bash", "-c", quiet], check=True)
    listeners = {}
    senders = {}
    for name, fd in spaces.items():
        enter(fd)
        for proto in (6, 17, 1):
            s = socket.socket(socket.AF_INET, socket.SOCK_RAW, proto)
            s.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)
            s.setblocking(False)
            listeners[s] = name
        senders[name] = {}
    enter(home)

    def sender(name, source):
        key = source
        if key not in senders[name]:
            enter(spaces[name])
            s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
            if source:
                s.bind((source, 0))
            senders[name][key] = s
            enter(home)
        return senders[name][key]

    seen = {}

    def collect():
        """Waits until nothing is on its way any more, then takes what came in."""
        barrier.wait()
        for s in listeners:
            while True:
                try:
                    data = s.recv(2048)
                except BlockingIOError:
                    break
                found = parse(data)
                if found:
                    ident, stage, p = found
                    p["place"] = listeners[s]
                    seen.setdefault((ident, stage), []).append(p)

    failed = {}

    def send(name, bound, p, ident, stage):
        try:
            sender(name, bound).sendto(build(p, ident, stage), (p["dst"], 0))
        except OSError as error:
            failed[(ident, stage)] = error.errno

    def batch(todo):
        for index, (name, bound, p, ident, stage) in enumerate(todo):
            send(name, bound, p, ident, stage)
            if index % 64 == 63:
                collect()
        collect()

    def delivered(ident, stage):
        for p in seen.get((ident, stage), []):
            if "error" not in p:
                return p
        return None

    flows = plan["flows"]
    batch([(f["space"], f.get("bind"), f["packet"], f["id"], 0) for f in flows])
    todo = []
    for f in flows:
        p = delivered(f["id"], 0)
        if p:
            back = {"src": p["dst"], "dst": p["src"], "proto": p["proto"], "ttl": 64, "flags": 18}
            back["sport"], back["dport"] = (p["sport"], 0) if p["proto"] == 1 else (p["dport"], p["sport"])
            todo.append((p["place"], back["src"] if p["place"] in plan["binds"] else None, back, f["id"], 1))
    batch(todo)
    todo = []
    for f in flows:
        if delivered(f["id"], 1):
            todo.append((f["space"], f.get("bind"), dict(f["packet"], flags=16), f["id"], 2))
    batch(todo)
    result = [
        {
            "id": f["id"],
            "stages": [
                {"delivered": delivered(f["id"], k), "errors": [p for p in seen.get((f["id"], k), []) if "error" in p],
                 "failed": failed.get((f["id"], k))}
                for k in range(3)
            ],
        }
        for f in flows
    ]
    sockets = []
    for probe in plan.get("sockets", []):
        enter(spaces[probe["to"]])
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((probe["address"], probe["port"]))
        listener.listen()
        enter(spaces[probe["from"]])
        with open("/proc/sys/net/ipv4/tcp_early_demux", "w") as f:
            f.write(str(probe["demux"]))
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex((probe["address"], probe["port"]))
        # Where it is to work it may take its time.
        _, ready, _ = select.select([], [client], [], 1 if probe["demux"] else 30)
        sockets.append(bool(ready) and client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0)
        client.close()
        listener.close()
        enter(home)
    print(json.dumps({"flows": result, "saved": saved, "sockets": sockets}))


run(json.load(open(sys.argv[1])))
