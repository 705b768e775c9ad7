package import Wire

/// A probe of a container, with what holds where it doesn't say.
///
/// Source: kubernetes `pkg/apis/core/v1/defaults.go`, `pkg/kubelet/prober`.
package struct Probe: Sendable, Equatable {
  package enum Kind: String, CaseIterable, Sendable {
    case startup, liveness, readiness

    package var field: String { "\(rawValue)Probe" }
    package var title: String { rawValue.prefix(1).uppercased() + rawValue.dropFirst() }
    /// Whether a container whose probe goes on failing is killed for it.
    package var kills: Bool { self != .readiness }
  }

  package enum Target: Sendable, Equatable {
    case http(port: Port, path: String, isTLS: Bool)
    case tcp(port: Port)
    case grpc(port: Port)
    case exec([String])
  }

  /// A port as the probe names it, and its number; nil where no port of the container has that name.
  package struct Port: Sendable, Equatable {
    package var name: String
    package var number: Int?
  }

  package var kind: Kind
  package var target: Target?
  package var initialDelay: Duration
  package var period: Duration
  package var timeout: Duration
  package var successThreshold: Int
  package var failureThreshold: Int

  /// The probe of that kind in a container's spec; nil where it has none.
  package init?(_ kind: Kind, of container: JSON) {
    let probe = container[kind.field]
    guard !probe.isNull else { return nil }
    self.kind = kind
    initialDelay = .seconds(probe["initialDelaySeconds"].int ?? 0)
    period = .seconds(probe["periodSeconds"].int ?? 10)
    timeout = .seconds(probe["timeoutSeconds"].int ?? 1)
    successThreshold = max(1, probe["successThreshold"].int ?? 1)
    failureThreshold = probe["failureThreshold"].int ?? 3
    let declared = container["ports"].items
    func port(_ value: JSON) -> Port {
      if let number = value.int { return Port(name: String(number), number: number) }
      let name = value.string ?? ""
      return Port(name: name, number: declared.first { $0["name"].string == name }?["containerPort"].int)
    }
    if probe.has("httpGet") {
      let get = probe["httpGet"]
      target = .http(
        port: port(get["port"]), path: get["path"].string ?? "/", isTLS: get["scheme"].string == "HTTPS")
    } else if probe.has("tcpSocket") {
      target = .tcp(port: port(probe["tcpSocket"]["port"]))
    } else if probe.has("grpc") {
      target = .grpc(port: port(probe["grpc"]["port"]))
    } else if probe.has("exec") {
      target = .exec(probe["exec"]["command"].strings)
    }
  }

  package func hasPassed(successes: Int) -> Bool { successes >= successThreshold }
  package func hasFailed(failures: Int) -> Bool { failures >= failureThreshold }

  /// How long after its start a container is given up that never answers.
  package var patience: Duration { initialDelay + period * max(0, failureThreshold - 1) }

  package var port: Port? {
    switch target {
    case .http(let port, _, _), .tcp(let port), .grpc(let port): port
    case .exec, nil: nil
    }
  }

  /// The field that holds its target, and the target as a person reads it: `GET /health on port 8080`.
  package var targetField: String {
    switch target {
    case .http: "httpGet"
    case .tcp: "tcpSocket"
    case .grpc: "grpc"
    case .exec, nil: "exec"
    }
  }

  package var text: String {
    switch target {
    case .http(let port, let path, let isTLS): "GET \(path) on port \(port.name)\(isTLS ? " by HTTPS" : "")"
    case .tcp(let port): "a connection to port \(port.name)"
    case .grpc(let port): "a gRPC health check on port \(port.name)"
    case .exec(let command): command.isEmpty ? "its command" : "the command \(command.joined(separator: " "))"
    case nil: "nothing"
    }
  }

  /// What the kubelet says when it kills a container for its probe.
  package static func killed(_ container: String, by kind: Kind) -> String {
    "Container \(container) failed \(kind.rawValue) probe, will be restarted"
  }

  /// How the message of a failed probe begins.
  package static func failed(_ kind: Kind) -> String { "\(kind.title) probe failed: " }
}
