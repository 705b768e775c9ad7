import Wire
import World

/// metrics.k8s.io as metrics-server serves it: the kubelets' figures as they were read last.
///
/// Source: metrics-server `pkg/api`.
extension APIServer {
  func figures(_ exchange: Exchange, _ row: KubeResource) throws(KubeStatus) -> Answer {
    let info = exchange.info
    guard info.subresource.isEmpty else { throw .noSuchResource }
    guard row.namespaced || info.namespace.isEmpty else { throw .noSuchResource }
    let isNodes = row.plural == "nodes"
    let representation = try Representation(exchange)
    exchange.isProtobuf = false
    switch info.verb {
    case "get":
      let key = ObjectKey(namespace: row.namespaced ? info.namespace : "", name: info.name)
      guard let object = store(row.plural)[key]?.json, let figures = figures(of: object, isNodes: isNodes) else {
        let name = isNodes ? "nodemetrics" : "podmetrics"
        throw .notFound(
          GroupName(group: row.group, name: name), isNodes ? key.name : "\(key.namespace)/\(key.name)")
      }
      if case .table = representation { return .ok(table([figures])) }
      return .ok(figures)
    case "list":
      let selection = try figureSelection(exchange, row)
      let objects = store(row.plural).list(namespace: row.namespaced ? info.namespace : "")
      let items = objects.filter { selection.matches($0.json) }
        .compactMap { figures(of: $0.json, isNodes: isNodes) }
      if case .table = representation { return .ok(table(items)) }
      return .ok([
        "kind": .string(row.listKind), "apiVersion": .string(row.apiVersion), "metadata": .emptyObject,
        "items": .array(
          items.map { item in
            var item = item
            item.remove("kind")
            item.remove("apiVersion")
            return item
          }),
      ])
    default: throw .methodNotSupported(row.groupResource, info.verb)
    }
  }

  /// Selects by what the nodes or pods themselves can be selected by.
  private func figureSelection(_ exchange: Exchange, _ row: KubeResource) throws(KubeStatus) -> Selection {
    guard let own = table["", "v1", row.plural] else { throw .noSuchResource }
    return try selection(exchange, own)
  }

  private func figures(of object: JSON, isNodes: Bool) -> JSON? {
    let time = Kubelet.reading(before: now)
    var metadata: JSON = ["name": object["metadata"]["name"]]
    metadata["namespace"] = object["metadata"]["namespace"]
    metadata["creationTimestamp"] = .string(now.rfc3339)
    metadata["labels"] = object["metadata"]["labels"]
    var told: JSON = [
      "kind": isNodes ? "NodeMetrics" : "PodMetrics", "apiVersion": .string(AggregatedGroups.metrics.description),
      "metadata": metadata, "timestamp": .string(time.rfc3339),
    ]
    if isNodes {
      guard let use = storey.containers?.figures(cluster: id, node: object, at: time) else { return nil }
      told["window"] = .string(Self.window(Kubelet.figuresInterval))
      told["usage"] = Self.usage(use.milliCPU, use.memory)
      return told
    }
    guard let containers = storey.containers?.figures(cluster: id, pod: object, at: time), !containers.isEmpty else {
      return nil
    }
    told["window"] = .string(Self.window(containers.map(\.window).max() ?? Kubelet.figuresInterval))
    told["containers"] = .array(
      containers.map { ["name": .string($0.name), "usage": Self.usage($0.milliCPU, $0.memory)] })
    return told
  }

  private static func usage(_ milliCPU: Int, _ memory: Int) -> JSON {
    [
      "cpu": .string(Quantity(nano: Int128(milliCPU) * 1_000_000).description),
      "memory": .string(memory >= 1024 ? "\(memory / 1024)Ki" : String(memory)),
    ]
  }

  /// A duration as Go writes one.
  private static func window(_ time: Duration) -> String { GoDuration.text(time) }

  /// What `kubectl get podmetrics` shows: a column for each sort of use.
  private func table(_ items: [JSON]) -> JSON {
    func column(_ name: String, _ format: String = "") -> JSON {
      [
        "name": .string(name), "type": "string", "format": .string(format), "description": "", "priority": 0,
      ]
    }
    let rows = items.map { item -> JSON in
      func total(_ name: String) -> Quantity {
        (item["usage"].isNull ? item["containers"].items.map { $0["usage"] } : [item["usage"]])
          .compactMap { $0[name].quantity }.reduce(.zero, +)
      }
      return [
        "cells": [
          item["metadata"]["name"], .string(total("cpu").description), .string(total("memory").description),
          item["window"],
        ],
        "object": [
          "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": item["metadata"],
        ],
      ]
    }
    return [
      "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": .emptyObject,
      "columnDefinitions": [
        column("Name", "name"), column("cpu"), column("memory"), column("Window"),
      ],
      "rows": .array(rows),
    ]
  }
}
