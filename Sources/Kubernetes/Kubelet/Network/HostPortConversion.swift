import Wire

/// The conversion webhook of agnhost: `hostPort` of v1 is `host` and `port` of v2.
enum HostPortConversion {
  /// The answer to a ConversionReview.
  static func answer(_ review: JSON) -> JSON {
    let request = review["request"]
    let wanted = request["desiredAPIVersion"].string ?? ""
    var converted: [JSON] = []
    var fault: String?
    for object in request["objects"].items where fault == nil {
      switch convert(object, to: wanted) {
      case .success(let found): converted.append(found)
      case .failure(let failure): fault = failure.text
      }
    }
    var response: JSON = ["uid": request["uid"]]
    if let fault {
      response["result"] = ["status": "Failure", "message": .string(fault)]
    } else {
      response["convertedObjects"] = .array(converted)
      response["result"] = ["status": "Success"]
    }
    return ["kind": "ConversionReview", "apiVersion": review["apiVersion"], "response": response]
  }

  private struct Failure: Error { var text: String }

  private static func convert(_ object: JSON, to wanted: String) -> Result<JSON, Failure> {
    let from = object["apiVersion"].string ?? ""
    if from == wanted {
      return .failure(Failure(text: "conversion from a version to itself should not call the webhook: \(wanted)"))
    }
    var changed = object
    changed["apiVersion"] = .string(wanted)
    switch (from, wanted) {
    case ("stable.example.com/v1", "stable.example.com/v2"):
      guard let both = object["hostPort"].string else { return .success(changed) }
      let parts = both.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 2 else { return .failure(Failure(text: "invalid hostPort value `\(both)`")) }
      changed["hostPort"] = .null
      changed["host"] = .string(parts[0])
      changed["port"] = .string(parts[1])
    case ("stable.example.com/v2", "stable.example.com/v1"):
      guard object.has("host") || object.has("port") else { return .success(changed) }
      changed["hostPort"] = .string("\(object["host"].string ?? ""):\(object["port"].string ?? "")")
      changed["host"] = .null
      changed["port"] = .null
    default: return .failure(Failure(text: "unexpected conversion version \(GoText.quote(wanted))"))
    }
    return .success(changed)
  }
}
