package import Wire

extension Answer {
  /// The answer for programs, as the contract of the command line lays it out.
  package var json: JSON {
    var out = JSON.emptyObject
    out["target"] = target.json
    out["asOf"] = .string(asOf.rfc3339)
    if let basis { out["asOfBasis"] = .string(basis) }
    out["subject"] = subject.json
    out["status"] = .string(status.rawValue)
    out["summary"] = .string(summary)
    if let verdict { out["verdict"] = .string(verdict) }
    if let lastSymptomAt { out["lastSymptomAt"] = .string(lastSymptomAt.rfc3339) }
    if let waitsFor { out["waitsFor"] = .string(waitsFor) }
    if let waitsUntil { out["waitsUntil"] = .string(waitsUntil.rfc3339) }
    out["chain"] = .array(chain.map(\.json))
    out["roots"] = .array(roots.map(\.json))
    out["also"] = .array(also.map(\.json))
    out["ruledOut"] = .array(
      ruledOut.map {
        ["code": .string($0.code), "statement": .string($0.statement), "evidence": .array($0.evidence.map(\.json))]
      })
    out["gaps"] = .array(gaps.map(\.json))
    out["checked"] = .array(checked.map { .string($0) })
    out["notChecked"] = .array(notChecked.map { ["question": .string($0.question), "ask": .string($0.ask)] })
    out["reads"] = [
      "kubernetes": .int(Int64(reads.kubernetes)), "aws": .int(Int64(reads.aws)), "seconds": .double(reads.seconds),
    ]
    return out
  }
}

extension Target {
  var json: JSON {
    var out = JSON.emptyObject
    for (name, value) in [
      ("cluster", cluster), ("account", account), ("region", region), ("context", context), ("caller", caller),
    ] {
      if let value { out[name] = .string(value) }
    }
    return out
  }
}

extension Entity {
  var json: JSON {
    var out: JSON = ["kind": .string(kind)]
    if let namespace { out["namespace"] = .string(namespace) }
    out["name"] = .string(name)
    return out
  }
}

extension Exhibit {
  var json: JSON {
    var out: JSON = ["source": .string(citation.source), "locator": .string(citation.locator)]
    if !citation.field.isEmpty { out["field"] = .string(citation.field) }
    out["value"] = .string(citation.value)
    if let at = citation.at { out["at"] = .string(at.rfc3339) }
    out["text"] = .string(text)
    return out
  }
}

extension Step {
  var json: JSON {
    [
      "id": .int(Int64(id)), "because": .array(because.map { .int(Int64($0)) }), "code": .string(code),
      "statement": .string(statement), "entity": entity.json, "evidence": .array(evidence.map(\.json)),
    ]
  }
}

extension Root {
  var json: JSON {
    [
      "id": .int(Int64(id)), "sufficient": .bool(sufficient), "code": .string(cause.code),
      "layer": .string(cause.layer.rawValue), "entity": cause.entity.json, "statement": .string(cause.statement),
      "evidence": .array(cause.evidence.map(\.json)), "fix": .array(cause.fixes.map(\.json)),
    ]
  }
}

extension Fix {
  var json: JSON {
    var out: JSON = ["statement": .string(statement)]
    if let command { out["command"] = .string(command) }
    out["owner"] = .string(owner)
    out["touches"] = .array(touches.map { .string($0) })
    out["restarts"] = .bool(restarts)
    if let undo { out["undo"] = .string(undo) }
    if let verify { out["verify"] = .string(verify) }
    if let expectWithin { out["expectWithin"] = .string(expectWithin) }
    return out
  }
}

extension AnswerGap {
  var json: JSON {
    var out: JSON = [
      "read": .string(gap.read), "why": .string(gap.why), "unlocks": .array(unlocks.map { .string($0) }),
    ]
    out["how"] = .string(gap.how)
    return out
  }
}
