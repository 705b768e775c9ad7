import Wire

/// Who made an AWS resource, as its tags tell: a change by hand would be undone there, or drift from it.
enum TagOwner: Equatable {
  case cloudFormation(stack: String)
  case terraform
  case hand

  /// Of tags as a map (EKS) or as a list of Key and Value (EC2, IAM).
  init(tags: JSON) {
    var all = tags.stringMap
    for tag in tags.items { if let key = tag["Key"].string { all[key] = tag["Value"].string ?? "" } }
    if let stack = all["aws:cloudformation:stack-name"] {
      self = .cloudFormation(stack: stack)
      return
    }
    let makers = ["managedby", "createdby", "provisioner", "provisionedby", "iac", "tool"]
    let isTerraform = all.contains { key, value in
      let word = key.lowercased().filter { $0.isLetter }
      if word == "terraform" { return value.lowercased() != "false" }
      return makers.contains(word) && ["terraform", "opentofu"].contains { value.lowercased().contains($0) }
    }
    self = isTerraform ? .terraform : .hand
  }

  /// The fix as it is for what was made by hand; else what is to be done where the resource is written down.
  func fix(_ fix: Fix, instead: String) -> Fix {
    var place: String
    var name: String
    switch self {
    case .hand: return fix
    case .cloudFormation(let stack): (place, name) = ("CloudFormation stack \(stack)", "cloudformation")
    case .terraform: (place, name) = ("its Terraform configuration", "terraform")
    }
    place = "\(instead), in \(place), which made it; a change by hand would not be known there"
    return Fix(place, owner: name, touches: fix.touches, restarts: fix.restarts, verify: fix.verify)
  }
}
