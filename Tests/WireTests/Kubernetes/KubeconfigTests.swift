import Testing
import Wire

@Suite struct KubeconfigTests {
  /// As `aws eks update-kubeconfig` writes it.
  static let text = """
    apiVersion: v1
    clusters:
    - cluster:
        certificate-authority-data: QUJD
        server: https://localhost:40123
        x-unknown: 1
      name: arn:aws:eks:us-east-1:111122223333:cluster/demo
    contexts:
    - context:
        cluster: arn:aws:eks:us-east-1:111122223333:cluster/demo
        user: arn:aws:eks:us-east-1:111122223333:cluster/demo
      name: demo
    current-context: demo
    kind: Config
    preferences: {}
    users:
    - name: arn:aws:eks:us-east-1:111122223333:cluster/demo
      user:
        exec:
          apiVersion: client.authentication.k8s.io/v1beta1
          args:
          - --region
          - us-east-1
          - eks
          - get-token
          command: aws
          env:
          - name: AWS_ENDPOINT_URL
            value: http://localhost:4566
          provideClusterInfo: false

    """

  @Test func readsAndWrites() throws {
    let config = try Kubeconfig(Array(Self.text.utf8))
    let found = try #require(config.resolve())
    #expect(found.cluster.server == "https://localhost:40123" && found.cluster.certificateAuthorityData == "QUJD")
    #expect(found.user.exec?.args.count == 4)
    #expect(found.user.exec?.env == [.init(name: "AWS_ENDPOINT_URL", value: "http://localhost:4566")])
    #expect(config.yaml == Self.text)
    #expect(config.resolve(context: "none") == nil)
    #expect(try Kubeconfig([]) == Kubeconfig())
    #expect(throws: Kubeconfig.Failure.self) { try Kubeconfig(Array("[1]".utf8)) }
  }

  @Test func merges() throws {
    var first = Kubeconfig()
    first.add("a", cluster: .init(server: "https://1"), user: .init(token: "t"))
    var second = Kubeconfig()
    second.add("a", cluster: .init(server: "https://2"), user: .init())
    second.add("b", cluster: .init(server: "https://3"), user: .init(), namespace: "n")
    let merged = Kubeconfig.merged([first, second])
    #expect(merged.currentContext == "a" && merged.clusters.names == ["a", "b"])
    #expect(merged.resolve()?.cluster.server == "https://1" && merged.contexts["b"]?.namespace == "n")
    #expect(Kubeconfig.paths("/a:/b::") == ["/a", "/b"])
  }
}
