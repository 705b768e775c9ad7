package import Wire

extension RBAC.Facts {
  /// From the lists of RBAC objects as the API serves them (`items`); bindings and roles of other namespaces
  /// are left out.
  package init(
    request: AccessRequest, clusterRoleBindings: Fact<[JSON]>, roleBindings: Fact<[JSON]>, clusterRoles: Fact<[JSON]>,
    roles: Fact<[JSON]>
  ) {
    func bindings(_ objects: [JSON]) -> [RBACObjects.Binding] { objects.map(RBACObjects.Binding.init) }
    func table(_ objects: [JSON]) -> [String: RBACObjects.Role] {
      Dictionary(objects.map { ($0["metadata"]["name"].string ?? "", RBACObjects.Role($0)) }) { $1 }
    }
    func here(_ objects: [JSON]) -> [JSON] {
      objects.filter { $0["metadata"]["namespace"].string == request.namespace }
    }
    self.init(
      request: .known(request), clusterRoleBindings: clusterRoleBindings.map(bindings),
      roleBindings: roleBindings.map { bindings(here($0)) }, clusterRoles: clusterRoles.map(table),
      roles: roles.map { table(here($0)) })
  }
}
