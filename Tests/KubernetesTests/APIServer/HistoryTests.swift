import Kubernetes
import Testing
import Wire
import World

@Suite("The past of objects")
struct HistoryTests {
  private let path = "/api/v1/namespaces/default/configmaps"
  private static let merge = "application/merge-patch+json"

  private func revision(_ bench: Bench) -> String {
    bench.send("GET", path).body["metadata"]["resourceVersion"].string!
  }

  /// Makes, changes, deletes and makes again.
  private func live(_ bench: Bench) {
    for name in ["a", "b", "c"] {
      bench.send("POST", path, ["metadata": ["name": .string(name), "labels": ["on": "no"]]])
    }
    bench.send("PATCH", "\(path)/a", ["metadata": ["labels": ["on": "yes"]]], type: Self.merge)
    bench.send("PATCH", "\(path)/a", ["data": ["k": "1"]], type: Self.merge)
    bench.send("DELETE", "\(path)/b")
    bench.send("POST", path, ["metadata": ["name": "b", "labels": ["on": "yes"]], "data": ["again": "yes"]])
    bench.send("PATCH", "\(path)/a", ["metadata": ["labels": ["on": "no"]]], type: Self.merge)
    bench.send("DELETE", "\(path)/c")
  }

  @Test("A watch goes on after a restart as if there had been none", arguments: ["", "&labelSelector=on%3Dyes"])
  func resumes(_ selector: String) throws {
    let bench = try Bench()
    let from = revision(bench)
    live(bench)
    let uri = "\(path)?watch=1&resourceVersion=\(from)\(selector)"
    let before = bench.stream(uri)
    #expect(before.events.count == (selector.isEmpty ? 9 : 4))
    let later = try Bench(bench.store)
    let after = later.stream(uri)
    #expect(after.bytes == before.bytes)
    // And from every revision on the way; then with what comes.
    for event in before.events {
      let at = event["object"]["metadata"]["resourceVersion"].string!
      let uri = "\(path)?watch=1&resourceVersion=\(at)\(selector)"
      #expect(later.stream(uri).bytes == bench.stream(uri).bytes)
    }
    later.send("PATCH", "\(path)/b", ["data": ["more": "1"]], type: Self.merge)
    #expect(after.events.last?["object"]["data"]["more"].string == "1")
    let again = try Bench(later.store)
    #expect(again.stream(uri).bytes == after.bytes)
  }

  @Test("A list in pages goes on after a restart, and shows what it showed")
  func pages() throws {
    let bench = try Bench()
    for index in 0..<5 { bench.send("POST", path, ["metadata": ["name": .string("m\(index)")]]) }
    let first = bench.send("GET", "\(path)?limit=2").body
    bench.send("DELETE", "\(path)/m3")
    bench.send("PATCH", "\(path)/m4", ["data": ["k": "1"]], type: Self.merge)
    let rest = "\(path)?continue=\(first["metadata"]["continue"].string!)"
    let later = try Bench(bench.store)
    #expect(later.send("GET", rest).bytes == bench.send("GET", rest).bytes)
    #expect(later.send("GET", rest).body["items"].items.last?["data"]["k"].isNull == true)
  }

  @Test("Of more than the bound only the latest is known, before a restart and after it")
  func bounded() throws {
    let bench = try Bench()
    let from = revision(bench)
    bench.send("POST", path, ["metadata": ["name": "a"]])
    for index in 0..<1050 {
      bench.send("PATCH", "\(path)/a", ["data": ["k": .string("\(index)")]], type: Self.merge)
    }
    #expect(bench.store.rows.keys.filter { $0.hasPrefix("k8s-history/demo/configmaps/") }.count == 1000)
    let later = try Bench(bench.store)
    for server in [bench, later] {
      let old = server.stream("\(path)?watch=1&resourceVersion=\(from)")
      #expect(old.events.first?["object"]["reason"].string == "Expired")
      #expect(old.events.first?["object"]["message"].string?.hasPrefix("too old resource version: \(from) (") == true)
      #expect(old.isEnded)
    }
    let last = Int(revision(bench))!
    let recent = "\(path)?watch=1&resourceVersion=\(last - 900)"
    #expect(bench.stream(recent).events.count == 900)
    #expect(later.stream(recent).bytes == bench.stream(recent).bytes)
    // Large objects are kept in fewer rows.
    let large = String(repeating: "x", count: 900_000)
    for index in 0..<12 {
      bench.send("PATCH", "\(path)/a", ["data": ["k": .string("\(index)\(large)")]], type: Self.merge)
    }
    let bytes = bench.store.rows.filter { $0.key.hasPrefix("k8s-history/demo/") }.reduce(0) { $0 + $1.value.count }
    #expect(bytes < 10 << 20)
    let third = try Bench(bench.store)
    let newest = "\(path)?watch=1&resourceVersion=\(Int(revision(bench))! - 5)"
    #expect(third.stream(newest).bytes == bench.stream(newest).bytes)
  }

  @Test("Making an object writes no more than the object, its revision and nothing of the past")
  func cost() throws {
    let bench = try Bench()
    let rows = bench.store.rows.count
    bench.send("POST", path, ["metadata": ["name": "a"]])
    #expect(bench.store.rows.count == rows + 1)
  }

  @Test("A store that has no past yet begins one")
  func older() throws {
    let bench = try Bench()
    live(bench)
    let store = bench.store
    var batch = Batch()
    for key in store.rows.keys where key.hasPrefix("k8s-history") { batch.remove(key) }
    try store.commit(batch)
    let later = try Bench(store)
    #expect(later.stream("\(path)?watch=1&resourceVersion=3").events.first?["object"]["reason"].string == "Expired")
    let from = revision(later)
    later.send("DELETE", "\(path)/a")
    let again = try Bench(store)
    #expect(again.stream("\(path)?watch=1&resourceVersion=\(from)").events.map { $0["type"].string } == ["DELETED"])
  }
}
