package import Wire
package import World

/// Amazon CloudWatch: what EC2 measures at the interfaces of its instances, and nothing else yet.
package final class CloudWatchService: AWSService {
  package let name = "cloudwatch"
  package let modelled: Set<String> = ["GetMetricStatistics", "GetMetricData", "ListMetrics"]
  private unowned let world: World
  private let ec2: EC2Service

  /// EC2 tells its figures every five minutes, as long as detailed monitoring is off.
  private static let interval = 300
  private static let metrics = ["NetworkIn", "NetworkOut", "NetworkPacketsIn", "NetworkPacketsOut"]

  init(world: World, ec2: EC2Service) {
    self.world = world
    self.ec2 = ec2
  }

  package func handle(_ request: AWSRequest) throws(AWSError) -> JSON {
    switch request.operation {
    case "GetMetricStatistics": return try statistics(request.input)
    case "GetMetricData": return try data(request.input)
    case "ListMetrics": return list(request.input)
    default: throw .unsupported(service: name, operation: request.operation)
    }
  }

  /// One metric of one instance.
  private struct Series {
    var name: String
    var instance: String
  }

  /// A period's figures.
  private struct Point {
    var at: Int64
    /// Of the intervals in it.
    var values: [Int]

    func value(_ statistic: String) -> Double? {
      let sum = Double(values.reduce(0, +))
      switch statistic {
      case "Sum": return sum
      case "Average": return sum / Double(values.count)
      case "Minimum": return values.min().map { Double($0) }
      case "Maximum": return values.max().map { Double($0) }
      case "SampleCount": return Double(values.count)
      default: return nil
      }
    }
  }

  private func series(_ metric: JSON) -> Series? {
    let dimensions = metric["Dimensions"].items
    guard metric["Namespace"].string == "AWS/EC2", dimensions.count == 1,
      dimensions[0]["Name"].string == "InstanceId", let instance = dimensions[0]["Value"].string,
      let name = metric["MetricName"].string, Self.metrics.contains(name)
    else { return nil }
    return Series(name: name, instance: instance)
  }

  private func points(_ series: Series, from start: Int64, to end: Int64, period: Int) -> [Point] {
    guard let launched = ec2.instances[series.instance]?.launchedAt else { return [] }
    let minutes = world.ports.packets.traffic(series.instance)
    let step = Int64(Self.interval)
    // An interval's figure is there once it is over.
    let last = min(end, world.now.seconds - world.now.seconds % step)
    let first = max(start - start % step, launched.seconds - launched.seconds % step)
    var found: [Point] = []
    var at = first
    while at < last, found.count < 100_000 {
      let inside = minutes.filter { $0.number * 60 >= at && $0.number * 60 < at + step }
      let value = inside.reduce(0) { sum, minute in
        switch series.name {
        case "NetworkIn": sum + minute.bytesIn
        case "NetworkOut": sum + minute.bytesOut
        case "NetworkPacketsIn": sum + minute.packetsIn
        default: sum + minute.packetsOut
        }
      }
      let place = at - at % Int64(max(period, Self.interval))
      if found.last?.at == place {
        found[found.count - 1].values.append(value)
      } else {
        found.append(Point(at: place, values: [value]))
      }
      at += step
    }
    return found.filter { $0.at >= start - start % Int64(max(period, Self.interval)) && $0.at < end }
  }

  private static func unit(_ name: String) -> String { name.contains("Packets") ? "Count" : "Bytes" }

  private static func time(_ value: JSON) -> Int64? {
    value.int.map { Int64($0) } ?? value.double.map { Int64($0) }
      ?? value.string.flatMap { Timestamp(rfc3339: $0) }?.seconds
  }

  private static func range(_ input: JSON) throws(AWSError) -> (start: Int64, end: Int64) {
    guard let start = time(input["StartTime"]), let end = time(input["EndTime"]), start < end else {
      throw AWSError(
        code: "InvalidParameterValue", message: "The parameter StartTime must be less than the parameter EndTime.",
        status: 400)
    }
    return (start, end)
  }

  private func statistics(_ input: JSON) throws(AWSError) -> JSON {
    let (start, end) = try Self.range(input)
    let name = input["MetricName"].string ?? ""
    guard let series = series(input) else { return ["Label": .string(name), "Datapoints": []] }
    let wanted = input["Statistics"].strings
    let found = points(series, from: start, to: end, period: input["Period"].int ?? Self.interval)
    return [
      "Label": .string(name),
      "Datapoints": .array(
        found.map { point in
          var told: JSON = ["Timestamp": .int(point.at), "Unit": .string(Self.unit(name))]
          for statistic in wanted { if let value = point.value(statistic) { told[statistic] = .double(value) } }
          return told
        }),
    ]
  }

  private func data(_ input: JSON) throws(AWSError) -> JSON {
    let (start, end) = try Self.range(input)
    let isAscending = input["ScanBy"].string == "TimestampAscending"
    var results: [JSON] = []
    for query in input["MetricDataQueries"].items where query["ReturnData"].bool ?? true {
      guard query["Expression"].isNull else {
        throw .unsupported(service: name, operation: "GetMetricData with expressions")
      }
      let stat = query["MetricStat"]
      let metric = stat["Metric"]
      var found =
        series(metric).map { points($0, from: start, to: end, period: stat["Period"].int ?? Self.interval) } ?? []
      if !isAscending { found.reverse() }
      results.append([
        "Id": query["Id"], "Label": query["Label"].isNull ? metric["MetricName"] : query["Label"],
        "Timestamps": .array(found.map { .int($0.at) }),
        "Values": .array(found.compactMap { $0.value(stat["Stat"].string ?? "").map { .double($0) } }),
        "StatusCode": "Complete",
      ])
    }
    return ["MetricDataResults": .array(results), "Messages": []]
  }

  private func list(_ input: JSON) -> JSON {
    if let space = input["Namespace"].string, space != "AWS/EC2" { return ["Metrics": []] }
    var metrics: [JSON] = []
    for instance in ec2.instances.keys.sorted() {
      for name in Self.metrics where input["MetricName"].isNull || input["MetricName"].string == name {
        let isAsked = input["Dimensions"].items.allSatisfy { dimension in
          dimension["Name"].string == "InstanceId"
            && (dimension["Value"].isNull || dimension["Value"].string == instance)
        }
        guard isAsked else { continue }
        metrics.append([
          "Namespace": "AWS/EC2", "MetricName": .string(name),
          "Dimensions": [["Name": "InstanceId", "Value": .string(instance)]],
        ])
      }
    }
    return ["Metrics": .array(metrics)]
  }
}
