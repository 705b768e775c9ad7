import ArgumentParser
import Local
import Wire

struct CoverageCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "coverage",
    abstract: "What the local EKS models, records and refuses of the AWS APIs.",
    discussion: "docs/fidelity.md tells how faithful each mechanism is, and by what it was judged.")

  @Option(name: .short, help: "text or json")
  var output = "text"

  func run() throws {
    let rows = try Coverage.operations()
    switch output {
    case "json":
      let elements = rows.map { row -> JSON in
        [
          "service": .string(row.service), "operation": .string(row.operation), "status": .string(row.status.rawValue),
        ]
      }
      print(JSON.array(elements).text(.pretty))
    case "text":
      var services: [String] = []
      for row in rows where services.last != row.service { services.append(row.service) }
      for service in services {
        let own = rows.filter { $0.service == service }
        let counts = Coverage.Status.allCases.map { status in "\(own.count { $0.status == status }) \(status.rawValue)"
        }
        print("\(service)  \(counts.joined(separator: ", "))")
        for status in [Coverage.Status.modelled, .recorded] {
          let names = own.filter { $0.status == status }.map(\.operation)
          if !names.isEmpty { print("  \(status.rawValue): \(names.joined(separator: " "))") }
        }
      }
    default: throw ValidationError("-o \(output): wanted text or json")
    }
  }
}
