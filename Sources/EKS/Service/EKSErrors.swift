import Wire

/// Errors in the codes and words of the EKS API.
extension AWSError {
  static func eks(_ code: String, _ message: String, _ status: Int = 400, _ context: JSON = .emptyObject) -> AWSError {
    AWSError(code: "\(code)Exception", message: message, status: status, extra: context)
  }

  static func invalidParameter(_ message: String, cluster: String? = nil, nodegroup: String? = nil) -> AWSError {
    eks("InvalidParameter", message, 400, ["clusterName": JSON(cluster), "nodegroupName": JSON(nodegroup)])
  }

  static func invalidRequest(_ message: String, cluster: String? = nil) -> AWSError {
    eks("InvalidRequest", message, 400, ["clusterName": JSON(cluster)])
  }

  static func noCluster(_ name: String) -> AWSError {
    eks("ResourceNotFound", "No cluster found for name: \(name).", 404, ["clusterName": .string(name)])
  }

  static func noNodegroup(_ name: String, cluster: String) -> AWSError {
    eks(
      "ResourceNotFound", "No node group found for name: \(name).", 404,
      ["clusterName": .string(cluster), "nodegroupName": .string(name)])
  }

  static func inUse(_ message: String, cluster: String? = nil, nodegroup: String? = nil) -> AWSError {
    eks("ResourceInUse", message, 409, ["clusterName": JSON(cluster), "nodegroupName": JSON(nodegroup)])
  }

  static func noPrincipal() -> AWSError {
    eks(
      "ResourceNotFound",
      "The specified principalArn could not be found. You can view your available access entries with 'list-access-entries'.",
      404)
  }
}
