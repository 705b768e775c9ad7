import AWS
import InCluster
import Kubernetes
import Wire
import World

/// A world without doors that plays a fixed script, for the proof that a seed and a script give one world:
/// the digest of everything it stores is the same in every process.
package enum Rehearsal {
  /// FNV-1a over all rows, and how many there are; `show` is handed each row.
  package static func digest(
    seed: UInt64, show: (_ key: String, _ value: String) -> Void = { _, _ in }
  ) throws -> String {
    let store = MemoryStore()
    let world = try World(
      store: store, logFiles: MemoryLogFiles(),
      options: World.Options(seed: seed, start: Timestamp(seconds: 1_795_000_000)))
    let storeys = Storeys(world: world, host: PaperHost(), secrets: MemorySecretKeeper()) { _ in }
    try world.restore()
    play(world, as: storeys.aws.administratorKey)
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    var rows = 0
    try store.load { key, value in
      rows += 1
      show(key, String(decoding: value, as: UTF8.self))
      for byte in Array(key.utf8) + [0] + value { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    }
    return withExtendedLifetime(storeys) { "\(rows) rows \(String(hash, radix: 16)) at \(world.now.rfc3339Micro)" }
  }

  private static func play(_ world: World, as key: String) {
    @discardableResult
    func call(_ service: String, _ operation: String, _ input: JSON) -> JSON {
      let reply = world.aws.perform(
        AWSCall(
          service: service, operation: operation, input: input, region: world.region,
          caller: .credential(accessKeyID: key), sourceIP: world.outsideAddress, userAgent: "rehearsal"))
      world.commit()
      return reply.output ?? .null
    }
    func pass(_ duration: Duration) {
      let end = world.now + duration
      while world.runEvents(until: end, limit: 1000) > 0 { world.commit() }
      world.setClock(end)
      world.commit()
    }
    for (role, service, policies) in [
      ("cluster", "eks.amazonaws.com", ["AmazonEKSClusterPolicy"]),
      ("node", "ec2.amazonaws.com", ["AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy"]),
    ] {
      let trust: JSON = [
        "Version": "2012-10-17",
        "Statement": [["Effect": "Allow", "Principal": ["Service": .string(service)], "Action": "sts:AssumeRole"]],
      ]
      call("iam", "CreateRole", ["RoleName": .string(role), "AssumeRolePolicyDocument": .string(trust.text())])
      for policy in policies {
        call(
          "iam", "AttachRolePolicy",
          ["RoleName": .string(role), "PolicyArn": .string("arn:aws:iam::aws:policy/\(policy)")])
      }
    }
    let subnets = JSON.array(call("ec2", "DescribeSubnets", [:])["Subnets"].items.map { $0["SubnetId"] })
    call(
      "eks", "CreateCluster",
      [
        "name": "demo", "roleArn": .string("arn:aws:iam::\(world.account):role/cluster"),
        "resourcesVpcConfig": ["subnetIds": subnets],
      ])
    pass(.seconds(5))
    call(
      "eks", "CreateNodegroup",
      [
        "clusterName": "demo", "nodegroupName": "ng1", "nodeRole": .string("arn:aws:iam::\(world.account):role/node"),
        "subnets": subnets, "instanceTypes": ["m5.large"],
        "scalingConfig": ["minSize": 1, "maxSize": 4, "desiredSize": 2],
      ])
    pass(.seconds(300))
  }
}

/// A cluster's outside on paper: no listener, no key; requests for certificates and tokens are their own text.
private final class PaperHost: ClusterHost {
  func open(_ clusterID: String, name: String) throws -> (
    endpoint: String, certificateAuthority: String, issuer: String
  ) {
    ("https://localhost:1/\(clusterID)", Base64.encode(Array("paper".utf8)), "https://localhost:1/id/\(clusterID)")
  }
  func close(_ clusterID: String) {}
  func signToken(_ clusterID: String, claims: JSON) -> String? { Base64.encode(claims.bytes()) }
  func verifyToken(_ clusterID: String, token: String) -> JSON? { Base64.decode(token).flatMap { try? JSON.parse($0) } }
  func keySet(_ clusterID: String) -> JSON { ["keys": []] }
  func signCertificate(
    _ clusterID: String, request: String, usages: [String], notBefore: Timestamp, notAfter: Timestamp
  ) throws -> String { "signed \(request)" }
  func describeCertificateRequest(_ pem: String) -> CertificateRequestFacts? {
    guard let json = try? JSON.parse(pem) else { return nil }
    return CertificateRequestFacts(
      subject: CertificateSubject(commonName: json["name"].string ?? "", organizations: json["groups"].strings),
      dnsNames: json["dns"].strings, addresses: json["ip"].strings)
  }
  func makeCertificateRequest(_ subject: CertificateSubject, dnsNames: [String], addresses: [String]) throws -> String {
    let json: JSON = [
      "name": .string(subject.commonName), "groups": JSON(subject.organizations), "dns": JSON(dnsNames),
      "ip": JSON(addresses),
    ]
    return json.text()
  }
}
