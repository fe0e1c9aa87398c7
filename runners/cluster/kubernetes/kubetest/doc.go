// Package kubetest starts, for tests alone, a real Kubernetes on this machine: etcd, the
// API server, the controllers and the scheduler ([Start]), and nodes: some that are only
// an entry of the API, whose pods a test moves through their lives ([Cluster.Paper]), and
// some of containerd, runc and a kubelet, which are killed as machines die
// ([Cluster.Node]).
//
// No systemd and no container engine are needed, and root only for real nodes. The
// daemons are built from Go modules by .ci/kubernetes/build.
package kubetest
