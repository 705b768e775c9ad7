import Wire

/// A change of rules as iptables takes it on its command line.
package struct NetfilterCommand: Sendable, Equatable {
  package var table = "filter"
  package var deed: NodeChanges.TableEdit.Deed
  /// Empty for every chain of the table.
  package var chain: String
  /// From 1: where a rule is inserted, or which is deleted.
  package var position: Int?
  /// The rule as `iptables-save` prints it; the policy's name for that.
  package var rule = ""

  private static let name = "iptables v1.8.8 (legacy)"
  private static let deeds: [String: NodeChanges.TableEdit.Deed] = [
    "-A": .append, "-I": .insert, "-D": .delete, "-N": .newChain, "-X": .deleteChain, "-F": .flush, "-P": .policy,
  ]
  private static let short = [
    "--append": "-A", "--insert": "-I", "--delete": "-D", "--new-chain": "-N", "--delete-chain": "-X",
    "--flush": "-F", "--policy": "-P", "--table": "-t", "--source": "-s", "--src": "-s", "--destination": "-d",
    "--dst": "-d", "--in-interface": "-i", "--out-interface": "-o", "--protocol": "-p", "--proto": "-p",
    "--match": "-m", "--jump": "-j", "--goto": "-g",
  ]

  /// Whether arguments are to change anything.
  package static func isChange(_ arguments: [String]) -> Bool {
    arguments.contains { deeds[short[$0] ?? $0] != nil }
  }

  package init(_ arguments: [String]) throws(CommandFault) {
    var deed: NodeChanges.TableEdit.Deed?
    var (chain, table, position) = ("", "filter", Int?.none)
    var words: [String] = []
    var rest = arguments.map { Self.short[$0] ?? $0 }[...]
    while let word = rest.popFirst() {
      if let found = Self.deeds[word] {
        guard deed == nil else { throw Self.usage("Cannot use \(word) with another command") }
        deed = found
        if let next = rest.first, !next.hasPrefix("-") { chain = rest.removeFirst() }
        if found == .policy { words.append(rest.popFirst() ?? "") }
        if found == .insert || found == .delete, let number = rest.first.flatMap({ Int($0) }) {
          guard number > 0 else { throw Self.usage("Invalid rule number \(number)") }
          position = number
          rest.removeFirst()
        }
      } else if word == "-t" {
        table = rest.popFirst() ?? ""
      } else if ["-w", "--wait"].contains(word) {
        if let next = rest.first, Int(next) != nil { rest.removeFirst() }
      } else {
        words.append(word)
      }
    }
    guard let deed else { throw Self.usage("no command specified") }
    guard Netfilter.tableNames.contains(table) else {
      throw CommandFault(
        "\(Self.name): can't initialize iptables table `\(table)': Table does not exist (do you need to insmod?)\n"
          + "Perhaps iptables or your kernel needs to be upgraded.\n", 3)
    }
    guard !chain.isEmpty || deed == .flush || deed == .deleteChain else {
      throw Self.usage("option requires an argument")
    }
    self.deed = deed
    self.chain = chain
    self.table = table
    self.position = position
    switch deed {
    case .policy:
      guard ["ACCEPT", "DROP"].contains(words.first) else {
        throw CommandFault("iptables: Bad policy name. Run `dmesg' for more information.\n", 1)
      }
      rule = words[0]
    case .append, .insert: rule = try Self.rule(words)
    case .delete: if position == nil { rule = try Self.rule(words) }
    case .newChain, .deleteChain, .flush: break
    }
  }

  private static func usage(_ text: String) -> CommandFault {
    CommandFault("\(name): \(text)\nTry `iptables -h' or 'iptables --help' for more information.\n", 2)
  }

  /// A rule's words in the form in which the kernel gives them back.
  private static func rule(_ words: [String]) throws(CommandFault) -> String {
    var out: [String] = []
    var transport: String?
    for (index, word) in words.enumerated() {
      if word == "-p", index + 1 < words.count { transport = words[index + 1] }
      // A protocol's own options bring its match with them.
      let isPort = ["--dport", "--sport", "--destination-port", "--source-port"].contains(word)
      if isPort {
        guard let transport, ["tcp", "udp"].contains(transport) else { throw usage("unknown option \"\(word)\"") }
        if !zip(out, out.dropFirst()).contains(where: { $0 == "-m" && $1 == transport }) {
          let isNegated = out.last == "!"
          if isNegated { out.removeLast() }
          out += ["-m", transport]
          if isNegated { out.append("!") }
        }
      }
      switch word {
      case "--destination-port": out.append("--dport")
      case "--source-port": out.append("--sport")
      case "-m" where index + 1 < words.count && words[index + 1] == "state": out.append(word)
      default: out.append(word)
      }
    }
    let found: NetfilterRule
    do throws(NetfilterError) {
      found = try NetfilterRule(
        text: out.map { $0.hasPrefix("-") || $0 == "!" ? $0 : NetfilterRule.quoted($0) }.joined(separator: " "))
    } catch { throw usage(error.description) }
    for case .unknown(let text) in found.matches {
      let match = text.hasPrefix("-m ") ? String(text.dropFirst(3).prefix { $0 != " " }) : text
      throw CommandFault(
        "\(name): Couldn't load match `\(match)':No such file or directory\n\n"
          + "Try `iptables -h' or 'iptables --help' for more information.\n", 2)
    }
    if case .unknown(let text) = found.target {
      throw CommandFault(
        "\(name): Couldn't load target `\(text.dropFirst(3).prefix { $0 != " " })':No such file or directory\n\n"
          + "Try `iptables -h' or 'iptables --help' for more information.\n", 2)
    }
    return found.text
  }

  // MARK: - Against what there is

  private static let noChain = CommandFault("iptables: No chain/target/match by that name.\n", 1)

  /// What of a table changes, as the kernel would let it.
  package func edits(of netfilter: Netfilter) throws(CommandFault) -> [NodeChanges.TableEdit] {
    let own = netfilter[table: table]
    func edit(_ chain: String, _ rule: String) -> NodeChanges.TableEdit {
      .init(deed: deed, table: table, chain: chain, position: position, rule: rule, owner: "")
    }
    if chain.isEmpty {
      return own.chains.filter { deed == .flush ? !$0.rules.isEmpty : $0.accepts == nil && $0.rules.isEmpty }
        .map { edit($0.name, "") }
    }
    let place = own[chain: chain]
    if deed == .newChain {
      guard place == nil else { throw CommandFault("iptables: Chain already exists.\n", 1) }
      return [edit(chain, "")]
    }
    guard let place else { throw Self.noChain }
    let found = own.chains[place]
    switch deed {
    case .append, .insert:
      if let position, position > found.rules.count + 1 {
        throw CommandFault("iptables: Index of insertion too big.\n", 1)
      }
      let parsed = try? NetfilterRule(text: rule)
      switch parsed?.target {
      case .jump(let name)?, .go(let name)?: guard own[chain: name] != nil else { throw Self.noChain }
      default: break
      }
      return [edit(chain, rule)]
    case .delete:
      if let position {
        guard position <= found.rules.count else { throw CommandFault("iptables: Index of deletion too big.\n", 1) }
        return [edit(chain, found.rules[position - 1].text)]
      }
      guard found.rules.contains(where: { $0.text == rule }) else {
        throw CommandFault("iptables: Bad rule (does a matching rule exist in that chain?).\n", 1)
      }
      return [edit(chain, rule)]
    case .deleteChain:
      guard found.accepts == nil else {
        throw CommandFault("iptables: Invalid argument. Run `dmesg' for more information.\n", 1)
      }
      guard found.rules.isEmpty else { throw CommandFault("iptables: Directory not empty.\n", 1) }
      return [edit(chain, "")]
    case .policy:
      guard found.accepts != nil else { throw CommandFault("iptables: Bad built-in chain name.\n", 1) }
      return [edit(chain, rule)]
    case .flush, .newChain: return [edit(chain, "")]
    }
  }
}
