/// In-tree volume plugins and the CSI drivers that took over from them.
package enum CSIMigration {
  /// The driver that provisions for an in-tree provisioner; nil for others.
  package static func driver(of provisioner: String) -> String? {
    switch provisioner {
    case "kubernetes.io/aws-ebs": "ebs.csi.aws.com"
    case "kubernetes.io/gce-pd": "pd.csi.storage.gke.io"
    case "kubernetes.io/azure-disk": "disk.csi.azure.com"
    case "kubernetes.io/azure-file": "file.csi.azure.com"
    case "kubernetes.io/cinder": "cinder.csi.openstack.org"
    case "kubernetes.io/vsphere-volume": "csi.vsphere.vmware.com"
    default: nil
    }
  }
}
