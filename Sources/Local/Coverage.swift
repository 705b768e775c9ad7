import AWS
import EKS
import Wire
import World

/// What the local EKS does of all that its models describe, told by the services themselves.
package enum Coverage {
  package enum Status: String, Sendable, CaseIterable {
    /// With its behaviour.
    case modelled
    /// Stored and returned, without behaviour.
    case recorded
    /// Answers with an error that says so.
    case unsupported
  }

  package struct Row: Sendable {
    package var service: String
    package var operation: String
    package var status: Status
  }

  /// Every operation of every service model, services and operations in order of their names.
  package static func operations() throws -> [Row] {
    let world = try World(
      store: MemoryStore(), logFiles: MemoryLogFiles(),
      options: World.Options(seed: 0, start: Timestamp(seconds: 1_795_000_000)))
    let aws = AWSStorey(world: world, secrets: MemorySecretKeeper())
    let eks = EKSStorey(world: world)
    return withExtendedLifetime((aws, eks)) {
      AWSServiceModel.all.sorted { $0.id < $1.id }.flatMap { model -> [Row] in
        let service = world.aws.services[model.id]
        return model.operationNames.sorted().map { name in
          let status: Status =
            service?.modelled.contains(name) == true
            ? .modelled : service?.recorded.contains(name) == true ? .recorded : .unsupported
          return Row(service: model.id, operation: name, status: status)
        }
      }
    }
  }
}
