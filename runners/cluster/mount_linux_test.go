package cluster

import "testing"

func TestSystemOf(t *testing.T) {
	const mounts = "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n30 22 0:40 / /mnt/with\\040blank rw shared:1 - nfs4 host:/x rw\n" +
		"31 22 0:41 / /mnt/s3 rw - fuse s3fs rw\n32 22 0:42 / /mnt/s3/b rw - fuse.gcsfuse b rw\nbroken line\n"
	for path, want := range map[string]string{"/home/x": "ext4", "/mnt/with blank/run": "nfs4", "/mnt/s3": "fuse.s3fs", "/mnt/s3/b/c": "fuse.gcsfuse", "/mnt/s3x": "ext4"} {
		if got := systemOf(path, mounts); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
