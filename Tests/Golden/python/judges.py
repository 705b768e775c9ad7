"""What the judges of Amazon EKS's own components need beside them.

    judges.py sts FOLDER PORT        a proxy (CONNECT) behind which the hosts of STS are the local EKS at PORT
    judges.py certificate FOLDER     a certificate for 127.0.0.1, with its key
    judges.py authenticator|webhook|agent ARGUMENTS...
                                     a stand-in that takes the flags of the true program and knows a few of its
                                     verdicts; with EKSWHY_JUDGE_LIES set one of them is wrong

The stand-ins judge the judges' own tests, where the true programs are not there.
"""
import base64, http.server, json, os, socket, socketserver, ssl, subprocess, sys, threading, time
import urllib.error, urllib.parse, urllib.request

LIES = bool(os.environ.get("EKSWHY_JUDGE_LIES"))


def run(*arguments):
    return subprocess.run(arguments, check=True, capture_output=True).stdout.decode()


def authority(folder):
    ca = os.path.join(folder, "ca.pem")
    if not os.path.exists(ca):
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9999",
            "-subj", "/CN=judges", "-keyout", ca + ".key", "-out", ca)
    return ca


def certificate(folder, name, alternative):
    """A chain and key in one file for a name, signed by the folder's authority."""
    ca = authority(folder)
    file = os.path.join(folder, name + ".pem")
    if not os.path.exists(file):
        run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + name[:60],
            "-keyout", file + ".key", "-out", file + ".csr")
        with open(file + ".ext", "w") as extensions:
            extensions.write("subjectAltName=" + alternative + "\n")
        signed = run("openssl", "x509", "-req", "-in", file + ".csr", "-CA", ca, "-CAkey", ca + ".key", "-days", "9999",
                     "-set_serial", str(time.time_ns()), "-extfile", file + ".ext")
        with open(file + ".key") as key, open(file, "w") as out:
            out.write(signed + key.read())
    return file


# The way to STS

class Proxy(socketserver.StreamRequestHandler):
    folder, port, lock, contexts = "", 0, threading.Lock(), {}

    def handle(self):
        target = self.rfile.readline().split()[1].decode()
        while self.rfile.readline().strip():
            pass
        host = target.rsplit(":", 1)[0]
        if not (host == "sts.amazonaws.com" or host.startswith("sts.") or host.startswith("sts-fips.")):
            self.wfile.write(b"HTTP/1.1 502 Bad Gateway\r\n\r\n")
            return
        with Proxy.lock:
            if host not in Proxy.contexts:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(certificate(Proxy.folder, host, "DNS:" + host))
                Proxy.contexts[host] = context
        self.wfile.write(b"HTTP/1.1 200 Connection Established\r\n\r\n")
        try:
            with Proxy.contexts[host].wrap_socket(self.connection, server_side=True) as inside:
                self.serve(inside)
        except (OSError, ssl.SSLError):
            pass

    def serve(self, inside):
        asked = inside.makefile("rb")
        while True:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                line = asked.readline()
                if not line:
                    return
                head += line
            with socket.create_connection(("127.0.0.1", Proxy.port)) as out:
                out.sendall(head[:-2] + b"Connection: close\r\n\r\n")
                answer = b""
                while True:
                    more = out.recv(65536)
                    if not more:
                        break
                    answer += more
            inside.sendall(answer)
            return


class Threads(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


def sts(folder, port):
    Proxy.folder, Proxy.port = folder, int(port)
    authority(folder)
    server = Threads(("127.0.0.1", 0), Proxy)
    with open(os.path.join(folder, "proxy.new"), "w") as file:
        file.write(str(server.server_address[1]))
    os.rename(os.path.join(folder, "proxy.new"), os.path.join(folder, "proxy"))
    server.serve_forever()


# Stand-ins

def flags(arguments):
    found, at = {}, 0
    while at < len(arguments):
        name = arguments[at].lstrip("-")
        if not arguments[at].startswith("-"):
            at += 1
        elif "=" in name:
            found.update([name.split("=", 1)])
            at += 1
        else:
            found[name] = arguments[at + 1] if at + 1 < len(arguments) else ""
            at += 2
    return found


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def say(self, status, body, kind="application/json"):
        data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def body(self):
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))


def serve(port, handler, chain=None):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), handler)
    if chain:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*chain)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


def kubectl(kubeconfig, *arguments):
    done = subprocess.run(["kubectl", "--kubeconfig", kubeconfig, *arguments, "-o", "json"], capture_output=True)
    return json.loads(done.stdout) if done.returncode == 0 else {}


def authenticator(given):
    folder = given["state-dir"]
    mapping = {}

    def look():
        seen = None
        while True:
            found = kubectl(given["kubeconfig"], "-n", "kube-system", "get", "configmap", "aws-auth")
            version = found.get("metadata", {}).get("resourceVersion")
            if version != seen and version:
                mapping.clear()
                # Stands for YAML: the stand-in's cases are written as JSON.
                for role in json.loads(found["data"].get("mapRoles") or "[]"):
                    mapping[role["rolearn"].lower()] = role
                print('time="t" level=info msg="Received aws-auth watch event"', file=sys.stderr, flush=True)
                seen = version
            time.sleep(0.1)

    threading.Thread(target=look, daemon=True).start()

    def verify(token):
        wrong = "input token was not properly formatted: "
        if len(token) > 4096:
            return None, wrong + ("token is too big" if LIES else "token is too large")
        url = base64.urlsafe_b64decode(token[len("k8s-aws-v1."):] + "===").decode()
        parts = urllib.parse.urlsplit(url)
        if parts.scheme != "https":
            return None, wrong + 'unexpected scheme "%s" in pre-signed URL' % parts.scheme
        if parts.path != "/":
            return None, wrong + "unexpected path in pre-signed URL"
        asked = urllib.request.Request(url, headers={"x-k8s-aws-id": given["cluster-id"], "accept": "application/json"})
        try:
            with urllib.request.urlopen(asked) as answer:
                result = json.load(answer)["GetCallerIdentityResponse"]["GetCallerIdentityResult"]
        except urllib.error.HTTPError as error:
            region = parts.netloc.split(".")[1]
            return None, "sts getCallerIdentity failed: error from AWS (expected 200, got %d) on %s endpoint. Body: %s" % (
                error.code, region, error.read().decode())
        return result, None

    class Reviews(Handler):
        def deny(self, error, arn=""):
            text = json.dumps(error)
            print('time="t" level=warning msg="access denied" %sclient="c" error=%s method=POST path=/authenticate'
                  % ('arn="%s" ' % arn if arn else "", text), file=sys.stderr, flush=True)
            self.say(403, {"status": {"authenticated": False, "user": {}}})

        def do_POST(self):
            result, error = verify(self.body()["spec"]["token"])
            if error:
                return self.deny(error)
            arn, key = result["Arn"], None
            kind, *rest = arn.split(":")[5].split("/")
            role = "arn:aws:iam::%s:role/%s" % (result["Account"], rest[0]) if kind == "assumed-role" else arn
            line = mapping.get(role.lower())
            if not line:
                return self.deny("identity is not mapped", role)
            user, _, session = result["UserId"].partition(":")
            name = line["username"].replace("{{SessionName}}", session.replace("@", "-"))
            print('time="t" level=info msg="access granted" username=x', file=sys.stderr, flush=True)
            self.say(200, {"status": {"authenticated": True, "user": {
                "username": name, "uid": "aws-iam-authenticator:%s:%s" % (result["Account"], user),
                "groups": line["groups"] + (["liars"] if LIES else []), "extra": {
                    "arn": [arn], "canonicalArn": [role], "sessionName": [session], "principalId": [user],
                    "accessKeyId": [key or ACCESS[0]], "sigs.k8s.io/aws-iam-authenticator/principalId": [user]}}}})

    # The key stands in the token alone; verify() leaves it here.
    ACCESS = [""]
    checked = verify

    def verify(token):
        try:
            url = base64.urlsafe_b64decode(token[len("k8s-aws-v1."):] + "===").decode()
            query = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)
            ACCESS[0] = query.get("X-Amz-Credential", [""])[0].split("/")[0]
        except ValueError:
            pass
        return checked(token)

    serve(given["port"], Reviews, [certificate(folder, "authenticator", "IP:127.0.0.1")])


def webhook(given):
    class Reviews(Handler):
        def do_POST(self):
            review = self.body()
            request = review["request"]
            pod, response = request["object"], {"uid": request["uid"], "allowed": True}
            account = kubectl(given["kubeconfig"], "-n", request["namespace"], "get", "serviceaccount",
                              pod["spec"]["serviceAccountName"])
            role = account.get("metadata", {}).get("annotations", {}).get("eks.amazonaws.com/role-arn")
            if role:
                path = "/var/run/secrets/eks.amazonaws.com/serviceaccount"
                env = {"AWS_STS_REGIONAL_ENDPOINTS": "regional", "AWS_DEFAULT_REGION": given["aws-default-region"],
                       "AWS_REGION": given["aws-default-region"], "AWS_ROLE_ARN": role + ("x" if LIES else ""),
                       "AWS_WEB_IDENTITY_TOKEN_FILE": path + "/token"}
                for container in pod["spec"]["containers"]:
                    container.setdefault("env", []).extend({"name": n, "value": v} for n, v in env.items())
                    container.setdefault("volumeMounts", []).append(
                        {"name": "aws-iam-token", "readOnly": True, "mountPath": path})
                volume = {"name": "aws-iam-token", "projected": {"sources": [{"serviceAccountToken": {
                    "audience": "sts.amazonaws.com", "expirationSeconds": 86400, "path": "token"}}]}}
                patch = [{"op": "add", "path": "/spec/volumes", "value": [volume]},
                         {"op": "add", "path": "/spec/containers", "value": pod["spec"]["containers"]}]
                response["patchType"] = "JSONPatch"
                response["patch"] = base64.b64encode(json.dumps(patch).encode()).decode()
            self.say(200, {"kind": review["kind"], "apiVersion": review["apiVersion"], "response": response})

    class Cache(Handler):
        def do_GET(self):
            found = kubectl(given["kubeconfig"], "get", "serviceaccounts", "-A").get("items", [])
            self.say(200, {"%s/%s" % (a["metadata"]["namespace"], a["metadata"]["name"]): {} for a in found})

    threading.Thread(target=serve, args=(given["metrics-port"], Cache), daemon=True).start()
    serve(given["port"], Reviews, [given["tls-cert"], given["tls-key"]])


def agent(given):
    class Credentials(Handler):
        def do_GET(self):
            host, token = self.headers["Host"].rsplit(":", 1)[0], self.headers.get("Authorization", "")
            if host not in ("169.254.170.23", "[fd00:ec2::23]"):
                return self.say(403, "Access Denied. Called agent through invalid address, please use either "
                                "[169.254.170.23 fd00:ec2::23] address not %s%s\n" % (host, "!" if LIES else ""), "text/plain")
            if not token:
                return self.say(400, "Service account token cannot be empty\n", "text/plain")
            if token.count(".") != 2:
                return self.say(400, "Service account token cannot be parsed: token is malformed: "
                                "token contains an invalid number of segments\n", "text/plain")
            done = subprocess.run(
                ["aws", "eks-auth", "assume-role-for-pod-identity", "--cluster-name", given["cluster-name"], "--token",
                 token, "--output", "json"], capture_output=True, text=True)
            if done.returncode:
                code = done.stderr.split("(", 1)[1].split(")", 1)[0]
                text = done.stderr.strip().split("operation: ", 1)[1]
                return self.say(400, "[id]: (%s): %s, fault: client\n" % (code, text), "text/plain")
            found = json.loads(done.stdout)
            self.say(200, {"AccessKeyId": found["credentials"]["accessKeyId"],
                           "SecretAccessKey": found["credentials"]["secretAccessKey"],
                           "Token": found["credentials"]["sessionToken"],
                           "AccountId": found["assumedRoleUser"]["arn"].split(":")[4],
                           "Expiration": found["credentials"]["expiration"]})

    serve(given["port"], Credentials)


command, *rest = sys.argv[1:]
if command == "sts":
    sts(*rest)
elif command == "certificate":
    print(certificate(rest[0], "localhost", "IP:127.0.0.1,DNS:localhost"))
else:
    {"authenticator": authenticator, "webhook": webhook, "agent": agent}[command](flags(rest))
