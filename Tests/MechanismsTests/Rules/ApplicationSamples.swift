import Mechanisms
import Wire

extension ContainerEnding: Sampled {
  static func sample(_ chance: inout Chance) -> Facts {
    let container: JSON = [
      "livenessProbe": ["tcpSocket": ["port": 80], "periodSeconds": .int(Int64(chance.pick([1, 30])))]
    ]
    let end = End(
      code: chance.pick([0, 1, 126, 127, 137, 139, 255]),
      reason: chance.pick(["", "Error", "OOMKilled", "StartError", "Unknown"]),
      message: chance.pick(["", "no such file or directory", "permission denied"]),
      started: Timestamp(seconds: 100), finished: Timestamp(seconds: 110))
    return Facts(
      end: .known(chance.flip(6) ? nil : end), probes: .known(chance.flip() ? [] : [Probe(.liveness, of: container)!]),
      kills: .known(chance.flip() ? [] : [Kill(.liveness, last: Timestamp(seconds: Int64(chance.pick([90, 120]))))]))
  }
}
