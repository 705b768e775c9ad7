import Wire

/// What a kind has of its own: defaults, validation, what is dropped or kept on writes, and by which fields it
/// can be selected. Everything else is the same for all kinds.
struct KindRules: Sendable {
  typealias Validation = @Sendable (_ new: JSON, _ old: JSON?) -> [FieldError]

  /// The form of its names.
  var name: @Sendable (String) -> [String] = NameRules.dns1123Subdomain
  /// Sets what the request left open, on every write and for both old and new objects.
  var defaults: @Sendable (inout JSON) -> Void = { _ in }
  var validate: Validation = { _, _ in [] }
  /// What is set when an object is made, beyond dropping its status: `status.phase`.
  var prepareCreate: @Sendable (inout JSON) -> Void = { _ in }
  /// What an update may not change silently.
  var prepareUpdate: @Sendable (_ new: inout JSON, _ old: JSON) -> Void = { _, _ in }
  /// `metadata.generation` counts the changes of everything but metadata and status.
  var countsGenerations = false
  /// Fields for selectors beside `metadata.name` and `metadata.namespace`.
  var fields: [String: @Sendable (JSON) -> String] = [:]
  /// An update without resourceVersion overwrites; else it is refused.
  var updatesUnconditionally = true
  /// A PUT of one that does not exist makes it.
  var createsOnUpdate = false
  /// A deletion answers with the object, not with a Status.
  var returnsDeleted = false
  /// A deletion without a policy orphans what it owns.
  var orphansByDefault = false
  /// A status may be given at creation.
  var keepsStatusOnCreate = false

  func field(_ name: String, of object: JSON) -> String {
    switch name {
    case "metadata.name": object["metadata"]["name"].string ?? ""
    case "metadata.namespace": object["metadata"]["namespace"].string ?? ""
    default: fields[name].map { $0(object) } ?? ""
    }
  }

  func hasField(_ name: String) -> Bool {
    name == "metadata.name" || name == "metadata.namespace" || fields[name] != nil
  }

  /// The rules of a resource, `deployments.apps`.
  static func of(_ resource: String) -> KindRules { table[resource] ?? plain }

  static let plain = KindRules()

  /// A field selector by the text at a path.
  static func text(_ path: String...) -> @Sendable (JSON) -> String {
    { [path] object in
      switch object.at(path) {
      case .string(let text): text
      case .int(let number): String(number)
      case .bool(let value): value ? "true" : "false"
      default: ""
      }
    }
  }

  private static let table: [String: KindRules] = [
    "pods": pods,
    "nodes": nodes,
    "namespaces": namespaces,
    "services": services,
    "endpoints": KindRules(defaults: defaultEndpoints, validate: validateEndpoints),
    "endpointslices.discovery.k8s.io": endpointSlices,
    "configmaps": configMaps,
    "secrets": secrets,
    "events": events,
    "events.events.k8s.io": events,
    "serviceaccounts": KindRules(returnsDeleted: true),
    "deployments.apps": deployments,
    "replicasets.apps": replicaSets,
    "replicationcontrollers": replicationControllers,
    "daemonsets.apps": daemonSets,
    "statefulsets.apps": statefulSets,
    "jobs.batch": jobs,
    "cronjobs.batch": cronJobs,
    "leases.coordination.k8s.io": leases,
    "clusterroles.rbac.authorization.k8s.io": roles,
    "roles.rbac.authorization.k8s.io": roles,
    "clusterrolebindings.rbac.authorization.k8s.io": bindings,
    "rolebindings.rbac.authorization.k8s.io": bindings,
    "certificatesigningrequests.certificates.k8s.io": certificateSigningRequests,
    "poddisruptionbudgets.policy": podDisruptionBudgets,
    "priorityclasses.scheduling.k8s.io": priorityClasses,
    "ingresses.networking.k8s.io": ingresses,
    "networkpolicies.networking.k8s.io": KindRules(defaults: defaultNetworkPolicy, countsGenerations: true),
    "persistentvolumeclaims": persistentVolumeClaims,
    "persistentvolumes": persistentVolumes,
    "storageclasses.storage.k8s.io": storageClasses,
    "csinodes.storage.k8s.io": KindRules(),
    "horizontalpodautoscalers.autoscaling": KindRules(defaults: defaultAutoscaler),
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": webhooks,
    "validatingwebhookconfigurations.admissionregistration.k8s.io": webhooks,
    "customresourcedefinitions.apiextensions.k8s.io": customResourceDefinitions,
    "flowschemas.flowcontrol.apiserver.k8s.io": KindRules(countsGenerations: true),
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": KindRules(countsGenerations: true),
    "controllerrevisions.apps": KindRules(),
  ]
}

extension JSON {
  /// Sets a field that is not there.
  mutating func setDefault(_ key: String, _ value: @autoclosure () -> JSON) {
    if self[key].isNull { self[key] = value() }
  }

  /// Changes every element of an array.
  mutating func changeEach(_ change: (inout JSON) -> Void) {
    guard case .array(var array) = self else { return }
    self = .null
    for index in array.indices { change(&array[index]) }
    self = .array(array)
  }

  /// Changes a field that is there.
  mutating func ifPresent(_ key: String, _ change: (inout JSON) -> Void) {
    guard !self[key].isNull else { return }
    change(&self[key])
  }
}
