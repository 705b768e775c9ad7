import Testing
import Wire

/// What is said and what stands there after upstream has decoded and encoded it.
@Suite struct SettleTests {
  @Test(arguments: [
    // What the type leaves out.
    (
      #"{"kind":"Pod","apiVersion":"v1","metadata":{"labels":{},"finalizers":[],"name":"a"},"#
        + #""spec":{"nodeSelector":{},"hostNetwork":false,"tolerations":[],"containers":[]}}"#,
      #"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"},"spec":{"containers":null},"status":{}}"#
    ),
    // A pointer's zero was said and stays.
    (
      #"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"},"spec":{"automountServiceAccountToken":false,"#
        + #""terminationGracePeriodSeconds":0,"containers":[{"name":"c","args":[],"tty":false,"#
        + #""securityContext":{"privileged":false,"capabilities":{"drop":[]}},"#
        + #""volumeMounts":[{"name":"v","mountPath":"/v","readOnly":false}]}]}}"#,
      #"{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a"},"spec":{"automountServiceAccountToken":false,"#
        + #""terminationGracePeriodSeconds":0,"containers":[{"name":"c","resources":{},"#
        + #""securityContext":{"privileged":false,"capabilities":{}},"#
        + #""volumeMounts":[{"name":"v","mountPath":"/v"}]}]},"status":{}}"#
    ),
    // Structs are always written, lists that may not be left out are null.
    (
      #"{"kind":"Role","apiVersion":"rbac.authorization.k8s.io/v1","metadata":{"name":"a"},"rules":[]}"#,
      #"{"kind":"Role","apiVersion":"rbac.authorization.k8s.io/v1","metadata":{"name":"a"},"rules":null}"#
    ),
    (
      #"{"kind":"Service","apiVersion":"v1","metadata":{"name":"a"},"spec":{"ports":[{"port":80}],"selector":{}}}"#,
      #"{"kind":"Service","apiVersion":"v1","metadata":{"name":"a"},"spec":{"ports":[{"port":80}]},"#
        + #""status":{"loadBalancer":{}}}"#
    ),
    (
      #"{"kind":"DaemonSet","apiVersion":"apps/v1","metadata":{"name":"a"},"status":{"numberReady":2}}"#,
      #"{"kind":"DaemonSet","apiVersion":"apps/v1","metadata":{"name":"a"},"spec":{"template":{"metadata":{},"#
        + #""spec":{"containers":null}},"updateStrategy":{}},"status":{"numberReady":2,"#
        + #""currentNumberScheduled":0,"desiredNumberScheduled":0,"numberMisscheduled":0}}"#
    ),
    // Of a kind that nobody knows nothing is touched.
    (
      #"{"kind":"Foo","apiVersion":"a.b/v1","spec":{"x":[]}}"#, #"{"kind":"Foo","apiVersion":"a.b/v1","spec":{"x":[]}}"#
    ),
  ])
  func settles(said: String, written: String) throws {
    var object = try JSON.parse(said)
    let gvk = try #require(GroupVersionKind(of: object))
    KubernetesSchema.for(.known.upperBound).settle(&object, as: gvk)
    #expect(object.sorted.text() == (try JSON.parse(written)).sorted.text())
    let once = object
    KubernetesSchema.for(.known.upperBound).settle(&object, as: gvk)
    #expect(object == once)
  }
}
