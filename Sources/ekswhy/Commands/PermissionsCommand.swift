import ArgumentParser
import Evidence
import Wire

struct PermissionsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "permissions", abstract: "Exactly what ekswhy reads, as an IAM policy and a ClusterRole.")

  func run() throws {
    var actions = Set(AWSCall.all.map(\.action))
    actions.remove("sts:GetCallerIdentity")
    let policy: JSON = [
      "Version": "2012-10-17",
      "Statement": [
        [
          "Sid": "EkswhyReads", "Effect": "Allow", "Action": .array(actions.sorted().map { .string($0) }),
          "Resource": "*",
        ]
      ],
    ]
    var groups: [String: [String]] = [:]
    for resource in KubernetesResource.all + [.podLogs, .nodeStats] {
      groups[resource.group, default: []].append(resource.name)
    }
    var role = """
      apiVersion: rbac.authorization.k8s.io/v1
      kind: ClusterRole
      metadata:
        name: ekswhy
      rules:

      """
    for (group, names) in groups.sorted(by: { $0.key < $1.key }) {
      role += """
        - apiGroups: ["\(group)"]
          resources: [\(names.sorted().map { "\"\($0)\"" }.joined(separator: ", "))]
          verbs: ["get", "list"]

        """
    }
    Stream.out("# IAM policy (sts:GetCallerIdentity needs none)\n\(policy.text(.pretty))\n---\n")
    Stream.out("# ClusterRole; of Secrets only metadata is ever asked for, which RBAC can't express\n\(role)")
  }
}
