extension Kubeconfig {
  /// Why a text is no kubeconfig.
  package struct Failure: Error, Equatable, CustomStringConvertible {
    package var description: String
  }

  /// Reads a kubeconfig in YAML or JSON; the empty text is the empty one.
  package init(_ bytes: [UInt8]) throws(Failure) {
    let json: JSON
    do { json = try YAML.parse(bytes) } catch { throw Failure(description: error.description) }
    if json.isNull { return }
    guard json.object != nil else {
      throw Failure(description: "json: cannot unmarshal \(json.goKind) into Go value of type v1.Config")
    }
    rest = json.without(["clusters", "users", "contexts", "current-context", "apiVersion", "kind"])
    currentContext = json["current-context"].string ?? ""
    for entry in json["clusters"].items {
      clusters[entry["name"].string ?? ""] = Cluster(entry["cluster"])
    }
    for entry in json["users"].items { users[entry["name"].string ?? ""] = User(entry["user"]) }
    for entry in json["contexts"].items { contexts[entry["name"].string ?? ""] = Context(entry["context"]) }
  }

  package var json: JSON {
    func list<Value>(_ entries: Entries<Value>, _ key: String, _ write: (Value) -> JSON) -> JSON {
      .array(entries.list.map { [key: write($0.value), "name": .string($0.name)] })
    }
    var object = JSONObject([
      ("apiVersion", "v1"), ("clusters", list(clusters, "cluster") { $0.json }),
      ("contexts", list(contexts, "context") { $0.json }), ("current-context", .string(currentContext)),
      ("kind", "Config"),
    ])
    for field in rest.fields { object.append(field.key, field.value) }
    object.append("users", list(users, "user") { $0.json })
    return .object(object)
  }

  /// The file's text.
  package var yaml: String { YAML.write(json) }
}

extension JSON {
  fileprivate func without(_ keys: [String]) -> JSON {
    .object(JSONObject(fields.filter { !keys.contains($0.key) }.map { ($0.key, $0.value) }))
  }

  fileprivate func adding(_ rest: JSON) -> JSON {
    var object = self.object ?? JSONObject()
    for field in rest.fields where !object.has(field.key) { object.append(field.key, field.value) }
    return .object(object)
  }
}

extension Kubeconfig.Cluster {
  init(_ json: JSON) {
    self.init(
      server: json["server"].string ?? "", certificateAuthorityData: json["certificate-authority-data"].string,
      certificateAuthority: json["certificate-authority"].string,
      insecureSkipTLSVerify: json["insecure-skip-tls-verify"].bool ?? false,
      tlsServerName: json["tls-server-name"].string, proxyURL: json["proxy-url"].string)
    rest = json.without(self.json.object?.keys ?? [])
  }

  var json: JSON {
    let known: JSON = [
      "server": .string(server), "certificate-authority-data": JSON(certificateAuthorityData),
      "certificate-authority": JSON(certificateAuthority),
      "insecure-skip-tls-verify": insecureSkipTLSVerify ? true : .null, "tls-server-name": JSON(tlsServerName),
      "proxy-url": JSON(proxyURL),
    ]
    return known.adding(rest)
  }
}

extension Kubeconfig.Context {
  init(_ json: JSON) {
    self.init(
      cluster: json["cluster"].string ?? "", user: json["user"].string ?? "", namespace: json["namespace"].string)
    rest = json.without(["cluster", "user", "namespace"])
  }

  var json: JSON {
    let known: JSON = ["cluster": .string(cluster), "user": .string(user), "namespace": JSON(namespace)]
    return known.adding(rest)
  }
}

extension Kubeconfig.User {
  init(_ json: JSON) {
    self.init(token: json["token"].string, exec: Kubeconfig.Exec(json["exec"]))
    tokenFile = json["tokenFile"].string
    clientCertificateData = json["client-certificate-data"].string
    clientKeyData = json["client-key-data"].string
    clientCertificate = json["client-certificate"].string
    clientKey = json["client-key"].string
    username = json["username"].string
    password = json["password"].string
    impersonate = json["as"].string
    impersonateGroups = json["as-groups"].strings
    rest = json.without(self.json.object?.keys ?? [])
  }

  var json: JSON {
    let known: JSON = [
      "token": JSON(token), "tokenFile": JSON(tokenFile), "client-certificate-data": JSON(clientCertificateData),
      "client-key-data": JSON(clientKeyData), "client-certificate": JSON(clientCertificate),
      "client-key": JSON(clientKey), "username": JSON(username), "password": JSON(password),
      "as": JSON(impersonate), "as-groups": impersonateGroups.isEmpty ? .null : JSON(impersonateGroups),
      "exec": exec?.json ?? .null,
    ]
    return known.adding(rest)
  }
}

extension Kubeconfig.Exec {
  init?(_ json: JSON) {
    guard json.object != nil else { return nil }
    self.init(
      apiVersion: json["apiVersion"].string ?? "", command: json["command"].string ?? "", args: json["args"].strings,
      env: json["env"].items.map { Variable(name: $0["name"].string ?? "", value: $0["value"].string ?? "") },
      interactiveMode: json["interactiveMode"].string, provideClusterInfo: json["provideClusterInfo"].bool ?? false,
      installHint: json["installHint"].string)
  }

  var json: JSON {
    [
      "apiVersion": .string(apiVersion), "command": .string(command), "args": args.isEmpty ? .null : JSON(args),
      "env": env.isEmpty
        ? .null : .array(env.map { ["name": .string($0.name), "value": .string($0.value)] }),
      "interactiveMode": JSON(interactiveMode), "provideClusterInfo": .bool(provideClusterInfo),
      "installHint": JSON(installHint),
    ]
  }
}
