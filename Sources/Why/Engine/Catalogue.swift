/// All links. Adding one is a file in `Links` with its test, and a line here.
package struct Catalogue: Sendable {
  package var links: [any Link]

  package init(_ links: [any Link]) { self.links = links }

  package func links(explaining kind: Effect.Kind) -> [any Link] {
    links.filter { $0.explains.contains(kind) }
  }
}
