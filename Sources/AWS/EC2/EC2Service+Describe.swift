import Wire
import World

/// How a kind of resource is described.
struct Description {
  /// Member of the output: `Vpcs`.
  var list: String
  /// Member of the input with wanted ids: `VpcIds`.
  var ids: String
  /// Member with a resource's id: `VpcId`.
  var id: String
  /// The kind in not-found texts.
  var kind: String
  /// Filters whose place in the resource doesn't follow from their name.
  var filters: [String: String] = [:]
}

extension EC2Service {
  /// The rows a Describe call can be about: those it names, or all. What isn't there is refused in ``describe``.
  func described<Row>(_ table: Table<Row>, _ what: Description, _ request: AWSRequest) -> [Row] {
    let wanted = request.input[what.ids].strings
    return wanted.isEmpty ? table.all : table.rows(keys: wanted)
  }

  /// A Describe answer: wanted ids, filters, pages.
  func describe(_ what: Description, _ all: [JSON], _ request: AWSRequest) throws(AWSError) -> JSON {
    var rows = all
    let wanted = request.input[what.ids].strings
    if !wanted.isEmpty {
      for id in wanted where !rows.contains(where: { $0[what.id].string == id }) { throw .notFound(what.kind, id) }
      rows = rows.filter { wanted.contains($0[what.id].string ?? "") }
    }
    rows = try filtered(rows, what, request.input["Filters"])
    let limit = request.input["MaxResults"].int ?? Int.max / 2
    guard
      let page = Page(
        rows.map { ($0[what.id].string ?? "", $0) }, token: request.input["NextToken"].string, limit: limit)
    else { throw .ec2("InvalidNextToken", "The token '\(request.input["NextToken"].string ?? "")' is invalid") }
    return [what.list: .array(page.elements), "NextToken": JSON(page.next)]
  }

  /// The resources that pass every filter; one of a filter's values is enough.
  func filtered(_ rows: [JSON], _ what: Description, _ filters: JSON) throws(AWSError) -> [JSON] {
    var rows = rows
    for filter in filters.items {
      guard let name = filter["Name"].string else { continue }
      let values = filter["Values"].strings
      guard !values.isEmpty else {
        throw .ec2("InvalidParameterValue", "The filter '\(name)' must have at least one value")
      }
      let test: (JSON) -> [String]
      if name.hasPrefix("tag:") {
        let key = String(name.dropFirst(4))
        test = { row in row["Tags"].items.filter { $0["Key"].string == key }.compactMap { $0["Value"].string } }
      } else if name == "tag-key" {
        test = { $0["Tags"].items.compactMap { $0["Key"].string } }
      } else {
        let path = what.filters[name] ?? Self.path(ofFilter: name)
        let steps = path.split(separator: ".")
        test = { $0.values(at: steps).compactMap(\.scalarText) }
      }
      rows = rows.filter { row in
        let own = test(row)
        return own.contains { text in values.contains { wildcard($0, matches: text) } }
      }
    }
    return rows
  }

  /// `VpcId` of `vpc-id`, `Attachment.InstanceId` of `attachment.instance-id`.
  static func path(ofFilter name: String) -> String {
    name.split(separator: ".").map { part in
      part.split(separator: "-").map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
    }.joined(separator: ".")
  }
}
