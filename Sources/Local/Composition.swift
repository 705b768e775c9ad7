import AWS
import EKS
import InCluster
import Kubernetes
import Wire
import World

/// The storeys of one world and the hooks by which they meet. Everything in here is used on the world's
/// thread, or before that thread is started.
final class Composition {
  let world: World
  let kubernetes: KubernetesStorey
  let clusterDoors: ClusterDoors
  let secrets: SecretFile
  let aws: AWSStorey
  let eks: EKSStorey

  init(
    world: World, folder: StateFolder, doors: any Doors, thread: WorldThread, wall: @escaping @Sendable () -> Timestamp,
    outsideAddress: String
  ) throws {
    self.world = world
    secrets = try SecretFile(path: "\(folder.path)/keys/secrets")
    clusterDoors = ClusterDoors(world: world, folder: folder, doors: doors) { cluster in
      KubeDoor(cluster: cluster, thread: thread, wall: wall, outsideAddress: outsideAddress)
    }
    world.ports.clusters = clusterDoors
    aws = AWSStorey(world: world, secrets: secrets)
    eks = EKSStorey(world: world)
    kubernetes = KubernetesStorey(world: world)
    connectKubernetes(thread)
  }

  private func connectKubernetes(_ thread: WorldThread) {
    let ports = world.ports
    kubernetes.hooks.verifyServiceAccountToken = { ports.clusters?.verifyToken($0, token: $1) }
    kubernetes.hooks.signServiceAccountToken = { ports.clusters?.signToken($0, claims: $1) }
    kubernetes.hooks.audit = { ports.audit($0, $1) }
    let storey = Unowned(kubernetes)
    kubernetes.onStreamClosed = { id in thread.post { _ in storey.value?.endStream(id) } }
  }

  /// Tokens signed for this endpoint are the local EKS's own.
  func began(endpoint: String) { eks.origins = [endpoint] }

  var adminCredentials: AWSCredentials {
    secrets.credentials(of: aws.administratorKey) ?? AWSCredentials(accessKeyID: "", secretAccessKey: "")
  }

  /// A reference for closures that run on the world's thread only.
  private struct Unowned: @unchecked Sendable {
    weak var value: KubernetesStorey?
    init(_ value: KubernetesStorey) { self.value = value }
  }
}

extension SecretFile: SecretKeeper {}
