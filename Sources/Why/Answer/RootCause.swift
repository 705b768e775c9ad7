import Mechanisms

/// What a link at the end of a chain says: the cause, whose layer it is in, and what removes it.
package struct RootCause: Sendable {
  package enum Layer: String, Sendable {
    case aws, eks
    case inCluster = "in-cluster"
    case kubernetes, application

    /// As an answer for people names it.
    package var title: String {
      switch self {
      case .aws: "AWS"
      case .eks: "EKS"
      case .inCluster: "EKS in the cluster"
      case .kubernetes: "Kubernetes"
      case .application: "your application"
      }
    }
  }

  package var code: String
  package var layer: Layer
  package var entity: Entity
  package var statement: String
  package var evidence: [Exhibit]
  package var fixes: [Fix]

  package init(
    _ code: String, layer: Layer, entity: Entity, statement: String, evidence: [Exhibit] = [], fixes: [Fix] = []
  ) {
    self.code = code
    self.layer = layer
    self.entity = entity
    self.statement = statement
    self.evidence = evidence
    self.fixes = fixes
  }
}

/// One way to remove a root cause, written for the owner of the field that it changes.
package struct Fix: Sendable {
  package var statement: String
  /// nil where the owner of the field can't be told, or a command would be undone by that owner.
  package var command: String?
  /// `hand`, `eks-addon`, `helm`, `gitops`, `cloudformation`, `terraform`, `unknown`.
  package var owner: String
  package var touches: [String]
  package var restarts: Bool
  package var undo: String?
  package var verify: String?
  package var expectWithin: String?

  package init(
    _ statement: String, command: String? = nil, owner: String, touches: [String], restarts: Bool = false,
    undo: String? = nil, verify: String? = nil, expectWithin: String? = nil
  ) {
    self.statement = statement
    self.command = command
    self.owner = owner
    self.touches = touches
    self.restarts = restarts
    self.undo = undo
    self.verify = verify
    self.expectWithin = expectWithin
  }
}
