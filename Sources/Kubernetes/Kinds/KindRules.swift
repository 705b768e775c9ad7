import Wire
import World

/// What a kind has of its own: defaults, validation, what is dropped or kept on writes, and by which fields it
/// can be selected. Everything else is the same for all kinds.
struct KindRules: Sendable {
  typealias Validation = @Sendable (_ new: JSON, _ old: JSON?) -> [FieldError]

  /// A subresource beside status and scale that is written in the form of the object.
  struct Subresource: Sendable {
    /// Takes from what was sent what may be written through there.
    var take: @Sendable (_ new: inout JSON, _ given: JSON) -> Void
    var validate: Validation = { _, _ in [] }
  }

  /// What a rule may know of a write beside the objects.
  struct Write {
    var user: KubeUser?
    var now: Timestamp
    /// All objects of the kind, where its rules ask for them.
    var others: [JSON] = []
  }

  /// The form of its names.
  var name: @Sendable (String) -> [String] = NameRules.dns1123Subdomain
  /// Sets what the request left open, on every write and for both old and new objects.
  var defaults: @Sendable (inout JSON) -> Void = { _ in }
  var validate: Validation = { _, _ in [] }
  /// Checks a write of the status.
  var validateStatus: Validation = { _, _ in [] }
  /// What is set when an object is made, beyond dropping its status: `status.phase`.
  var prepareCreate: @Sendable (inout JSON, Write) -> Void = { _, _ in }
  /// What an update may not change silently.
  var prepareUpdate: @Sendable (_ new: inout JSON, _ old: JSON, Write) -> Void = { _, _, _ in }
  var subresources: [String: Subresource] = [:]
  /// What a client is told beside the answer to a create or update.
  var warnings: @Sendable (_ new: JSON, _ old: JSON?) -> [String] = { _, _ in [] }
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
  /// Whether an object is good depends on the others of its kind.
  var readsOthers = false

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
  static func text(_ path: String...) -> @Sendable (JSON) -> String { text(path) }

  static func text(_ path: [String]) -> @Sendable (JSON) -> String {
    { object in
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
    "podtemplates": podTemplates,
    "nodes": nodes,
    "namespaces": namespaces,
    "services": services,
    "endpoints": endpoints,
    "endpointslices.discovery.k8s.io": endpointSlices,
    "configmaps": configMaps,
    "secrets": secrets,
    "events": events,
    "events.events.k8s.io": newEvents,
    "serviceaccounts": KindRules(returnsDeleted: true),
    "limitranges": limitRanges,
    "resourcequotas": resourceQuotas,
    "deployments.apps": deployments,
    "replicasets.apps": replicaSets,
    "replicationcontrollers": replicationControllers,
    "daemonsets.apps": daemonSets,
    "statefulsets.apps": statefulSets,
    "controllerrevisions.apps": controllerRevisions,
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
    "runtimeclasses.node.k8s.io": runtimeClasses,
    "ingresses.networking.k8s.io": ingresses,
    "ingressclasses.networking.k8s.io": ingressClasses,
    "networkpolicies.networking.k8s.io": networkPolicies,
    "ipaddresses.networking.k8s.io": ipAddresses,
    "servicecidrs.networking.k8s.io": serviceCIDRs,
    "persistentvolumeclaims": persistentVolumeClaims,
    "persistentvolumes": persistentVolumes,
    "storageclasses.storage.k8s.io": storageClasses,
    "volumeattachments.storage.k8s.io": volumeAttachments,
    "csinodes.storage.k8s.io": csiNodes,
    "csidrivers.storage.k8s.io": csiDrivers,
    "csistoragecapacities.storage.k8s.io": csiStorageCapacities,
    "horizontalpodautoscalers.autoscaling": autoscalers,
    "apiservices.apiregistration.k8s.io": apiServices,
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": mutatingWebhooks,
    "validatingwebhookconfigurations.admissionregistration.k8s.io": validatingWebhooks,
    "mutatingadmissionpolicies.admissionregistration.k8s.io": mutatingPolicies,
    "mutatingadmissionpolicybindings.admissionregistration.k8s.io": mutatingPolicyBindings,
    "validatingadmissionpolicies.admissionregistration.k8s.io": validatingPolicies,
    "validatingadmissionpolicybindings.admissionregistration.k8s.io": validatingPolicyBindings,
    "customresourcedefinitions.apiextensions.k8s.io": customResourceDefinitions,
    "flowschemas.flowcontrol.apiserver.k8s.io": flowSchemas,
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": priorityLevels,
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

  /// Puts a value at a path of field names.
  mutating func set(_ value: JSON, at path: ArraySlice<String>) {
    guard let first = path.first else {
      self = value
      return
    }
    self[first].set(value, at: path.dropFirst())
  }
}
