package import Evidence
package import Mechanisms
package import Wire

/// What was found out about one subject; how it is told stands in `Render`.
package struct Answer: Sendable {
  package enum Status: String, Sendable {
    /// A root cause was proved.
    case failing
    /// Within its usual time.
    case progressing
    /// Something is wrong or in doubt, and the chain stops.
    case unproven
    /// None of the questions asked found a fault.
    case healthy
  }

  package var target: Target
  package var asOf: Timestamp
  /// What "now" was taken from, when it is not the present.
  package var basis: String?
  package var subject: Entity
  package var status: Status
  package var summary: String
  /// Where it was asked whether: `yes`, `no`, `nothing-readable-denies-it`, `unproven`.
  package var verdict: String?
  package var lastSymptomAt: Timestamp?
  /// While progressing: what it waits for, and until when that is usual.
  package var waitsFor: String?
  package var waitsUntil: Timestamp?
  package var chain: [Step] = []
  package var roots: [Root] = []
  /// Other proved faults of the subject.
  package var also: [Root] = []
  package var ruledOut: [RuledOut] = []
  package var gaps: [AnswerGap] = []
  package var checked: [String] = []
  package var notChecked: [NotChecked] = []
  package var reads = Reads()

  /// 0 no fault or progressing, 1 a root was proved, 2 not proved.
  package var exitStatus: Int32 {
    switch status {
    case .healthy, .progressing: 0
    case .failing: 1
    case .unproven: 2
    }
  }

  package struct Reads: Sendable {
    package var kubernetes = 0
    package var aws = 0
    package var seconds = 0.0
  }
}

/// Which cluster was asked, as whom.
package typealias Target = ClusterIdentity

extension ClusterIdentity {
  /// `kubectl --context demo`
  package var kubectl: String { context.map { "kubectl --context \(Shell.quote($0))" } ?? "kubectl" }

  /// Options of every `aws` command.
  package var awsOptions: String {
    (region.map { " --region \(Shell.quote($0))" } ?? "") + (profile.map { " --profile \(Shell.quote($0))" } ?? "")
  }
}

/// A link of the chain that holds.
package struct Step: Sendable {
  package var id: Int
  /// Ids of steps and roots that this one stands on.
  package var because: [Int]
  package var code: String
  package var statement: String
  package var entity: Entity
  package var evidence: [Exhibit]
}

/// A cause behind which there is none that an operator could remove.
package struct Root: Sendable {
  package var id: Int
  /// Curing this one alone would be enough.
  package var sufficient: Bool
  package var cause: RootCause
}

package struct RuledOut: Sendable {
  package var code: String
  package var statement: String
  package var evidence: [Exhibit]
}

package struct AnswerGap: Sendable {
  package var gap: Gap
  /// Codes of the links that it keeps open.
  package var unlocks: [String]
  /// The answer is not proved for want of it.
  package var isDeciding: Bool
}

package struct NotChecked: Sendable {
  package var question: String
  package var ask: String

  package init(_ question: String, ask: String) {
    self.question = question
    self.ask = ask
  }
}

/// One piece of evidence, and the line that tells it to a person.
package struct Exhibit: Sendable, Hashable {
  package var citation: Citation
  package var text: String

  package init(_ citation: Citation, text: String? = nil) {
    self.citation = citation
    self.text = text ?? Exhibit.line(citation)
  }

  /// `ec2 DescribeSubnets subnet-0c3…: AvailableIpAddressCount 3`, `k8s configmaps/kube-system/aws-auth, data.mapRoles`.
  private static func line(_ citation: Citation) -> String {
    var text: String
    if citation.source == "kubernetes" {
      text = "k8s \(citation.locator)"
    } else if citation.source.hasPrefix("aws:") {
      text = citation.locator.replacing(":", with: " ", maxReplacements: 1)
    } else {
      text = "\(citation.source) \(citation.locator)"
    }
    let value = citation.value.count > 160 ? "\(citation.value.prefix(157))…" : citation.value
    switch (citation.field.isEmpty, value.isEmpty) {
    case (true, true): break
    case (true, false): text += ": \(value)"
    case (false, true): text += ", \(citation.field)"
    case (false, false): text += ": \(citation.field) \(value)"
    }
    return text
  }
}

/// Words of a command as a shell takes them.
package enum Shell {
  package static func quote(_ word: String) -> String {
    let safe = word.utf8.allSatisfy { byte in
      switch byte {
      case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
      default: "-_./:@=,+%".utf8.contains(byte)
      }
    }
    return safe && !word.isEmpty ? word : "'\(word.replacing("'", with: "'\\''"))'"
  }
}
