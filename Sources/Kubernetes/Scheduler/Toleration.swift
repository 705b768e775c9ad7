import Wire

/// Whether a toleration lets a pod live with a taint.
enum Toleration {
  static func tolerates(_ toleration: JSON, _ taint: JSON) -> Bool {
    if let effect = toleration["effect"].string, !effect.isEmpty, effect != taint["effect"].string { return false }
    let key = toleration["key"].string ?? ""
    if !key.isEmpty, key != taint["key"].string { return false }
    switch toleration["operator"].string ?? "" {
    case "Exists": return true
    case "", "Equal": return (toleration["value"].string ?? "") == (taint["value"].string ?? "")
    default: return false
    }
  }
}
