import Wire

/// Whether CoreDNS would start by a Corefile.
package enum CorefileRule: Rule {
  package static let name = "names/corefile"

  package struct Facts: FactSet {
    /// What the ConfigMap has; nil where it has none.
    package var text: Fact<String?>
    /// The resolv.conf of CoreDNS's own pod.
    package var resolver: Fact<ResolverConfiguration>

    package init(text: Fact<String?>, resolver: Fact<ResolverConfiguration>) {
      self.text = text
      self.resolver = resolver
    }

    package static let hiders: [@Sendable (inout Self) -> Void] = [hider(\.text), hider(\.resolver)]
  }

  package static func decide(_ facts: Facts) -> Verdict<Corefile, Because> {
    guard let known = facts.text.value else { return .open([facts.text.gap!]) }
    guard let text = known else {
      return .no([
        Because("names/corefile/missing", "there is no Corefile in the ConfigMap", evidence: [facts.text.citation])
      ])
    }
    guard let resolver = facts.resolver.value else { return .open([facts.resolver.gap!]) }
    do throws(CorefileError) {
      let file = try Corefile(text, files: ["/etc/resolv.conf": resolver.text])
      return .yes(file, [Because("names/corefile/taken", "CoreDNS takes it", evidence: [facts.text.citation])])
    } catch {
      var details = JSON.emptyObject
      if let line = error.line { details["line"] = .int(Int64(line)) }
      return .no([
        Because("names/corefile/refused", error.text, evidence: [facts.text.citation], details: details)
      ])
    }
  }

  /// A line of a Corefile, without its blanks.
  package static func line(_ number: Int, of text: String) -> String? {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    guard lines.indices.contains(number - 1) else { return nil }
    return lines[number - 1].split(separator: " ").joined(separator: " ")
  }
}
