import Wire
import World

/// The webhook that a definition names for converting its objects between versions.
struct ConversionWebhook: Sendable, Equatable {
  /// How long a call may take.
  static let timeoutSeconds = 30

  var client: JSON
  /// `v1` or `v1beta1`: the first of those it takes that the API server speaks.
  var reviewVersion: String

  /// Nil where versions differ in their name alone.
  init?(_ definition: JSON) {
    let conversion = definition["spec"]["conversion"]
    guard conversion["strategy"].string == "Webhook" else { return nil }
    client = conversion["webhook"]["clientConfig"]
    reviewVersion =
      conversion["webhook"]["conversionReviewVersions"].strings.first { $0 == "v1" || $0 == "v1beta1" } ?? "v1"
  }

  /// What it is asked.
  func body(_ objects: [JSON], to apiVersion: String, uid: String) -> JSON {
    [
      "kind": "ConversionReview", "apiVersion": .string("apiextensions.k8s.io/\(reviewVersion)"),
      "request": [
        "uid": .string(uid), "desiredAPIVersion": .string(apiVersion), "objects": .array(objects),
      ],
      "response": .null,
    ]
  }

  /// Why objects can't be had in a version, in the words of `apiextensions-apiserver/pkg/apiserver/conversion`.
  struct Failure: Error, Equatable {
    var text: String
  }

  func failure(_ objects: [JSON], _ why: String) -> Failure {
    Failure(text: "\(ConversionWebhook.subject(objects)) failed: \(why)")
  }

  private static func subject(_ objects: [JSON]) -> String {
    let first = objects.first ?? .null
    return "conversion webhook for \(first["apiVersion"].string ?? ""), Kind=\(first["kind"].string ?? "")"
  }

  /// The converted objects, in the order of the given ones.
  func judge(_ reply: WebhookAnswer, _ objects: [JSON], to apiVersion: String, uid: String)
    throws(Failure) -> [JSON]
  {
    let subject = ConversionWebhook.subject(objects)
    let converted: [JSON]
    switch self.converted(reply, uid: uid) {
    case .failure(let failure): throw self.failure(objects, failure.text)
    case .success(let found): converted = found
    }
    guard converted.count == objects.count else {
      throw Failure(text: "\(subject) returned \(converted.count) objects, expected \(objects.count)")
    }
    var restored: [JSON] = []
    for (index, (before, after)) in zip(objects, converted).enumerated() {
      let at = "\(subject) returned invalid object at index \(index): "
      let version = after["apiVersion"].string ?? ""
      guard version == apiVersion else {
        throw Failure(text: at + "invalid groupVersion (expected \(apiVersion), received \(version))")
      }
      let (wanted, kind) = (before["kind"].string ?? "", after["kind"].string ?? "")
      guard wanted == kind else { throw Failure(text: at + "invalid kind (expected \(wanted), received \(kind))") }
      for (field, name) in [("name", "name"), ("namespace", "namespace"), ("uid", "UID")] {
        let (was, now) = (before["metadata"][field].string ?? "", after["metadata"][field].string ?? "")
        guard was == now else {
          throw Failure(text: "\(subject) returned invalid object: must have the same \(name): \(was) != \(now)")
        }
      }
      do throws(Failure) { restored.append(try ConversionWebhook.restored(after, from: before)) } catch {
        throw Failure(text: "\(subject) returned invalid metadata: \(error.text)")
      }
    }
    return restored
  }

  private func converted(_ reply: WebhookAnswer, uid: String) -> Result<[JSON], Failure> {
    func no(_ text: String) -> Result<[JSON], Failure> { .failure(Failure(text: text)) }
    let review: JSON
    switch reply {
    case .failed(let why): return no(why)
    case .review(let json): review = json
    }
    let version = "apiextensions.k8s.io/\(reviewVersion)"
    if reviewVersion == "v1" {
      let (told, kind) = (review["apiVersion"].string ?? "", review["kind"].string ?? "")
      guard told == version, kind == "ConversionReview" else {
        return no("expected webhook response of \(version), Kind=ConversionReview, got \(told), Kind=\(kind)")
      }
    }
    let response = review["response"]
    guard response.object != nil else { return no("no response provided") }
    if reviewVersion == "v1" {
      let told = response["uid"].string ?? ""
      guard told == uid else { return no("expected response.uid=\(GoText.quote(uid)), got \(GoText.quote(told))") }
    }
    let result = response["result"]
    guard result["status"].string == "Success" else {
      let message = result["message"].string ?? ""
      return no(
        message.isEmpty ? "response.result.status was '\(result["status"].string ?? "")', not 'Success'" : message)
    }
    return .success(response["convertedObjects"].items)
  }

  /// A converted object with the metadata of the one before, labels and annotations excepted.
  static func restored(_ converted: JSON, from original: JSON) throws(Failure) -> JSON {
    let told = converted["metadata"]
    guard told.object != nil else { throw Failure(text: "missing metadata in converted object") }
    var object = converted
    var metadata = original["metadata"]
    for field in ["labels", "annotations"] {
      guard !told[field].isNull else {
        metadata[field] = .null
        continue
      }
      guard told[field].object != nil else {
        throw Failure(text: "invalid metadata.\(field) of type \(goType(told[field])) in converted object")
      }
      for pair in told[field].fields where pair.value.string == nil {
        throw Failure(
          text: "metadata.\(field)[\(pair.key)] must be a string, but is \(goType(pair.value)) in converted object")
      }
      if told[field] != metadata[field] {
        let faults =
          field == "labels"
          ? FieldRules.labels(told[field], "metadata.labels")
          : FieldRules.annotations(told[field], "metadata.annotation")
        guard faults.isEmpty else {
          let texts = faults.map(\.description)
          throw Failure(text: texts.count == 1 ? texts[0] : "[\(texts.joined(separator: ", "))]")
        }
      }
      metadata[field] = told[field]
    }
    object["metadata"] = metadata
    return object
  }

  private static func goType(_ value: JSON) -> String {
    switch value {
    case .null: "<nil>"
    case .bool: "bool"
    case .string: "string"
    case .array: "[]interface {}"
    case .object: "map[string]interface {}"
    case .int: "int64"
    default: "float64"
    }
  }
}

/// What a webhook has said, read.
enum WebhookAnswer {
  case review(JSON)
  /// `Post "URL": EOF`
  case failed(String)

  init(_ reply: OutboundReply, url: String) {
    switch reply {
    case .failed(let why): self = .failed("Post \(GoText.quote(url)): \(why)")
    case .answer(let status, let body):
      guard (200..<300).contains(status) else {
        self = .failed(WebhookReview.refusal(status, body))
        return
      }
      do throws(JSONError) { self = .review(try JSON.parse(body)) } catch {
        self = .failed("couldn't get version/kind; json parse error: \(error)")
      }
    }
  }
}
