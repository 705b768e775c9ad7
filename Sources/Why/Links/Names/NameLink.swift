import Mechanisms

/// A link about the lookup of a name, walked from who asks to who answers.
protocol NameLink: Link {
  func test(_ reading: NameReading, _ effect: Effect, _ world: Investigation) async -> Finding
}

extension NameLink {
  func test(_ effect: Effect, _ world: Investigation) async -> Finding {
    let found = await world.names(
      effect.entity.name, namespace: effect.entity.namespace ?? "default", from: effect.detail)
    guard let reading = found.reading else { return .silent }
    return await test(reading, effect, world)
  }
}
