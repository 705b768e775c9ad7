// InCluster
