import Wire

extension KindRules {
  static let certificateSigningRequests = KindRules(
    name: NameRules.pathSegment,
    defaults: { object in
      guard object["spec"].object != nil, object["spec"]["usages"].isNull else { return }
      object["spec"]["usages"] = ["digital signature", "key encipherment"]
    },
    validate: { new, old in
      guard old == nil else { return [] }
      let spec = new["spec"]
      var errors: [FieldError] = []
      if !isRequest(spec["request"].string ?? "") {
        errors.append(
          .invalid("spec.request", spec["request"], "PEM block type must be 'CERTIFICATE REQUEST'"))
      }
      if spec["usages"].items.isEmpty { errors.append(.required("spec.usages")) }
      for (index, usage) in spec["usages"].items.enumerated() {
        let at = FieldPath("spec.usages").index(index)
        if !usages.contains(usage.string ?? "") {
          errors.append(.notSupported(at, usage, supported: usages))
        } else if spec["usages"].items[..<index].contains(usage) {
          errors.append(.duplicate(at, usage))
        }
      }
      errors += validate(signerName: spec["signerName"], "spec.signerName")
      if let seconds = spec["expirationSeconds"].int, seconds < 600 {
        errors.append(
          .invalid(
            "spec.expirationSeconds", spec["expirationSeconds"],
            "may not specify a duration less than 600 seconds (10 minutes)"))
      }
      return errors
    },
    validateStatus: { new, old in
      var errors: [FieldError] = []
      for (index, condition) in new["status"]["conditions"].items.enumerated() {
        let at = FieldPath("status.conditions").index(index)
        let type = condition["type"].string ?? ""
        if type.isEmpty { errors.append(.required(at.child("type"))) }
        errors += FieldRules.oneOf(condition["status"], ["True", "False", "Unknown"], at.child("status"))
        if ["Approved", "Denied", "Failed"].contains(type), condition["status"].string != "True" {
          errors.append(.notSupported(at.child("status"), condition["status"], supported: ["True"]))
        }
        let others = new["status"]["conditions"].items[..<index]
        if others.contains(where: { $0["type"] == condition["type"] }) {
          errors.append(.duplicate(at.child("type"), condition["type"]))
        }
        let contrary = type == "Approved" ? "Denied" : type == "Denied" ? "Approved" : ""
        if !contrary.isEmpty, others.contains(where: { $0["type"].string == contrary }) {
          errors.append(
            .invalid(at.child("type"), condition["type"], "Approved and Denied conditions are mutually exclusive"))
        }
      }
      if let before = old?["status"]["certificate"].string, !before.isEmpty,
        new["status"]["certificate"].string != before
      {
        errors.append(.forbidden("status.certificate", "updates may not set certificate"))
      }
      return errors
    },
    prepareCreate: { object, write in
      // Who asks for a certificate is told by the request, not by its body.
      guard let user = write.user else { return }
      object["spec"]["username"] = .string(user.name)
      object["spec"]["uid"] = user.uid.isEmpty ? .null : .string(user.uid)
      object["spec"]["groups"] = user.groups.isEmpty ? .null : JSON(user.groups)
      let extra = user.extra.sorted { $0.key < $1.key }.map { ($0.key, JSON($0.value)) }
      object["spec"]["extra"] = extra.isEmpty ? .null : .object(JSONObject(extra))
    },
    prepareUpdate: { new, old, _ in new["spec"] = old["spec"] },
    fields: ["spec.signerName": text("spec", "signerName")])

  private static let usages = [
    "any", "cert sign", "client auth", "code signing", "content commitment", "crl sign", "data encipherment",
    "decipher only", "digital signature", "email protection", "encipher only", "ipsec end system", "ipsec tunnel",
    "ipsec user", "key agreement", "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing",
    "s/mime", "server auth", "signing", "timestamping",
  ]

  private static func isRequest(_ text: String) -> Bool {
    guard let bytes = Base64.decode(text) else { return false }
    return String(decoding: bytes, as: UTF8.self).contains("-----BEGIN CERTIFICATE REQUEST-----")
  }

  private static func validate(signerName: JSON, _ at: FieldPath) -> [FieldError] {
    let text = signerName.string ?? ""
    if text.isEmpty { return [.required(at)] }
    let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2 else {
      return [
        .invalid(at, signerName, "must be a fully qualified domain and path of the form 'example.com/signer-name'")
      ]
    }
    if !parts[0].contains(".") {
      return [.invalid(at, signerName, "should be a domain with at least two segments separated by dots")]
    }
    return FieldRules.texts(NameRules.dns1123Subdomain(parts[0]), .string(parts[0]), at)
      + FieldRules.texts(NameRules.dns1123Subdomain(parts[1]), .string(parts[1]), at)
  }
}
