/// A kubeconfig: clusters, users and contexts by name. What it does not know of a file it keeps.
package struct Kubeconfig: Sendable, Equatable {
  package struct Cluster: Sendable, Equatable {
    package var server: String
    /// PEM, base64 as it stands in the file.
    package var certificateAuthorityData: String?
    package var certificateAuthority: String?
    package var insecureSkipTLSVerify: Bool
    package var tlsServerName: String?
    package var proxyURL: String?
    var rest: JSON = .emptyObject

    package init(
      server: String, certificateAuthorityData: String? = nil, certificateAuthority: String? = nil,
      insecureSkipTLSVerify: Bool = false, tlsServerName: String? = nil, proxyURL: String? = nil
    ) {
      self.server = server
      self.certificateAuthorityData = certificateAuthorityData
      self.certificateAuthority = certificateAuthority
      self.insecureSkipTLSVerify = insecureSkipTLSVerify
      self.tlsServerName = tlsServerName
      self.proxyURL = proxyURL
    }
  }

  /// A program that gives a credential.
  package struct Exec: Sendable, Equatable {
    package var apiVersion: String
    package var command: String
    package var args: [String]
    package var env: [Variable]
    package var interactiveMode: String?
    package var provideClusterInfo: Bool
    package var installHint: String?

    package struct Variable: Sendable, Equatable {
      package var name: String
      package var value: String

      package init(name: String, value: String) {
        self.name = name
        self.value = value
      }
    }

    package init(
      apiVersion: String = "client.authentication.k8s.io/v1beta1", command: String, args: [String] = [],
      env: [Variable] = [], interactiveMode: String? = nil, provideClusterInfo: Bool = false,
      installHint: String? = nil
    ) {
      self.apiVersion = apiVersion
      self.command = command
      self.args = args
      self.env = env
      self.interactiveMode = interactiveMode
      self.provideClusterInfo = provideClusterInfo
      self.installHint = installHint
    }
  }

  package struct User: Sendable, Equatable {
    package var token: String?
    package var tokenFile: String?
    package var clientCertificateData: String?
    package var clientKeyData: String?
    package var clientCertificate: String?
    package var clientKey: String?
    package var username: String?
    package var password: String?
    package var exec: Exec?
    package var impersonate: String?
    package var impersonateGroups: [String] = []
    var rest: JSON = .emptyObject

    package init(token: String? = nil, exec: Exec? = nil) {
      self.token = token
      self.exec = exec
    }
  }

  package struct Context: Sendable, Equatable {
    package var cluster: String
    package var user: String
    package var namespace: String?
    var rest: JSON = .emptyObject

    package init(cluster: String, user: String, namespace: String? = nil) {
      self.cluster = cluster
      self.user = user
      self.namespace = namespace
    }
  }

  /// Named entries in the order of the file.
  package struct Entries<Value: Sendable & Equatable>: Sendable, Equatable {
    package struct Entry: Sendable, Equatable {
      package var name: String
      package var value: Value
    }
    package private(set) var list: [Entry] = []

    package init() {}

    package subscript(name: String) -> Value? {
      get { list.first { $0.name == name }?.value }
      set {
        let at = list.firstIndex { $0.name == name }
        switch (at, newValue) {
        case (let at?, let value?): list[at].value = value
        case (let at?, nil): list.remove(at: at)
        case (nil, let value?): list.append(Entry(name: name, value: value))
        case (nil, nil): break
        }
      }
    }

    package var names: [String] { list.map(\.name) }
  }

  package var clusters = Entries<Cluster>()
  package var users = Entries<User>()
  package var contexts = Entries<Context>()
  package var currentContext = ""
  var rest: JSON = .emptyObject

  package init() {}

  package static func == (a: Kubeconfig, b: Kubeconfig) -> Bool {
    a.clusters == b.clusters && a.users == b.users && a.contexts == b.contexts
      && a.currentContext == b.currentContext && a.rest == b.rest
  }

  /// Merges files as kubectl does with the list of `KUBECONFIG`: the first to say something wins.
  package static func merged(_ files: [Kubeconfig]) -> Kubeconfig {
    var result = Kubeconfig()
    for file in files {
      for entry in file.clusters.list where result.clusters[entry.name] == nil {
        result.clusters[entry.name] = entry.value
      }
      for entry in file.users.list where result.users[entry.name] == nil { result.users[entry.name] = entry.value }
      for entry in file.contexts.list where result.contexts[entry.name] == nil {
        result.contexts[entry.name] = entry.value
      }
      if result.currentContext.isEmpty { result.currentContext = file.currentContext }
    }
    return result
  }

  /// The paths of a `KUBECONFIG` variable; empty parts are left out.
  package static func paths(_ variable: String) -> [String] { variable.split(separator: ":").map(String.init) }

  /// What a context, or the current one, leads to; nil where a name leads nowhere.
  package func resolve(context name: String? = nil) -> (name: String, context: Context, cluster: Cluster, user: User)? {
    let name = name ?? currentContext
    guard let context = contexts[name], let cluster = clusters[context.cluster] else { return nil }
    return (name, context, cluster, users[context.user] ?? User())
  }

  /// Adds a cluster with its user and context of that name and makes it the current one.
  package mutating func add(_ name: String, cluster: Cluster, user: User, namespace: String? = nil) {
    clusters[name] = cluster
    users[name] = user
    contexts[name] = Context(cluster: name, user: name, namespace: namespace)
    currentContext = name
  }
}
