import Wire
import World

extension APIServer {
  func decode(_ bytes: [UInt8], mediaType: String, _ exchange: Exchange) throws(KubeStatus) -> JSON {
    switch mediaType {
    case "application/json", "", "*/*":
      var duplicates: [String] = []
      do throws(JSONError) {
        let json = try JSON.parse(bytes, duplicates: &duplicates)
        exchange.duplicates = duplicates
        return json
      } catch {
        throw .badRequest("couldn't get version/kind; json parse error: \(error)")
      }
    case "application/vnd.kubernetes.protobuf":
      let fallback =
        exchange.info.verb.hasPrefix("delete") ? GroupVersionKind(group: "", version: "v1", kind: "DeleteOptions") : nil
      do throws(ProtobufDecoder.Failure) { return try ProtobufDecoder.decode(bytes, fallback: fallback) } catch {
        throw .badRequest(error.description)
      }
    case "application/yaml":
      var duplicates: [YAML.Duplicate] = []
      let json = try yaml(bytes, &duplicates)
      exchange.duplicates = duplicates.map(\.path)
      return json
    default: throw .unsupportedMediaType()
    }
  }

  func yaml(_ bytes: [UInt8], _ duplicates: inout [YAML.Duplicate]) throws(KubeStatus) -> JSON {
    do throws(YAML.Fault) { return try YAML.parse(bytes, duplicates: &duplicates) } catch {
      throw .badRequest("yaml: \(error)")
    }
  }

  /// Drops fields that the kind does not have; by `fieldValidation` that is refused, told or neither.
  func validateFields(_ object: inout JSON, as gvk: GroupVersionKind, _ exchange: Exchange) throws(KubeStatus) {
    let findings: FieldFindings
    if let kind = custom.kinds[gvk] {
      var pruning = SchemaPruning(schema, duplicates: exchange.duplicates)
      pruning.prune(&object, kind.schema)
      findings = pruning.findings
    } else {
      findings = schema.prune(&object, as: gvk, duplicates: exchange.duplicates)
    }
    let mode = exchange.request.parameter("fieldValidation") ?? "Warn"
    if let refused = findings.status(gvk, strict: mode == "Strict") { throw refused }
    if mode == "Warn" { exchange.warnings += findings.strictErrors }
  }

  // MARK: - Patches

  /// An object with a patch applied to it.
  func patched(
    _ object: JSON, by patch: JSON, _ type: String, _ row: KubeResource, as gvk: GroupVersionKind? = nil
  ) throws(KubeStatus) -> JSON {
    switch type {
    case "application/json-patch+json":
      let operations = try JSONPatch(patch)
      do throws(JSONPatch.Failure) { return try operations.apply(to: object) } catch { throw .unprocessable }
    case "application/merge-patch+json": return MergePatch.apply(patch, to: object)
    case "application/strategic-merge-patch+json":
      guard !custom.isCustom(row) else {
        throw .unsupportedMediaType(PatchForms.known.filter { $0 != type })
      }
      return try StrategicMergePatch.apply(patch, to: object, as: gvk ?? row.gvk, in: schema)
    default: throw .unsupportedMediaType(PatchForms.known)
    }
  }
}
