import Containers
import Testing
import Wire

@Suite struct ImageTests {
  private func plan(_ image: String, _ command: [String] = [], _ args: [String] = [], told: JSON = .null)
    -> ContainerPlan
  {
    ContainerPlan(image: image, command: command, args: args, told: told)
  }

  private func runs(_ plan: ContainerPlan) -> Bool { if case .runs = plan.kind { true } else { false } }
  private func data(_ plan: ContainerPlan) -> ServerBehaviour? {
    if case .serves(let behaviour) = plan.kind { behaviour } else { nil }
  }

  @Test func whatAContainerComesToDo() {
    #expect(runs(plan("busybox", ["sh", "-c", "echo hi"])))
    #expect(runs(plan("busybox", [], ["sleep", "3600"])))
    #expect(runs(plan("nginx", ["sh", "-c", "nginx -g 'daemon off;'"])))
    #expect(runs(plan("nginx", [], ["sleep", "1"])))
    #expect(plan("nginx", [], ["sleep", "1"]).arguments == ["sleep", "1"])
    #expect(runs(plan("example.com/own/app:1", ["sh", "-c", "exit 1"])))
    #expect(plan("nginx:1.27").serves?.map(\.port) == [80])
    #expect(plan("example.com/own/app:1", ["/app", "--port=80"]).serves == nil)
    #expect(data(plan("example.com/own/app:1")) != nil)
    #expect(data(plan("postgres"))?.exit?.code == 1)
    #expect(
      data(ContainerPlan(image: "postgres", command: [], args: [], environment: ["POSTGRES_PASSWORD": "x"]))?.exit
        == nil)
    #expect(
      plan("registry.k8s.io/e2e-test-images/agnhost:2.53", [], ["netexec", "--http-port=8000"]).serves?[0].port == 8000)
    #expect(plan("python", ["python3", "-m", "http.server", "9000"]).serves?[0].port == 9000)
    #expect(data(plan("perl", ["perl", "-Mbignum=bpi", "-wle", "print bpi(2000)"]))?.exit?.code == 0)
    if case .fault(let why) = plan("nginx", ["nosuch"]).kind {
      #expect(why.hasPrefix("exec: \"nosuch\": executable file not found in $PATH"))
    } else {
      Issue.record("a program that is not there was started")
    }
  }

  @Test func annotationsSayOtherwise() throws {
    let told = try YAML.parse(
      "start: 5s\nserves: [{port: 8080, http: [{path: /healthz, status: 200, until: 30s, then: 500}]}]\nstop: ignore\nexit: {after: 1m, code: 2}\n"
    )
    let behaviour = try #require(data(plan("busybox", ["sleep", "1"], told: told)))
    #expect(behaviour.start == .seconds(5))
    #expect(behaviour.stop.isIgnored)
    #expect(behaviour.exit?.after == .seconds(60))
    #expect(behaviour.serves.map(\.port) == [8080])
  }

  @Test func references() {
    #expect(ImageReference.full("nginx") == "docker.io/library/nginx:latest")
    #expect(ImageReference.full("public.ecr.aws/x/y:1") == "public.ecr.aws/x/y:1")
    #expect(ImageReference.full("amazon/aws-cli") == "docker.io/amazon/aws-cli:latest")
    #expect(ImagePull.failure("nginx", told: nil) == nil)
    #expect(
      ImagePull.failure("nginx:nonexistent", told: nil)?.hasSuffix("docker.io/library/nginx:nonexistent: not found")
        == true)
    #expect(ImagePull.failure("nginx", told: "denied")?.contains("pull access denied") == true)
    #expect(ImagePull.failure("invalid.registry.k8s.io/x:1", told: nil)?.hasSuffix("no such host") == true)
  }
}
