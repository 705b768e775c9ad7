// EKS
