import Mechanisms
import Wire
package import World

/// What programs of a node have changed in its kernel. It is gone with the machine.
package struct NodeKernelState: Component {
  package static let kind = "node-kernel"
  static func id(_ instance: String) -> ComponentID { ComponentID("node-kernel/\(instance)") }

  let instance: String
  var changes = NodeChanges()
  /// Counts the changes.
  private(set) var revision = 0

  init(instance: String) { self.instance = instance }

  package mutating func step(_ input: Input, _ context: Context) {
    guard case .message("run", let value) = input else { return }
    let before = changes
    var writer = NodeWriter(
      cluster: value["cluster"].string ?? "", node: value["node"].string ?? "", instance: instance,
      world: context.world, changes: changes)
    var answer: JSON = ["process": value["process"], "text": "", "errors": "", "status": 0]
    do throws(CommandFault) {
      answer["text"] = .string(try writer.run(value["words"].strings))
    } catch {
      answer["errors"] = .string(error.text)
      answer["status"] = .int(Int64(error.status))
    }
    changes = writer.changes
    if changes != before { revision += 1 }
    context.send(ComponentID(value["to"].string ?? ""), "kernel", answer)
  }

  static func changes(of instance: String, in world: World) -> NodeChanges? {
    guard let state = world.state(of: id(instance), as: NodeKernelState.self), !state.changes.isEmpty else {
      return nil
    }
    return state.changes
  }
}
